"""Makes paths of the node's files whole: one in a profile is relative to the file that it stands in.

What an override on the command line says is relative to the current folder, and `~` is the home folder of whoever
runs orch. A path that names a variable stays as it is, for the schema to refuse.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.profile.schema.keys import AXES, CHOICES, ENVS, split_key
from orchestrator.profile.schema.mount_text import VARIABLE, VOLUME_NAME, with_source
from orchestrator.profile.text.tree import Entry, Keys, Node, show_keys

FILES: frozenset[Keys] = frozenset({("bench", "dataset", "file"), ("container", "env_file")})
"""Keys whose value is a file of the node, or a list of them."""
MOUNTS: Keys = ("container", "mounts")
SECURITY: Keys = ("container", "security_opt")
NO_FILE = ("unconfined", "builtin")
"""What may stand for a system call filter in place of a file."""


@dataclass(frozen=True)
class ReadPath:
    """A path that a profile does not write out, and what it was read as."""

    key: str
    written: str
    meant: str


def with_whole_paths(node: Node) -> tuple[Node, tuple[ReadPath, ...]]:
    """Return a tree in which each file of the node is named by its absolute path, and what was made of which path."""
    reader = _Reader()
    return reader.read(node, ()), tuple(reader.found)


@dataclass
class _Reader:
    found: list[ReadPath] = field(default_factory=list)

    def read(self, node: Node, keys: Keys, place: Keys | None = None) -> Node:
        """Return what stands at keys with its paths made whole; `place` is where it is, should that be elsewhere."""
        place = keys if place is None else place
        value, path = node.value, tuple(key for key in keys if isinstance(key, str))
        if isinstance(value, str) and value:
            change = _changed_by(path, lambda text: self.whole(text, node, place))
            return node if change is None else replace(node, value=change(value))
        if isinstance(value, tuple):
            return replace(node, value=tuple(self.read(item, (*keys, i), (*place, i)) for i, item in enumerate(value)))
        if not isinstance(value, Mapping):
            return node
        volume = path == MOUNTS and _is_volume(value)
        entries: dict[str, Entry] = {}
        for key, entry in value.items():
            varied = keys == AXES or keys[:-1] in CHOICES
            inner = split_key(key) if varied else (*keys, key)
            stays = volume and key == "source"
            entries[key] = entry if stays else replace(entry, node=self.read(entry.node, inner, (*place, key)))
        return replace(node, value=entries)

    def whole(self, text: str, node: Node, place: Keys) -> str:
        if not text or VARIABLE.search(text):
            return text
        expanded = os.path.expanduser(text)  # noqa: PTH111 - pathlib raises for ~unknown
        if text.startswith("~") and not expanded.startswith("/"):
            return text
        meant = _whole(Path(node.mark.file).parent / expanded)
        if not text.startswith("/"):
            self.found.append(ReadPath(show_keys(place), text, meant))
            return meant
        return text


def _changed_by(path: Keys, whole: Callable[[str], str]) -> Callable[[str], str] | None:
    """Return what is done to a text at a path of the schema; nothing where it names no file of the node."""
    if path in FILES or (path[:2] in ENVS and path[3:] == ("from_file",)) or path == (*MOUNTS, "source"):
        return whole
    if path == MOUNTS:
        return lambda mount: with_source(mount, lambda text: text if VOLUME_NAME.fullmatch(text) else whole(text))
    if path == SECURITY:
        return lambda option: _with_filter(option, whole)
    return None


def _is_volume(mount: Mapping[str, Entry]) -> bool:
    kind, source = (mount[key].node.value if key in mount else None for key in ("type", "source"))
    return kind == "volume" or (kind is None and isinstance(source, str) and VOLUME_NAME.fullmatch(source) is not None)


def _with_filter(option: str, whole: Callable[[str], str]) -> str:
    for separator in "=:":
        name, found, value = option.partition(separator)
        if found and name == "seccomp" and value and value not in NO_FILE:
            return f"{name}{separator}{whole(value)}"
    return option


def _whole(path: Path) -> str:
    """The folder is looked up, so that `..` goes where it goes for the system; the name stays, even of a link."""
    if path.name in ("", ".."):
        return str(path.resolve())
    return str(path.parent.resolve() / path.name)
