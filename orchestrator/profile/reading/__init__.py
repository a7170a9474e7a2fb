"""From a file to the resolved profile."""
