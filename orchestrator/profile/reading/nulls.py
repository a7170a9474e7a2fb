"""Finds keys without a value that take nothing away: in a one-line mapping a comma has often cut the value before.

`{HIP_VISIBLE_DEVICES: 0,1}` is YAML for the value 0 and a key 1 without a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized

from pydantic.fields import FieldInfo

from orchestrator.profile.checking.ways.lookup import way_out
from orchestrator.profile.schema.keys import AXES, CHOICES, FLAGS, INVENTED, fields_at, is_unknown
from orchestrator.profile.text.tree import Fault, Keys, Node, entry_at, fault, is_at
from orchestrator.vllm.flag_names import read_name


def stray_nulls(root: Node, layers: Sequence[Node]) -> list[Fault]:
    """Return a fault for each null of a merged tree that no default stands for and whose key no other layer sets.

    Args:
        root: The merged tree, nulls in it.
        layers: The trees of the files and overrides that it was merged from.
    """
    return list(_walk(root, (), layers))


def _walk(node: Node, keys: Keys, layers: Sequence[Node]) -> Iterator[Fault]:
    if keys[:-1] in FLAGS or keys[:-1] == AXES or keys in CHOICES:
        return  # null is a value there
    if isinstance(node.value, tuple):
        for index, item in enumerate(node.value):
            yield from _walk(item, (*keys, index), layers)
    if not isinstance(node.value, Mapping):
        return
    for key, entry in node.value.items():
        inner = (*keys, key)
        if entry.node.value is not None:
            yield from _walk(entry.node, inner, layers)
        elif not (is_unknown(inner) or _is_default(inner) or _set_elsewhere(inner, layers)):
            way = way_out("no value", inner)
            yield fault(entry.mark, inner, f"has no value, and no extended profile sets it: {way}")


def _is_default(keys: Keys) -> bool:
    """Say whether the schema knows a key whose default is nothing, or that it demands and says so itself."""
    name = keys[-1]
    if keys[:-1] in INVENTED:
        return False
    fields = [known[name] for known in fields_at(keys[:-1]) if name in known]
    return keys == ("extends",) or any(map(_stands_for_nothing, fields))


def _stands_for_nothing(field: FieldInfo) -> bool:
    default = field.get_default(call_default_factory=True, validated_data={})
    return field.is_required() or default is None or (isinstance(default, Sized) and len(default) == 0)


def _set_elsewhere(keys: Keys, layers: Sequence[Node]) -> bool:
    """Say whether another layer gives a key a value; a flag in any of its spellings, or a key of its value."""
    if keys[:-1] not in FLAGS:
        return any(is_at(layer, keys) and entry_at(layer, keys).node.value is not None for layer in layers)
    flag = read_name(str(keys[-1])).flag
    for layer in layers:
        given = entry_at(layer, keys[:-1]).node.value if is_at(layer, keys[:-1]) else None
        for text, entry in given.items() if isinstance(given, Mapping) else ():
            if entry.node.value is not None and read_name(str(text)).flag == flag:
                return True
    return False
