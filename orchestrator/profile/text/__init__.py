"""A profile's file as a tree in which each value knows its place."""
