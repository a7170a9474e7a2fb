"""Ways out of a value that its key does not take: of another shape, one that elsewhere means no limit, or none."""

from __future__ import annotations

from orchestrator.profile.checking.ways.way import WayOut
from orchestrator.profile.schema.keys import ENVS, FLAGS
from orchestrator.profile.text.tree import Keys
from orchestrator.units import LONGEST_S

SHAPES: dict[Keys, WayOut] = {
    **dict.fromkeys(ENVS, WayOut(how="write NAME: value, not a list of NAME=value")),
    **dict.fromkeys(FLAGS, WayOut(how="write each flag as a key, such as max-model-len: 4096")),
    ("server", "command"): WayOut(
        how="write each word by itself, such as [python3, -m, vllm.entrypoints.openai.api_server]"
    ),
    ("bench", "dataset"): WayOut(how="write its name as a key, such as {name: sharegpt}"),
    ("bench", "dataset", "range_ratio"): WayOut(
        how="one for each is a mapping, {input: 0.2, output: 0.5}, without quotes"
    ),
    ("bench", "lengths"): WayOut(how="write pairs of input and output, such as [[512, 512]]"),
    ("bench", "concurrency"): WayOut(how="leave it out for no limit"),
    ("bench", "percentiles"): WayOut(how="write several as a list, such as [99.9, 99.99]"),
}
"""How a key is written whose value is not of its shape."""

_LEFT_OUT = WayOut(how="leave it out for no limit")
_MINUS_ONE = WayOut(how="-1 is no limit")
_ALWAYS = WayOut(how=f"there is always a limit, of {LONGEST_S / 86400:g}d at most")
LIMITS: dict[Keys, WayOut] = {
    **dict.fromkeys((("container", name) for name in ("ulimits", "memory_swap", "pids_limit")), _MINUS_ONE),
    **dict.fromkeys((("container", name) for name in ("memory", "memory_reservation", "cpus")), _LEFT_OUT),
    **dict.fromkeys((("bench", "deadline"), ("bench", "stall"), ("health", "deadline")), _ALWAYS),
    ("container", "shm_size"): WayOut(how="leave it out for docker's own, 64m"),
    ("container", "cpu_shares"): WayOut(how="leave it out for docker's own, 1024"),
    ("container", "memory_swappiness"): WayOut(how="leave it out for the node's own"),
    ("container", "gpus"): WayOut(how="leave it out for none"),
    ("bench", "concurrency"): _LEFT_OUT,
    ("bench", "request_rate"): WayOut(how="inf sends everything at once"),
    ("bench", "warmup"): WayOut(how="0 is none"),
    ("bench", "dataset", "output_len"): WayOut(how="leave it out for the dataset's own"),
}
"""How a key says what a number such as -1, or a word such as `unlimited`, says elsewhere."""
NO_LIMIT = frozenset(
    ("unlimited", "infinity", "infinite", "inf", ".inf", "max", "none", "no", "off", "never", "forever", "-1", "0")
)
"""Words and numbers that elsewhere mean no limit, or nothing."""

EMPTY: dict[Keys, WayOut] = {
    ("container", "sysctls"): WayOut(how="leave it out, an empty one changes nothing"),
    ("container", "log_options"): WayOut(how="leave it out for the driver's own"),
}
"""What to write in place of an empty text in a mapping."""

_QUOTE = "in a one-line mapping put text that holds a comma in quotes"
NOTHING: dict[Keys, WayOut] = {
    **dict.fromkeys(
        ENVS, WayOut(how=f'{_QUOTE}; an empty variable is written "", one that is passed on {{inherit: true}}')
    ),
    **dict.fromkeys(FLAGS, WayOut(how=f"{_QUOTE}; a flag without a value is written true")),
    ("container", "labels"): WayOut(how=f'{_QUOTE}; an empty label is written ""'),
}
"""What to write in a mapping in place of a key without a value."""
LEAVE_OUT = WayOut(how=f"{_QUOTE}; or leave the key out")


def of_shape(keys: Keys, _: object) -> WayOut | None:
    """Return how a key is written whose value is not of its shape."""
    return SHAPES.get(keys)


def of_limit(keys: Keys, given: object) -> WayOut | None:
    """Return how a key says what a value says elsewhere; None for a value that says no such thing."""
    path = tuple(key for key in keys if isinstance(key, str))
    found = next((LIMITS[path[:depth]] for depth in range(len(path), 1, -1) if path[:depth] in LIMITS), None)
    said = given is False or (isinstance(given, int | float | str) and _word(given) in NO_LIMIT)
    return found if said else None


def of_empty(keys: Keys, given: object) -> WayOut | None:
    """Return what to write in place of an empty text."""
    return EMPTY.get(keys[:-1]) if given == "" else None


def of_nothing(keys: Keys, _: object) -> WayOut:
    """Return what to write in place of a key without a value."""
    return NOTHING.get(keys[:-1], LEAVE_OUT)


def _word(given: float | str) -> str:
    """Return a number, or a word, as a word of `NO_LIMIT`."""
    return f"{given:g}" if isinstance(given, float) else str(given).strip().lower()
