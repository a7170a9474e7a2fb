"""What the tools of accelerator vendors print, read into figures of cards, or refused with a reason."""
