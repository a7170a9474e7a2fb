"""`orch profile`: list, show and check profiles, and print their JSON Schema."""
