"""What a measurement is measured by: the figures of a result, and bounds on them."""
