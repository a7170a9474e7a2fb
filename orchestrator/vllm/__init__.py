"""vLLM: the one place that knows how its versions want to be called and how they answer."""
