"""The datasets that a client can make prompts of."""
