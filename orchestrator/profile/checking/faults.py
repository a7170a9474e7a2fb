"""Turns pydantic's errors into faults that a person can act on: the place in a file, the key, plain words.

Values are shown only where the schema's own messages show them, which none does for an environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails

from orchestrator.profile.checking.ways.lookup import way_out
from orchestrator.profile.schema import values
from orchestrator.profile.schema.dataset.kinds import OTHER
from orchestrator.profile.schema.keys import file_keys, homes
from orchestrator.profile.schema.problems import UP, Lacking
from orchestrator.profile.text.names import did_you_mean, nearest
from orchestrator.profile.text.tree import Fault, Keys, Mark, Node, entry_at, fault, is_at

FEW = 10
"""How many valid keys are listed where no near one is found."""

_PATTERNS = {
    values.ABSOLUTE_PATH_PATTERN: "must be an absolute path",
    values.DEVICE_PATH_PATTERN: "must be an absolute path without colons, which docker takes for separators",
    values.ENV_NAME_PATTERN: "must be a variable's name: letters, digits and _, not beginning with a digit",
    values.FLAG_NAME_PATTERN: "must be a flag's name, such as max-model-len or --max-model-len",
    values.PROFILE_NAME_PATTERN: "must be letters, digits, '.', '_' and '-', a letter or digit first",
    values.DEVICE_PERMISSIONS_PATTERN: "must be of the letters r, w and m",
    values.HELD_PATTERN: "must be letters, digits, '.', '_' and '-', a letter or digit first",
    values.CDI_PATTERN: "must be a CDI device, such as nvidia.com/gpu=0",
    values.ULIMIT_NAME_PATTERN: "must be a limit's name, such as memlock",
    values.AXIS_PATTERN: "must be a key below server or container, such as server.flags.max-num-seqs; "
    "the bench section has axes of its own, give it lists",
    values.NODE_PATH_PATTERN: "must be a path; a profile reads no variables: write it out, begin it with ~/ or ./, "
    "or give it with --set",
    values.IMAGE_PATTERN: "must be an image's name; a profile reads no variables: write it out, or give it with --set",
    values.CAPABILITY_PATTERN: "must be a capability's name, such as SYS_NICE; write several as a list",
    values.SECURITY_OPTION_PATTERN: "must be an option such as seccomp=unconfined or no-new-privileges",
    values.ULIMIT_PATTERN: "must be a number, or soft:hard; -1 is no limit",
    values.TMPFS_PATTERN: "must be a path in the container, then options if any, such as /run:size=1g",
    values.HOST_PATTERN: "must be a name and its address, such as hub:10.0.0.2",
    values.CGROUP_RULE_PATTERN: "must be a rule such as c 226:* rwm",
    values.NAMESPACE_PATTERN: "must be host or container:NAME",
    values.IPC_PATTERN: "must be private, shareable, host, none or container:NAME",
}
_OR_ELSE: dict[Keys, str] = {
    ("container", "gpus"): ", a number of devices, or a list of device ids",
    ("container", "holds"): " or a list of names",
    ("bench", "warmup"): " or a number of requests",
}
"""What else may stand where one word may."""
_BESIDE = {"vllm-rs": ", or the path in the container of a client"}
"""What else may stand where one of several words may, by the last of them."""
_OF_SHAPE = ("tuple_type", "mapping_type", "dict_type", "model_type", "model_attributes_type", "int_type", "float_type")
_A_MAPPING = "must be a mapping of keys to values"
_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "required key is missing",
    "value_error": lambda ctx: str(ctx["error"]),
    "string_pattern_mismatch": lambda ctx: _PATTERNS.get(ctx["pattern"], f"must match {ctx['pattern']}"),
    "string_too_short": lambda _: "must not be empty",
    "string_unicode": lambda _: "must be text",
    "too_short": lambda _: "must hold at least one value",
    "int_type": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "tuple_type": lambda _: "must be a list",
    "mapping_type": lambda _: _A_MAPPING,
    "dict_type": lambda _: _A_MAPPING,
    "model_type": lambda _: _A_MAPPING,
    "less_than": lambda ctx: f"must be less than {ctx['lt']:g}",
    "greater_than": lambda ctx: f"must be more than {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"must be {ctx['ge']:g} or more",
    "less_than_equal": lambda ctx: f"must be {ctx['le']:.15g} or less",
}


class _Place(NamedTuple):
    """Where an error stands in the tree."""

    keys: Keys
    key_mark: Mark
    node: Node
    rest: Keys
    """What the error names below the node and the tree does not hold."""
    above: Node
    """What holds the node."""


def faults_of(errors: Iterable[ErrorDetails], root: Node, *, incomplete: bool) -> list[Fault]:
    """Return the faults that validating a tree's data gave.

    With `incomplete`, a file could not be read: what only that file may have held is not reported as missing.
    """
    found: dict[Fault, None] = {}
    placed = [(error, _locate(root, error["loc"])) for error in errors]
    meant = {
        (*place.keys[:-1], name)
        for error, place in placed
        if error["type"] == "extra_forbidden"
        for name in _nearest_keys(place)
    }
    unknown = {place.keys for error, place in placed if "[key]" in error["loc"]}
    for error, place in placed:
        kind = error["type"]
        if place.node.value is None and place.keys in unknown and "[key]" not in error["loc"]:
            continue
        lacking = _lacking(error, place, root)
        if (incomplete and lacking) or not meant.isdisjoint(lacking):
            continue
        if kind == "too_short" and place.node.value != ():
            continue
        keys = place.keys if kind == "value_error" else _full_keys(place)
        at_mapping = isinstance(place.node.value, Mapping)
        of_key = at_mapping or kind in ("missing", "extra_forbidden") or "[key]" in error["loc"]
        mark = place.key_mark if of_key else place.node.mark
        found[fault(mark, keys, _problem(error, place))] = None
    return list(found)


def _lacking(error: ErrorDetails, place: _Place, root: Node) -> set[Keys]:
    """Return the absent keys of which any would mend an error."""
    if error["type"] == "missing":
        return {_full_keys(place)}
    cause = error.get("ctx", {}).get("error")
    return {keys for keys in cause.keys if not is_at(root, keys)} if isinstance(cause, Lacking) else set()


def _from_top(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    path: tuple[str | int, ...] = ()
    for part in loc:
        path = path[:-1] if part == UP else (*path, part)
    return path


def _locate(root: Node, loc: tuple[str | int, ...]) -> _Place:
    above, node, mark = root, root, root.mark
    keys: Keys = ()
    rest: Keys = ()
    for part in _from_top(loc):
        if isinstance(node.value, Mapping) and part in node.value and isinstance(part, str):
            above, mark, node = node, node.value[part].mark, node.value[part].node
            keys = (*keys, part)
        elif isinstance(node.value, tuple) and isinstance(part, int):
            above, node = node, node.value[part]
            mark = node.mark
            keys = (*keys, part)
        elif isinstance(part, str) and not part.startswith("<") and part != "[key]":
            rest = (*rest, part)
    return _Place(keys, mark, node, rest, above)


def _full_keys(place: _Place) -> Keys:
    return (*place.keys, *place.rest) if isinstance(place.node.value, Mapping) else place.keys


def _problem(error: ErrorDetails, place: _Place) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(place, error["loc"])
    if kind == "literal_error":
        allowed = [
            text or plain.lower() for text, plain in re.findall(r"'([^']*)'|(True|False|-?\d+)", context["expected"])
        ]
        words = _not_one_of(allowed, error["input"], place.keys, error["loc"])
    elif kind == "string_type":
        words = "must be text" + ("; put it in quotes" if isinstance(error["input"], int | float) else "")
    else:
        words = _WORDS[kind](context) if kind in _WORDS else error["msg"]
    if way := way_out("shape" if kind in _OF_SHAPE else "value", place.keys, error["input"]):
        return f"{words}{';' if ';' in words else ':'} {way}"
    inside_text = place.rest and not isinstance(place.node.value, Mapping)
    return f"{place.rest[-1]} {words}" if inside_text and kind == "string_pattern_mismatch" else words


def _unknown_key(place: _Place, loc: tuple[str | int, ...]) -> str:
    name = str(place.keys[-1])
    known = file_keys(place.keys[:-1])
    if name in known:  # by another kind of what stands here
        kind = next(str(part) for part in reversed(loc) if str(part).startswith("<"))
        own = entry_at(place.above, ("name",)).node.value if kind == OTHER else kind.strip("<>")
        return f"not a key of '{own}'"
    if way := way_out("unknown key", place.keys, place.node.value):
        return f"unknown key; {way}"
    near = _nearest_keys(place)
    if near:
        return f"unknown key{did_you_mean(near)}"
    if elsewhere := homes(name):
        return f"unknown key here; '{name}' belongs to {' or '.join(elsewhere)}"
    if place.node.value is None:
        return f"unknown key; {way_out('no value', place.keys)}"
    return "unknown key" + (f"; known here: {', '.join(known)}" if len(known) <= FEW else "")


def _nearest_keys(place: _Place) -> list[str]:
    return nearest(str(place.keys[-1]), file_keys(place.keys[:-1]))


def _not_one_of(allowed: list[str], given: object, keys: Keys, loc: tuple[str | int, ...]) -> str:
    near = did_you_mean(nearest(given, allowed)) if isinstance(given, str) else ""
    if loc[-1] == "[key]":
        return f"unknown key; known here: {', '.join(allowed)}" if not near else f"unknown key{near}"
    if len(allowed) == 1:
        return f"must be {allowed[0]}{_OR_ELSE.get(keys, '')}"
    return f"must be one of {', '.join(allowed)}{_BESIDE.get(allowed[-1], '')}{near}"
