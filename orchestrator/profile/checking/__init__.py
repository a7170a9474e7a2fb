"""What is wrong with a profile, each fault at its place and with the way out."""
