"""From container state, exit code, engine errors and logs to a named cause; pure: no engine, no clock, no printing."""

from orchestrator.causes import UNKNOWN
from orchestrator.diagnosis.diagnose import Diagnosis, cause_of, diagnose, render
from orchestrator.diagnosis.evidence import Evidence, happened, summary

__all__ = ["UNKNOWN", "Diagnosis", "Evidence", "cause_of", "diagnose", "happened", "render", "summary"]
