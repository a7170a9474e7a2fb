"""`orch profile`: list, show and check profiles, and print their JSON Schema."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options
from orchestrator.cli.output import emit, emit_json, emit_table, say
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.profile.lint import Remark
    from orchestrator.profile.load import ProfileSummary
    from orchestrator.profile.tree import Fault


@click.group()
def profile() -> None:
    """List, show and check profiles."""


@profile.command("list")
@options.json_output
def list_command(as_json: bool) -> None:
    """List the profiles that go by name, first match first."""
    from orchestrator.profile.load import list_profiles

    search = settings().profiles
    found = list_profiles(search)
    if as_json:
        emit_json("profiles", {"profiles": [{**asdict(item), "path": str(item.path)} for item in found]})
        return
    if not found:
        say(f"no profiles in {', '.join(map(str, search))}")
        return
    _show_list(found)


def _show_list(found: list[ProfileSummary]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("PROFILE", "DESCRIPTION", "FILE"):
        table.add_column(heading, overflow="fold")
    for item in found:
        note = f"cannot be read: {item.problem}" if item.problem else item.description
        note = f"(hidden by the one above) {note}" if item.shadowed else note
        table.add_row(Text(item.name), Text(note), Text(str(item.path)))
    emit_table(table)


@profile.command("show")
@options.profile_argument
@click.option("--resolved", is_flag=True, help="Show what comes out: bases merged, defaults filled.")
@options.sets
@options.json_output
def show_command(profile: str, resolved: bool, sets: tuple[str, ...], as_json: bool) -> None:
    """Show a profile as it is written, or resolved.

    The resolved profile is itself a profile: saved to a file, it loads to the same.
    """
    from orchestrator.profile.document import read_text
    from orchestrator.profile.dump import dump_profile
    from orchestrator.profile.load import find_profile

    if sets and not resolved:
        raise UsageError("--set changes what comes out, not what is written", "add --resolved")
    path = find_profile(profile, settings().profiles)
    body: dict[str, Any] = {"path": str(path)}
    if resolved:
        made = options.load(profile, sets)
        text, body["profile"] = dump_profile(made), options.dump(made)
    else:
        text = body["text"] = read_text(path)
    if as_json:
        emit_json("profile", body)
    else:
        say(f"# {path}")
        emit(text.removesuffix("\n"))


@profile.command("lint")
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...", shell_complete=options.complete_profile)
@options.sets
@options.json_output
def lint_command(profiles: tuple[str, ...], sets: tuple[str, ...], as_json: bool) -> None:
    """Check profiles: faults, and remarks on what deserves a second look.

    Exits 2 if a profile has a fault, 0 with remarks alone.
    """
    checked = [_check(name, sets) for name in profiles]
    if as_json:
        emit_json("lint", {"profiles": [_as_data(*item) for item in checked]})
    else:
        for name, _, faults, remarks in checked:
            _show_check(name, faults, remarks)
    if any(faults for _, _, faults, _ in checked):
        click.get_current_context().exit(ExitCode.USAGE)


def _check(name: str, sets: tuple[str, ...]) -> tuple[str, Path, tuple[Fault, ...], list[Remark]]:
    from orchestrator.plan.variants import variants
    from orchestrator.profile.lint import lint
    from orchestrator.profile.load import find_profile
    from orchestrator.profile.resolve import resolve

    search = settings().profiles
    path = find_profile(name, search)
    resolved, faults = resolve(path, search, sets)
    checked = [] if resolved is None else [remark for item in variants(resolved) for remark in lint(item.profile)]
    return name, path, faults, list(dict.fromkeys(checked))


def _as_data(name: str, path: Path, faults: tuple[Fault, ...], remarks: list[Remark]) -> dict[str, Any]:
    return {
        "profile": name,
        "path": str(path),
        "faults": [asdict(item) for item in faults],
        "remarks": [asdict(item) for item in remarks],
    }


def _show_check(name: str, faults: tuple[Fault, ...], remarks: list[Remark]) -> None:
    for fault in faults:
        emit(str(fault))
    for remark in remarks:
        emit(f"{name}: {remark.key} — {remark.text}")
    if not faults and not remarks:
        say(f"{name}: nothing to remark")


@profile.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a profile's file, for editors."""
    from orchestrator.profile.jsonschema import schema_text

    emit(schema_text().removesuffix("\n"))
