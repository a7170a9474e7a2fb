"""A deployment: one labelled container with one vLLM server, from `orch up` to `orch down`."""
