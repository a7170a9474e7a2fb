"""The command line: it reads what is typed, calls a job, and shows what came of it."""
