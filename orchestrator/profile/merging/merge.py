"""Lays one tree over another: mappings merge key by key, everything else replaces what was there.

So does a mapping of another kind, such as another dataset: the keys of the one below mean nothing to it.

Every key and value of the result keeps the place in the file that it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.profile.merging.flag_merge import without_said_anew
from orchestrator.profile.schema.keys import AXES, CHOICES, ENVS, FLAGS, KINDS, is_unknown
from orchestrator.profile.text.tree import Entry, Keys, Node


def merge(under: Node, over: Node, keys: Keys = ()) -> Node:
    """Return `over` laid over `under`; null in `over` stays, so that it hides what lies below."""
    if not isinstance(under.value, Mapping) or not isinstance(over.value, Mapping) or keys[:-1] in ENVS:
        return over
    if keys in KINDS and "name" in over.value and _kind(over, keys) != _kind(under, keys):
        return over
    merged = dict(without_said_anew(under.value, over.value) if keys in FLAGS else under.value)
    for key, entry in over.value.items():
        below = merged.get(key)
        merged[key] = entry if below is None else Entry(entry.mark, merge(below.node, entry.node, (*keys, key)))
    return Node(over.mark, merged)


def _kind(node: Node, keys: Keys) -> object:
    entry = node.value.get("name") if isinstance(node.value, Mapping) else None
    return KINDS[keys] if entry is None or entry.node.value is None else entry.node.value


def without_nulls(node: Node, keys: Keys = ()) -> Node:
    """Return a tree without the keys that are null: the default, or nothing, takes their place.

    A key that the schema does not know stays, for the schema to refuse.
    """
    if keys[:-1] in FLAGS or keys[:-1] == AXES or keys in CHOICES:
        return node
    if isinstance(node.value, Mapping):
        kept = {
            key: replace(entry, node=without_nulls(entry.node, (*keys, key)))
            for key, entry in node.value.items()
            if entry.node.value is not None
            or (keys in FLAGS and "." in key)  # a key of a JSON value, which may be null
            or is_unknown((*keys, key))
        }
        return replace(node, value=kept)
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(without_nulls(item, (*keys, i)) for i, item in enumerate(node.value)))
    return node


def without(node: Node, *names: str) -> Node:
    """Return a mapping without some of its keys."""
    entries = node.value if isinstance(node.value, Mapping) else {}
    return replace(node, value={key: entry for key, entry in entries.items() if key not in names})
