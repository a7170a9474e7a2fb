"""Reads a mount from the forms in which people write one: docker's `-v`, docker's `--mount`, a mapping.

A profile reads no environment, so a path that names a variable is refused rather than taken for a path.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.text import Text

VARIABLE = re.compile(r"\$(?:[A-Za-z_]|\{)")
"""The beginning of what a shell or compose would put a value in for."""
COMMAND = re.compile(r"\$\(|`")
VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What docker takes for a volume's name."""
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
WITHOUT_EFFECT = ("cached", "delegated", "consistent")
OPTIONS = "ro, rw, z, Z, nocopy or a propagation such as rslave"
FORM = "write /on/the/node:/in/the/container, then :ro for read-only"
LONG_KEYS = {
    "source": "source", "src": "source", "target": "target", "dst": "target", "destination": "target",
    "readonly": "read_only", "ro": "read_only", "bind-propagation": "propagation", "volume-nocopy": "no_copy",
    "type": "type",
}  # fmt: skip
"""The fields of docker's `--mount`, by the keys that they are here."""


def read_mount(value: Any) -> Any:
    """Return a mount as the mapping of its model; raise ValueError for a text that is none."""
    if isinstance(value, str):
        _refuse_variables(value)
        value = _from_fields(value) if _is_long(value) else _from_colons(value)
    if not isinstance(value, Mapping):
        return value
    if value.get("type") == "tmpfs":
        raise ValueError("a tmpfs is written container.tmpfs: [/path:size=1g]")
    source = value.get("source")
    if value.get("type") is None and isinstance(source, str) and VOLUME_NAME.fullmatch(source):
        return {**value, "type": "volume"}
    return value


def target_of(mount: Any) -> Any:
    """Return where something is mounted, well-formed or not; None if that cannot be told."""
    if isinstance(mount, Mapping):
        return mount.get("target")
    if not isinstance(mount, str):
        return None
    if _is_long(mount):
        fields = dict(part.partition("=")[::2] for part in mount.split(","))
        return next((text for name, text in fields.items() if LONG_KEYS.get(name) == "target"), None)
    return mount.split(":")[1] if ":" in mount else None


def with_source(mount: str, change: Any) -> str:
    """Return a mount's text with another source; what has none, or a variable in it, stays."""
    if VARIABLE.search(mount) or COMMAND.search(mount):
        return mount
    if _is_long(mount):
        parts = mount.split(",")
        named = [part.partition("=") for part in parts]
        return ",".join(
            f"{name}={change(text)}" if LONG_KEYS.get(name) == "source" else part
            for part, (name, _, text) in zip(parts, named, strict=True)
        )
    source, colon, rest = mount.partition(":")
    return f"{change(source)}:{rest}" if colon else mount


def _refuse_variables(text: str) -> None:
    if VARIABLE.search(text) or COMMAND.search(text):
        raise ValueError(
            Text(
                "'{text}' holds a variable, and a profile reads none: write the path out, begin it with "
                "~/ or ./, or give it with --set",
                text=text,
            )
        )


def _is_long(text: str) -> bool:
    return re.match(r"[a-z-]+=", text) is not None and "," in text


def _from_colons(text: str) -> dict[str, Any]:
    if re.match(r"[A-Za-z]:(?:\\|/[^:]*:/)", text):
        raise ValueError(
            Text("'{text}' is a path of Windows; orch runs on the node itself: {form}", text=text, form=FORM)
        )
    parts = text.split(":")
    if text in ("ro", "rw", "z", "Z", "nocopy", *PROPAGATIONS):
        raise ValueError(
            Text("'{text}' is an option of a mount that a comma has cut off: put the mount in quotes", text=text)
        )
    if len(parts) == 1 and text.startswith("/"):
        raise ValueError(Text("'{text}' is not a mount; {form}, or name a volume: cache:{text}", text=text, form=FORM))
    if len(parts) not in (2, 3) or not all(parts):
        raise ValueError(Text("'{text}' is not a mount; {form}", text=text, form=FORM))
    return {"source": parts[0], "target": parts[1], **_options(parts[2].split(",") if parts[2:] else [])}


def _options(options: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"read_only": False}
    kinds = [_kind(option) for option in options]
    for kind in kinds:
        if kinds.count(kind) > 1:
            both = ", ".join(option for option in options if _kind(option) == kind)
            raise ValueError(Text("the options {both} of a mount say different things; give one", both=both))
    for option, kind in zip(options, kinds, strict=True):
        made[kind] = {"ro": True, "rw": False, "nocopy": True}.get(option, option)
    return made


def _kind(option: str) -> str:
    known = {"ro": "read_only", "rw": "read_only", "z": "selinux", "Z": "selinux", "nocopy": "no_copy"}
    known |= dict.fromkeys(PROPAGATIONS, "propagation")
    if option in WITHOUT_EFFECT:
        raise ValueError(Text("the option {option} of a mount changes nothing on Linux: leave it out", option=option))
    if option not in known:
        raise ValueError(
            Text("'{option}' is no option of a mount; there are {options}", option=option, options=OPTIONS)
        )
    return known[option]


def _from_fields(text: str) -> dict[str, Any]:
    """Read docker's `--mount type=bind,source=/a,target=/b,readonly`."""
    made: dict[str, Any] = {}
    (fields,) = csv.reader([text])
    for field in fields:
        name, equals, value = field.partition("=")
        key = LONG_KEYS.get(name)
        if key is None or key in made:
            raise ValueError(
                Text(
                    "'{name}' of a mount is unknown, or given twice; there are {long_keys}",
                    name=name,
                    long_keys=", ".join(LONG_KEYS),
                )
            )
        if key in ("read_only", "no_copy"):
            if value not in ("", "true", "1", "false", "0"):
                raise ValueError(Text("'{name}' of a mount is true or false", name=name))
            made[key] = value not in ("false", "0")
        elif equals:
            made[key] = value
        else:
            raise ValueError(Text("'{name}' of a mount has no value", name=name))
    return {"type": made.get("type", "volume"), **made}
