"""Finds profiles by name in the search folders, first match wins, and lists what is there.

Listing reads only what each file says about itself, so that it is quick and survives files with faults. Shell
completion lists at each key press, so neither the schema nor pydantic is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ProfileError
from orchestrator.files import is_open_file
from orchestrator.profile.text.document import parse_profile, read_text
from orchestrator.profile.text.names import did_you_mean, nearest
from orchestrator.profile.text.tree import printable
from orchestrator.text import Text

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class ProfileSummary:
    """A profile as the list shows it."""

    name: str
    """The name that finds it: its file's, without the suffix."""
    description: str
    path: Path
    shadowed: bool
    """Whether a profile of the same name in an earlier folder is found in its place."""
    problem: str | None
    """Why the file cannot be read, if so."""


def is_path(reference: str) -> bool:
    """Return whether a reference is a path rather than a name."""
    return "/" in reference or reference.endswith(SUFFIXES)


def find_profile(name_or_path: str, search: Sequence[Path]) -> Path:
    """Return the file of a profile; raise ProfileError with the nearest names if a name is not found."""
    if is_path(name_or_path):
        return Path(name_or_path)
    found = candidates(name_or_path, search)
    if found:
        return found[0]
    known = [name for name in names(search) if not is_base(name)]
    looked = ", ".join(dict.fromkeys(map(str, search))) or "no folder"
    raise ProfileError(
        Text(
            "unknown profile '{name_or_path}'{did_you_mean}",
            name_or_path=name_or_path,
            did_you_mean=did_you_mean(nearest(name_or_path, known, 3)),
        ),
        Text(
            "looked for {name_or_path}.yaml in {looked}\n`orch profile list` shows what is there; a "
            "path holds a slash or ends in .yaml",
            name_or_path=name_or_path,
            looked=looked,
        ),
    )


def candidates(name: str, search: Iterable[Path]) -> list[Path]:
    """Return the files that a name stands for, the one that is found first."""
    paths = [folder / (name + suffix) for folder in search for suffix in SUFFIXES]
    return [path for path in paths if is_open_file(path)]


def names(search: Iterable[Path]) -> list[str]:
    """Return the names that can be found, bases included."""
    return sorted({path.stem for path in _files(search)})


def is_base(name: str) -> bool:
    """Return whether a profile is only there to be extended."""
    return name.startswith("_")


def list_profiles(search: Sequence[Path]) -> list[ProfileSummary]:
    """Return the profiles of the search folders in the order of the search, without the bases."""
    seen: set[str] = set()
    summaries = []
    for path in _files(search):
        if is_base(path.stem):
            continue
        description, problem = _about(path)
        summaries.append(ProfileSummary(path.stem, description, path, path.stem in seen, problem))
        seen.add(path.stem)
    return summaries


def _files(search: Iterable[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for folder in search:
        try:
            inside = [path for path in folder.iterdir() if path.suffix in SUFFIXES]
        except OSError:
            continue
        inside.sort(key=lambda path: (path.stem, path.suffix))
        found.update(dict.fromkeys(path for path in inside if is_open_file(path)))
    return list(found)


def _about(path: Path) -> tuple[str, str | None]:
    try:
        document = parse_profile(read_text(path), str(path))
    except ProfileError as error:
        return "", error.message
    root = document.root.value if document.root is not None else None
    entry = root.get("description") if isinstance(root, Mapping) else None
    description = printable(entry.node.value) if entry is not None and isinstance(entry.node.value, str) else ""
    return description, str(document.faults[0]) if document.faults else None
