"""The commands as they are typed: options, arguments, help."""
