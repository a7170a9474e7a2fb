"""What measurements come to: how far each can be trusted, and how closely a mean is known."""
