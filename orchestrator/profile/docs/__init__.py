"""What is told of the profile's keys: the JSON Schema and the reference page."""
