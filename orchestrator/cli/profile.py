"""`orch profile`: list, show and check profiles, and print their JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options
from orchestrator.cli.output import emit, emit_json, emit_table, say
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode, UsageError
from orchestrator.lint.lint import Remark
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.find import ProfileSummary
from orchestrator.profile.text.tree import Fault, Node
from orchestrator.vllm.parser import ImageParsers


@click.group()
def profile() -> None:
    """List, show and check profiles."""


@profile.command("list")
@options.json_output
def list_command(as_json: bool) -> None:
    """List the profiles that go by name, first match first."""
    from orchestrator.profile.text.find import list_profiles

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
    from orchestrator.profile.dump import dump_profile
    from orchestrator.profile.text.document import read_text
    from orchestrator.profile.text.find import find_profile

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
@click.option("--image", "ask_image", is_flag=True, help="Also check the flags against the parsers of the image.")
@options.sets
@options.json_output
def lint_command(profiles: tuple[str, ...], ask_image: bool, sets: tuple[str, ...], as_json: bool) -> None:
    """Check profiles: faults, and remarks on what deserves a second look.

    With --image, the vLLM of each profile's image says which flags of server and client it knows, and which values they
    take. The image must be on this node. It is asked once, in a throw-away container, which takes about as long as
    vLLM's import; the answer is kept. Another image: --set container.image=IMAGE.

    Exits 2 if a profile has a fault, 3 if an image cannot be asked, 0 with remarks alone.
    """
    checked = [_check(name, sets, ask_image=ask_image) for name in profiles]
    if as_json:
        emit_json("lint", {"profiles": [_as_data(item) for item in checked]})
    else:
        for item in checked:
            _show_check(item)
    if any(item.faults for item in checked):
        click.get_current_context().exit(ExitCode.USAGE)
    if any(item.not_asked for item in checked):
        click.get_current_context().exit(ExitCode.ENVIRONMENT)


@dataclass(frozen=True)
class _Checked:
    """A profile and what there is to say of it."""

    name: str
    path: Path
    faults: tuple[Fault, ...]
    remarks: list[Remark]
    vllm: str | None = None
    """The version of the image that was asked."""
    not_asked: str | None = None
    """Why the image could not be asked, and what to do."""


def _check(name: str, sets: tuple[str, ...], *, ask_image: bool) -> _Checked:
    from orchestrator.errors import Busy, EnvironmentFault
    from orchestrator.plan.variants import variants
    from orchestrator.profile.reading.resolve import resolve
    from orchestrator.profile.text.find import find_profile

    search = settings().profiles
    path = find_profile(name, search)
    resolved = resolve(path, search, sets)
    if resolved.profile is None:
        return _Checked(name, path, resolved.faults, [])
    each = [item.profile for item in variants(resolved.profile)]
    if not ask_image:
        return _Checked(name, path, (), _remarks((profile, None) for profile in each))
    try:
        asked = [(profile, _ask(profile)) for profile in each]
    except (EnvironmentFault, Busy) as error:
        not_asked = f"{error.message}\n  {error.hint}"
        return _Checked(name, path, (), _remarks((profile, None) for profile in each), not_asked=not_asked)
    trees = _trees(resolved.profile, resolved.root)
    faults = sorted(
        {fault for profile, parsers in asked for fault in _flag_faults(profile, trees, parsers)},
        key=lambda item: (item.file, item.line, item.column),
    )
    versions = ", ".join(dict.fromkeys(parsers.vllm for _, parsers in asked))
    return _Checked(name, path, tuple(faults), _remarks(asked), versions)


def _remarks(variants: Iterable[tuple[Profile, ImageParsers | None]]) -> list[Remark]:
    from orchestrator.lint.lint import lint

    return list(dict.fromkeys(remark for profile, parsers in variants for remark in lint(profile, parsers)))


def _ask(profile: Profile) -> ImageParsers:
    from orchestrator.deployment.ask import Asker
    from orchestrator.interruption import Interruption

    here = settings()
    with Interruption() as interruption:
        engine = options.engine_swept(here)
        return Asker(engine, here.state, here.locks, here.cache, here.environ, interruption).ask(profile)


def _trees(profile: Profile, root: Node) -> dict[str, list[Node]]:
    """Return the trees that each server of a profile comes from, by the hash of the server."""
    from orchestrator.plan.container import serving_hash
    from orchestrator.profile.reading.variants import laid, profiles_of

    trees: dict[str, list[Node]] = {}
    for combination, made in profiles_of(profile):
        trees.setdefault(serving_hash(made), []).append(laid(root, combination))
    return trees or {serving_hash(profile): [root]}


def _flag_faults(profile: Profile, trees: dict[str, list[Node]], parsers: ImageParsers) -> Iterator[Fault]:
    """Yield the flags that the parsers refuse as faults, each at the places in the file that it comes from."""
    from orchestrator.plan.container import serving_hash
    from orchestrator.profile.flags import refused
    from orchestrator.profile.text.tree import entry_at, fault

    for problem in refused(profile, parsers):
        for tree in trees[serving_hash(profile)]:
            entry = entry_at(tree, problem.keys)
            yield fault(entry.node.mark if problem.of_value else entry.mark, problem.keys, problem.text)


def _as_data(checked: _Checked) -> dict[str, Any]:
    return {
        "profile": checked.name,
        "path": str(checked.path),
        "faults": [asdict(item) for item in checked.faults],
        "remarks": [asdict(item) for item in checked.remarks],
        "vllm_version": checked.vllm,
        "not_asked": checked.not_asked,
    }


def _show_check(checked: _Checked) -> None:
    for fault in checked.faults:
        emit(str(fault))
    for remark in checked.remarks:
        emit(f"{checked.name}: {remark.key} — {remark.text}")
    if checked.not_asked is not None:
        say(f"{checked.name}: container.image — {checked.not_asked}")
    elif not checked.faults and not checked.remarks:
        say(f"{checked.name}: nothing to remark")


@profile.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a profile's file, for editors."""
    from orchestrator.profile.docs.jsonschema import schema_text

    emit(schema_text().removesuffix("\n"))
