"""The profile: the YAML file that says everything about a deployment and its benchmark."""
