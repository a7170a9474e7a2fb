"""The benchmark: vLLM's own client, run inside the container, point by point."""
