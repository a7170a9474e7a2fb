"""What is asked of a server: a point, the API that it speaks, how its requests arrive, and the seeds of its prompts."""
