"""`orch profile`: list, show and check profiles, and print their JSON Schema."""

from __future__ import annotations

import click

from orchestrator.cli.lazy import LazyGroup

COMMANDS = {
    "lint": (
        "orchestrator.cli.profile.lint:lint_command",
        "Check profiles: faults, and remarks on what deserves a second look.",
    ),
    "list": ("orchestrator.cli.profile.listing:list_command", "List the profiles that go by name, first match first."),
    "schema": (
        "orchestrator.cli.profile.schema:schema_command",
        "Print the JSON Schema of a profile's file, for editors.",
    ),
    "show": ("orchestrator.cli.profile.showing:show_command", "Show a profile as it is written, or resolved."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def profile() -> None:
    """List, show and check profiles."""
