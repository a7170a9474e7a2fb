"""A fault-injecting stand-in for vLLM that orch's engine tests run instead of the real thing."""
