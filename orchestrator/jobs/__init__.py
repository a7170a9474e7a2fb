"""Jobs: what people ask orch for, as functions that take values and return values."""
