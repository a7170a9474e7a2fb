"""What variants are called: by the keys that vary, as short as they can be told apart."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.profile.schema.keys import split_key


def label(varied: Mapping[str, str | None]) -> str:
    """Return what varied in one phrase, such as `max-num-seqs=64 image=a:1`."""
    names = short_names(tuple(varied))
    return " ".join(f"{names[key]}={'-' if text is None else text}" for key, text in varied.items())


def short_names(keys: tuple[str, ...]) -> dict[str, str]:
    """Return a name for each key: its last part, or the whole key where two would be called the same."""
    last = {key: split_key(key)[-1] for key in keys}
    names = list(last.values())
    return {key: name if names.count(name) == 1 else key for key, name in last.items()}
