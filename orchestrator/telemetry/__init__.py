"""What happens on the machine while a server is measured: samplers, one clock, one recorded timeline.

Telemetry never decides whether a run goes on: a source that fails is a gap with its reason.
"""
