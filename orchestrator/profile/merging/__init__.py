"""How profiles are laid over each other: bases, overrides, and what varies."""
