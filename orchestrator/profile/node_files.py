"""Makes paths of the node's files whole: one in a profile is relative to the file that it stands in.

What an override on the command line says is relative to the current folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.profile.tree import Keys, Node

FILES: tuple[Keys, ...] = (("bench", "dataset", "file"),)
"""Keys whose value is a file of the node."""


def with_whole_paths(node: Node, keys: Keys = ()) -> Node:
    """Return a tree in which each file of the node is named by its absolute path."""
    if keys in FILES and isinstance(node.value, str) and node.value:
        return replace(node, value=_whole(Path(node.mark.file).parent / node.value))
    if isinstance(node.value, Mapping) and any(path[: len(keys)] == keys for path in FILES):
        entries = {
            key: replace(entry, node=with_whole_paths(entry.node, (*keys, key))) for key, entry in node.value.items()
        }
        return replace(node, value=entries)
    return node


def _whole(path: Path) -> str:
    """The folder is looked up, so that `..` goes where it goes for the system; the name stays, even of a link."""
    return str(path.parent.resolve() / path.name)
