"""What goes wrong, and when: every `STUB_*` variable, read once into one frozen value.

A variable that is not in this table, or that does not parse, is an error (exit code 99): a test whose
fault is misspelt must not pass for lack of a fault. "Request" means a completion or chat completion,
counted from 1 in order of arrival, whoever sent it (probes and warm-ups count too).

| variable | default | what it does |
|---|---|---|
| STUB_VLLM_VERSION | VERSION file | emulated version: 0.8.x, or 0.30 and newer |
| STUB_ENGINE | v1 | `v0`: the V0 engine's log lines and metric names (0.8.x only) |
| STUB_STARTUP_S | 0 | seconds from start to ready, spread over the phases |
| STUB_PHASE_HANG | | hang forever in this phase |
| STUB_EXIT_CODE | 1 | exit code of the two exits below; needs one of them |
| STUB_EXIT_AFTER_S | | exit this long after the start, be it before or after ready |
| STUB_EXIT_PHASE | | exit in this phase |
| STUB_LOG_TEXT | | text printed verbatim on stderr, before an exit or death |
| STUB_LOG_FILE | | the same, the text read from a file |
| STUB_LOG_PHASE | | print that text in this phase instead |
| STUB_LOG_FLOOD_LINES_PER_S | 0 | log lines per second, from start to end |
| STUB_EAT_MEMORY_MB | 0 | touch this much memory and keep it |
| STUB_EAT_MEMORY_PHASE | load | the phase in which that happens |
| STUB_SPAWN_CHILD | 0 | `1`: leave a process in its own session, deaf to TERM, HUP and INT |
| STUB_IGNORE_SIGTERM | 0 | `1`: the server ignores SIGTERM |
| STUB_STRICT_FLAGS | 0 | `1`: `vllm serve` refuses flags that the emulated version does not have |
| STUB_MODEL_ID | | the server has another model id than it was asked to have |
| STUB_TOKENIZER | | the tokenizer.json by which prompts are counted; without, each word is a token |
| STUB_TTFT_MS | 10 | time to first token of an unloaded server |
| STUB_TPOT_MS | 2 | time per further token of an unloaded server |
| STUB_JITTER | 0 | relative standard deviation of a request's TTFT and TPOT |
| STUB_SEED | 0 | seed of jitter and of STUB_FAIL_RATE |
| STUB_DRIFT | 0 | each request is slower than the one before, by this share of an unloaded one |
| STUB_COLD_REQUESTS | 0 | the first n requests are five times as slow |
| STUB_CAPACITY | | requests running in parallel before latency grows |
| STUB_CURVE | linear | beyond capacity throughput stays (`linear`), sinks (`knee`), collapses (`cliff`) |
| STUB_FAIL_RATE | 0 | share of requests answered with HTTP 500 |
| STUB_FAIL_EVERY | | every n-th request is answered with HTTP 500 |
| STUB_STREAM_ERROR_EVERY | | every n-th request gets an error chunk after half of its tokens, HTTP 200 |
| STUB_CUT_EVERY | | every n-th request loses its connection after half of its tokens |
| STUB_SHORT_OUTPUT | | outputs end after n tokens with finish_reason "stop" |
| STUB_BUFFER_STREAM | 0 | `1`: a stream arrives in one piece at its end |
| STUB_SEND_DELAY_MS | 0 | the first chunk is sent this late; /metrics does not count it |
| STUB_COMMENTS_PER_TOKEN | 0 | comments that come before each token in its stream, for the client to read past |
| STUB_HANG_AFTER_REQUESTS | | after n answered requests, connections are accepted and never answered |
| STUB_HANG_SCOPE | all | `completions`: /health, /metrics and the rest still answer |
| STUB_MUTE_AFTER_REQUESTS | | after n answered requests, /metrics answers with HTTP 500 |
| STUB_DIE_AFTER_REQUESTS | | after n answered requests, die in the way of STUB_DEATH |
| STUB_DEATH | exit0 | `exit0`, `kill` (SIGKILL), `health503` (/health fails, then refused, then exit 0) |
| STUB_CLIENT_HANG | 0 | `1`: `vllm bench serve` hangs instead of measuring |
| STUB_CLIENT_EXIT_CODE | | the client exits with this code |
| STUB_CLIENT_EXIT_WHEN | before | `before` it measures, or `after` the result is written |
| STUB_CLIENT_STARTUP_S | 0 | the client takes this long to start |
| STUB_CLIENT_BAD_JSON | 0 | `1`: the client writes half of its result |

Phases: platform, api, engine, load, weights, compile, memory, graphs, init, http, ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "STUB_"
PHASES = (
    "platform", "api", "engine", "load", "weights", "compile", "memory", "graphs", "init", "http", "ready",
)  # fmt: skip
Number = TypeVar("Number", int, float)


class FaultError(Exception):
    """A `STUB_*` variable that is unknown, does not parse, or could have no effect."""


@dataclass(frozen=True)
class Faults:
    """One field per `STUB_*` variable; the meanings are in the table of this module."""

    vllm_version: str = ""
    engine: str = "v1"
    startup_s: float = 0.0
    phase_hang: str | None = None
    exit_code: int | None = None
    exit_after_s: float | None = None
    exit_phase: str | None = None
    log_text: str | None = None
    log_file: str | None = None
    log_phase: str | None = None
    log_flood_lines_per_s: int = 0
    eat_memory_mb: int = 0
    eat_memory_phase: str = "load"
    spawn_child: bool = False
    ignore_sigterm: bool = False
    strict_flags: bool = False
    model_id: str | None = None
    tokenizer: str | None = None
    ttft_ms: float = 10.0
    tpot_ms: float = 2.0
    jitter: float = 0.0
    seed: int = 0
    drift: float = 0.0
    cold_requests: int = 0
    capacity: int | None = None
    curve: str = "linear"
    fail_rate: float = 0.0
    fail_every: int | None = None
    stream_error_every: int | None = None
    cut_every: int | None = None
    short_output: int | None = None
    buffer_stream: bool = False
    send_delay_ms: float = 0.0
    comments_per_token: int = 0
    hang_after_requests: int | None = None
    hang_scope: str = "all"
    mute_after_requests: int | None = None
    die_after_requests: int | None = None
    death: str = "exit0"
    client_hang: bool = False
    client_exit_code: int | None = None
    client_exit_when: str = "before"
    client_startup_s: float = 0.0
    client_bad_json: bool = False


def _between(kind: Callable[[str], Number], low: Number, high: Number | None = None) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        value = kind(text)
        if not (low <= value and (high is None or value <= high)):
            raise ValueError(f"not in [{low}, {'∞' if high is None else high}]")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"not one of {', '.join(choices)}")
        return text

    return parse


def _flag(text: str) -> bool:
    return _one_of("0", "1")(text) == "1"


_SECONDS, _COUNT, _EVERY = _between(float, 0.0), _between(int, 0), _between(int, 1)
_CODE, _SHARE, _PHASE = _between(int, 0, 255), _between(float, 0.0, 1.0), _one_of(*PHASES)
_PARSERS: dict[str, Callable[[str], Any]] = {
    "vllm_version": str, "engine": _one_of("v0", "v1"), "startup_s": _SECONDS, "phase_hang": _PHASE,
    "exit_code": _CODE, "exit_after_s": _SECONDS, "exit_phase": _PHASE, "log_text": str, "log_file": str,
    "log_phase": _PHASE, "log_flood_lines_per_s": _COUNT, "eat_memory_mb": _COUNT, "eat_memory_phase": _PHASE,
    "spawn_child": _flag, "ignore_sigterm": _flag, "strict_flags": _flag, "model_id": str,
    "tokenizer": str, "ttft_ms": _SECONDS, "tpot_ms": _SECONDS, "jitter": _SHARE, "seed": int, "drift": _SHARE,
    "cold_requests": _COUNT, "capacity": _EVERY, "curve": _one_of("linear", "knee", "cliff"), "fail_rate": _SHARE,
    "fail_every": _EVERY, "stream_error_every": _EVERY, "cut_every": _EVERY, "short_output": _EVERY,
    "buffer_stream": _flag, "send_delay_ms": _SECONDS, "comments_per_token": _COUNT,
    "hang_after_requests": _COUNT, "hang_scope": _one_of("all", "completions"), "mute_after_requests": _COUNT,
    "die_after_requests": _COUNT,
    "death": _one_of("exit0", "kill", "health503"), "client_hang": _flag, "client_exit_code": _CODE,
    "client_exit_when": _one_of("before", "after"), "client_startup_s": _SECONDS, "client_bad_json": _flag,
}  # fmt: skip

# A variable that says how is idle without one that says that: (how, one of these must be set too).
_NEEDS = (
    ("exit_code", ("exit_after_s", "exit_phase")),
    ("log_phase", ("log_text", "log_file")),
    ("log_text", ("log_phase", "exit_after_s", "exit_phase", "die_after_requests")),
    ("log_file", ("log_phase", "exit_after_s", "exit_phase", "die_after_requests")),
    ("eat_memory_phase", ("eat_memory_mb",)),
    ("curve", ("capacity",)),
    ("hang_scope", ("hang_after_requests",)),
    ("death", ("die_after_requests",)),
    ("client_exit_when", ("client_exit_code",)),
)


def read_faults(environ: Mapping[str, str]) -> Faults:
    """The faults that the `STUB_*` variables of `environ` ask for.

    Raises:
        FaultError: a variable is unknown, does not parse, or has no effect without another one.
    """
    values: dict[str, Any] = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        field = variable[len(PREFIX) :].lower()
        if field not in _PARSERS or variable != PREFIX + field.upper():
            raise FaultError(f"unknown variable {variable}")
        try:
            values[field] = _PARSERS[field](environ[variable])
        except ValueError as error:
            raise FaultError(f"{variable}={environ[variable]}: {error}") from error
    for how, needed in _NEEDS:
        if how in values and not any(name in values for name in needed):
            others = " or ".join(PREFIX + name.upper() for name in needed)
            raise FaultError(f"{PREFIX}{how.upper()} does nothing without {others}")
    if "log_file" in values:
        if "log_text" in values:
            raise FaultError("STUB_LOG_TEXT and STUB_LOG_FILE exclude each other")
        try:
            values["log_text"] = Path(values["log_file"]).read_text(encoding="utf-8")
        except OSError as error:
            raise FaultError(f"STUB_LOG_FILE: {error}") from error
    return Faults(**values)
