"""`orch profile schema`."""

from __future__ import annotations

from orchestrator.cli.output import emit
from orchestrator.profile.docs.jsonschema import schema_text


def schema_command() -> None:
    """Print the JSON Schema of a profile's file, for editors."""
    emit(schema_text().removesuffix("\n"))
