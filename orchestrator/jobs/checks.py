"""Checks profiles: their faults, remarks, and the flags that the image's parsers refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.deployment.ask import Asker
from orchestrator.errors import Busy, EnvironmentFault, OrchError
from orchestrator.jobs.places import Place
from orchestrator.lint.lint import Remark, lint
from orchestrator.plan.container import serving_hash
from orchestrator.plan.variants import variants
from orchestrator.profile.flags import refused
from orchestrator.profile.reading.resolve import resolve
from orchestrator.profile.reading.variants import laid, profiles_of
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.find import find_profile
from orchestrator.profile.text.tree import Fault, Node, entry_at, fault
from orchestrator.vllm.parser import ImageParsers

Ask = Callable[[Profile], ImageParsers]
"""Returns what the parsers of a profile's image know."""


@dataclass(frozen=True)
class Checked:
    """A profile with its faults and remarks."""

    name: str
    path: Path
    faults: tuple[Fault, ...]
    remarks: tuple[Remark, ...] = ()
    vllm: str | None = None
    """The version of the image that was asked."""
    not_asked: OrchError | None = None
    """Why the image could not be asked."""


def check(name: str, search: Sequence[Path], sets: tuple[str, ...] = (), ask: Ask | None = None) -> Checked:
    """Return a profile's faults and remarks.

    Args:
        name: Its name or path.
        search: Folders that names are looked for in, first match wins.
        sets: Overrides such as `server.port=8010`.
        ask: Asks the image which flags it knows; see `asking`. Nothing is asked unless given.

    Raises:
        ProfileError: There is no such profile.
    """
    path = find_profile(name, search)
    resolved = resolve(path, search, sets)
    if resolved.profile is None:
        return Checked(name, path, resolved.faults)
    each = [item.profile for item in variants(resolved.profile)]
    if ask is None:
        return Checked(name, path, (), _remarks((profile, None) for profile in each))
    try:
        asked = [(profile, ask(profile)) for profile in each]
    except (EnvironmentFault, Busy) as error:
        return Checked(name, path, (), _remarks((profile, None) for profile in each), not_asked=error)
    trees = _trees(resolved.profile, resolved.root)
    faults = sorted(
        {fault for profile, parsers in asked for fault in _flag_faults(profile, trees, parsers)},
        key=lambda item: (item.file, item.line, item.column),
    )
    versions = ", ".join(dict.fromkeys(parsers.vllm for _, parsers in asked))
    return Checked(name, path, tuple(faults), _remarks(asked), versions)


def asking(place: Place) -> Ask:
    """Return what asks the images on this node; each is asked once, in a throw-away container."""
    at = place.folders
    return Asker(place.node, at.state, at.cache, at.environ, place.interruption).ask


def _remarks(asked: Iterable[tuple[Profile, ImageParsers | None]]) -> tuple[Remark, ...]:
    return tuple(dict.fromkeys(remark for profile, parsers in asked for remark in lint(profile, parsers)))


def _trees(profile: Profile, root: Node) -> dict[str, list[Node]]:
    """Return the trees that each server of a profile comes from, by the hash of the server."""
    trees: dict[str, list[Node]] = {}
    for combination, made in profiles_of(profile):
        trees.setdefault(serving_hash(made), []).append(laid(root, combination))
    return trees or {serving_hash(profile): [root]}


def _flag_faults(profile: Profile, trees: dict[str, list[Node]], parsers: ImageParsers) -> Iterator[Fault]:
    """Yield the flags that the parsers refuse as faults, each at the places in the file that it comes from."""
    for problem in refused(profile, parsers):
        for tree in trees[serving_hash(profile)]:
            entry = entry_at(tree, problem.keys)
            yield fault(entry.node.mark if problem.of_value else entry.mark, problem.keys, problem.text)
