"""Takes out of a base's flags what a profile that extends it says anew, in whatever form each of the two says it.

What is left can be laid under the profile's own flags: the profile's value wins, and keys of a JSON value that only the
base gives stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.profile.text.tree import Entry, Node, marked
from orchestrator.vllm.flag_names import FlagName, read_name
from orchestrator.vllm.flag_values import as_mapping
from orchestrator.vllm.flags import meant

Flags = Mapping[str, Entry]


def without_said_anew(under: Flags, over: Flags) -> Flags:
    """Return the flags of a base without what the flags over them say anew.

    A flag that both give as a whole takes the name by which the upper one gives it, so that mappings merge by key.
    """
    left = dict(under)
    for text, entry in over.items():
        name = meant(text, entry.node.value)
        for below in [below for below in left if meant(below, left[below].node.value).flag == name.flag]:
            left = _without(left, below, text, name, entry.node)
    return left


def _without(left: Flags, below: str, text: str, name: FlagName, value: Node) -> dict[str, Entry]:
    """Return a base's flags, of which one is the same flag as the upper one `text`, without what that one says."""
    keys = read_name(below).keys
    common = min(len(keys), len(name.keys))
    if keys[:common] != name.keys[:common]:
        return dict(left)
    if keys == name.keys:
        kept = {text if key == below else key: entry for key, entry in left.items()}
        added = name.adds and not read_name(below).adds
        return dict(left) if added or text in left else kept
    if len(keys) < len(name.keys):  # the base gives the outer value, the upper flag a key of it
        inner = _without_keys(_as_tree(left[below].node), name.keys[common:], adds=name.adds)
    else:  # the base gives a key of what the upper flag gives as a whole
        inner = None if _replaces(value, keys[common:]) else left[below].node
    if inner is None:
        return {key: entry for key, entry in left.items() if key != below}
    return {**left, below: replace(left[below], node=inner)}


def _as_tree(node: Node) -> Node:
    """Return a mapping that is written as its JSON text as a mapping."""
    found = as_mapping(node.value) if isinstance(node.value, str) else None
    return node if found is None else marked(found, node.mark)


def _without_keys(node: Node, keys: tuple[str, ...], *, adds: bool) -> Node | None:
    """Return a mapping without what stands at keys of it; None for another value, which the keys replace."""
    if not isinstance(node.value, Mapping):
        return None
    key, *rest = keys
    if key not in node.value or (adds and not rest):
        return node
    inner = _without_keys(node.value[key].node, tuple(rest), adds=adds) if rest else None
    kept = {name: entry for name, entry in node.value.items() if name != key or inner is not None}
    if inner is not None:
        kept[key] = replace(kept[key], node=inner)
    return replace(node, value=kept)


def _replaces(value: Node, keys: tuple[str, ...]) -> bool:
    """Say whether a value leaves no place for what a base gives at keys of it: it is no mapping, or gives it itself."""
    for key in keys:
        if not isinstance(value.value, Mapping):
            return True
        if key not in value.value:
            return False
        value = value.value[key].node
    return True
