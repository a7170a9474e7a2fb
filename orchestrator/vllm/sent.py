"""What a client sends beside the requests that it counts, and how it paces them; by its command and its version.

Sources: `benchmark` and `get_request` in `vllm/benchmarks/serve.py` of 0.8.5 to 0.33, and the help of `vllm-rs`.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.vllm.client import VLLM, is_rust
from orchestrator.vllm.versions import parse_version

READY_CHECK = "--ready-check-timeout-sec"
WARMUPS = "--num-warmups"
PROBES = "--probe-request-rate"
RESCALES = (0, 10, 0)
"""First version known whose schedule ends exactly after requests / rate seconds, whatever gaps were drawn."""
CACHES_UNASKED = (0, 9, 0)
"""First version whose usual engine keeps a prefix cache unless it is told not to; in 0.8 it depends on the engine."""


def sends_test_request(argv: Sequence[str]) -> bool:
    """Say whether a client first sends its first request once more, as a test."""
    timeout = _value(argv, READY_CHECK)
    if timeout is None:
        return bool(argv) and not is_rust(argv[0])
    return _number(timeout) > 0


def extra_requests(argv: Sequence[str], probes: int | None) -> tuple[int, int] | None:
    """Return the repetitions of its first request that a client sends besides, and its probes of one token.

    Args:
        argv: The client's command.
        probes: The probes that it says it has sent.

    Returns:
        None where it was told to send probes and does not say how many.
    """
    probing = _number(_value(argv, PROBES) or "0") > 0
    if probing and probes is None:
        return None
    return int(sends_test_request(argv)) + int(_number(_value(argv, WARMUPS) or "0")), probes or 0


def rescales(argv: Sequence[str], version: str | None) -> bool | None:
    """Say whether a client's requests are all sent within requests / rate seconds by plan; None if that is unknown."""
    parsed = parse_version(version or "")
    if parsed is None or not argv or argv[0] != VLLM:
        return None
    return parsed >= RESCALES


def caches_unasked(version: str | None) -> bool:
    """Say whether the server of a version is known to keep a prefix cache without being told to."""
    parsed = parse_version(version or "")
    return parsed is not None and parsed >= CACHES_UNASKED


def _value(argv: Sequence[str], flag: str) -> str | None:
    """Return the last value of a flag in a command, where it may be written in one word or with underscores."""
    found = None
    for index, word in enumerate(argv):
        name, equals, value = word.replace("_", "-", word.partition("=")[0].count("_")).partition("=")
        if name == flag:
            found = value if equals else (argv[index + 1] if index + 1 < len(argv) else None)
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
