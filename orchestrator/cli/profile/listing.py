"""`orch profile list`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import emit_json, emit_table, say
from orchestrator.cli.settings import settings
from orchestrator.profile.text.find import ProfileSummary, list_profiles


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
    emit_table(profiles_table(found))


def profiles_table(found: Sequence[ProfileSummary]) -> Table:
    """Return the table of profiles."""
    table = Table(box=None, pad_edge=False)
    for heading in ("PROFILE", "DESCRIPTION", "FILE"):
        table.add_column(heading, overflow="fold")
    for item in found:
        note = f"cannot be read: {item.problem}" if item.problem else item.description
        note = f"(hidden by the one above) {note}" if item.shadowed else note
        table.add_row(Text(item.name), Text(note), Text(str(item.path)))
    return table
