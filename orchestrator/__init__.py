"""orch: from one YAML profile to vLLM serving numbers that can be trusted."""

__version__ = "0.1.0"
