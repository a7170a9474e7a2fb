"""Reports: everything that people read, derived from run directories alone."""
