"""Keeps numbers as they are written where text is wanted: a version `1.10` is not `1.1`, and `1e3` not `1000.0`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.profile.schema.keys import AXES, CHOICES, ENVS, FLAGS, split_key
from orchestrator.profile.text.tree import Keys, Node
from orchestrator.vllm.flag_forms import form_of
from orchestrator.vllm.flag_names import read_name

TEXTS: frozenset[Keys] = frozenset(
    ("container", name) for name in ("gpus", "group_add", "cpuset_cpus", "cpuset_mems", "user")
)
"""Keys whose value, or whose items, are text that may look like a number."""
MAPPINGS: frozenset[Keys] = ENVS | {("container", name) for name in ("labels", "log_options", "sysctls")}
"""Mappings to such text."""
LISTED: frozenset[Keys] = frozenset({("container", "gpus")})
"""Keys where a number that stands alone is a number."""


def as_written(node: Node, keys: Keys = ()) -> Node:
    """Return a tree in which a number is the text of the file wherever the schema takes it for text."""
    path = tuple(key for key in keys if isinstance(key, str))
    if node.text:
        wanted = path[:-1] in MAPPINGS or (path in TEXTS and (path not in LISTED or path != keys))
        wanted = wanted or (path[:-1] in FLAGS and node.text not in _usual(node.value) and _takes_text(path))
        return replace(node, value=node.text, text="") if wanted else node
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(as_written(item, (*keys, i)) for i, item in enumerate(node.value)))
    if not isinstance(node.value, Mapping):
        return node
    varied = keys == AXES or keys[:-1] in CHOICES
    entries = {}
    for key, entry in node.value.items():
        entries[key] = replace(entry, node=_at(entry.node, split_key(key) if varied else (*keys, key), keys == AXES))
    return replace(node, value=entries)


def _at(node: Node, keys: Keys, axis: bool) -> Node:
    """Return what stands at keys as it is written; of an axis, each of its values stands there."""
    if axis and isinstance(node.value, tuple):
        return replace(node, value=tuple(as_written(item, keys) for item in node.value))
    return as_written(node, keys)


def _usual(number: Any) -> tuple[str, str]:
    """Return a number as a flag gets it, and as a dump of the profile has it: neither says more than the number."""
    text = str(number)
    return text, text if "." in text else text.replace("e", ".0e")


def _takes_text(keys: Keys) -> bool:
    """Say whether a flag takes text, or anything: then a number is passed on as it is written, as a shell does."""
    name = read_name(str(keys[-1]))
    form = form_of(name.flag, None, "serve" if keys[0] == "server" else "bench")
    return not name.keys and (form is None or form.kind == "text")
