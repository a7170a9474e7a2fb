"""This node: its facts, what must be true of it before a container is made, and who waits for it."""
