"""`orch results`: the runs that were made, and their numbers."""
