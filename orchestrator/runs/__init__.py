"""Run directories: the truth about every run, from which all reports are derived."""
