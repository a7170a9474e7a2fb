"""Measuring: a sweep, a search or the rest of either, on a server that is up."""
