"""A package of vLLM that the stub has for its import path alone."""
