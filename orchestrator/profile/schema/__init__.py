"""The keys of a profile: what each may hold, and what it means."""
