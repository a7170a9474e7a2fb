"""Images on this node: how they come, and what they have answered about themselves."""
