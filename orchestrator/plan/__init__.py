"""The plan: what a profile comes to, computed without an engine, a clock or an environment."""
