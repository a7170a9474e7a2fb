"""From container state, exit code, engine errors and logs to a named cause; pure: no engine, no clock, no printing."""

from orchestrator.diagnosis.diagnose import UNKNOWN, Diagnosis, diagnose, render
from orchestrator.diagnosis.evidence import Evidence, summary

__all__ = ["UNKNOWN", "Diagnosis", "Evidence", "diagnose", "render", "summary"]
