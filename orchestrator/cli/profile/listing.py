"""`orch profile list`."""

from __future__ import annotations

from dataclasses import asdict

import click

from orchestrator.cli import options
from orchestrator.cli.output import emit_json, emit_table, say
from orchestrator.cli.settings import settings
from orchestrator.profile.text.find import list_profiles


@click.command("list")
@options.json_output
def list_command(as_json: bool) -> None:
    """List the profiles that go by name, first match first."""
    search = settings().profiles
    found = list_profiles(search)
    if as_json:
        emit_json("profiles", {"profiles": [{**asdict(item), "path": str(item.path)} for item in found]})
        return
    if not found:
        say(f"no profiles in {', '.join(map(str, search))}")
        return
    from orchestrator.cli.tables import profiles_table  # rich is imported only where a table is made

    emit_table(profiles_table(found))
