"""Remarks on a profile: what is legal in it and still likely to be a mistake."""
