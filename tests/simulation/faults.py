"""How each kind of fault is made on a simulated server: trials, and the points that they measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from simulation.server import Foreign, Setup, Trouble, setup

from orchestrator.workload.arrival import RampUp
from orchestrator.workload.point import Point


@dataclass(frozen=True)
class Trial:
    """What is simulated."""

    setup: Setup
    point: Point
    trouble: Callable[[int], Trouble] = lambda _: Trouble()
    """What disturbs a repetition, counted from 1."""
    repetitions: int = 1
    scatter: float = 0.01


NEW, OLD_V0, OLD_V1 = setup("0.32.0"), setup("0.8.5", "v0"), setup("0.8.5", "v1")
FAST: dict[str, Any] = {"step_s": 0.008, "sequence_s": 0.0001, "prefill_tokens_per_s": 60_000.0}
"""A small model, for rates of requests that a client must keep up with."""
SLOW: dict[str, Any] = {"step_s": 0.12, "sequence_s": 0.015, "context_s": 1e-6, "prefill_tokens_per_s": 800.0}
"""A small model on processors."""
SPEEDS: dict[str, dict[str, Any]] = {"large model": {}, "small model": FAST, "on processors": SLOW}


def point(**parameters: Any) -> Point:
    """Return a point of 32 requests at once and 96 in all, unless told otherwise."""
    options = json.dumps(parameters.pop("options", {}), separators=(",", ":"))
    usual: dict[str, Any] = {
        "dataset": "random",
        "dataset_path": None,
        "input_len": 256,
        "output_len": 128,
        "num_prompts": 96,
        "max_concurrency": 32,
        "request_rate": "inf",
        "dataset_options": options,
    }
    return Point(**{**usual, **parameters})


def batch(size: int, length: int = 256) -> Point:
    """Return a point of the guide: so many prompts at once, and no others."""
    return point(input_len=length, output_len=length, num_prompts=size, max_concurrency=None)


def at_rate(rate: float, **parameters: Any) -> Point:
    """Return a point of requests at a rate, without a limit on those in flight."""
    return point(request_rate=rate, **{"max_concurrency": None, **parameters})


def capacity(server: Setup, measured: Point) -> float:
    """Return about how many requests of a point a server can end in a second, at no more than 32 at once."""
    one, step = server.server, server.server.step_s + 32 * server.server.sequence_s
    return 32.0 / (32 * (measured.input_len or 0) / one.prefill_tokens_per_s + (measured.output_len or 0) * step)


def paced(server: Setup, part: float, **parameters: Any) -> Point:
    """Return a point at a rate that is a part of what the server can do."""
    measured = at_rate(1.0, num_prompts=128, **parameters)
    return replace(measured, request_rate=part * capacity(server, measured))


def ramped(server: Setup, prompt: int, answer: int) -> Point:
    """Return a point at a rising rate, in whole requests per second, that the server keeps up with."""
    most = int(0.6 * capacity(server, point(input_len=prompt, output_len=answer)))
    ramp = RampUp.model_validate({"strategy": "linear", "from": max(round(most / 6), 1), "to": most})
    return point(input_len=prompt, output_len=answer, ramp_up=ramp, max_concurrency=None, num_prompts=128)


WORKLOADS: dict[str, Callable[[Setup], Point]] = {
    "32 at once, 96 in all": lambda _: point(),
    "8 at once, 80 in all": lambda _: point(max_concurrency=8, num_prompts=80),
    "16 at once, 160 in all, `range_ratio` 0.5": lambda _: point(
        max_concurrency=16, num_prompts=160, options={"range_ratio": 0.5}
    ),
    "1 at once, 12 in all": lambda _: point(max_concurrency=1, num_prompts=12),
    "16 at once, 2048/64": lambda _: point(input_len=2048, output_len=64, max_concurrency=16, num_prompts=64),
    "16 at once, 64/512": lambda _: point(input_len=64, output_len=512, max_concurrency=16, num_prompts=48),
    "`prefix_len` 128": lambda _: point(max_concurrency=16, num_prompts=64, options={"prefix_len": 128}),
    "Poisson rate, 50 % of capacity": lambda server: paced(server, 0.5),
    "Poisson rate, 80 % of capacity": lambda server: paced(server, 0.8),
    "burstiness 0.3, 50 % of capacity": lambda server: paced(server, 0.5, burstiness=0.3),
    "rate of 50 % of capacity, limit of 64": lambda server: paced(server, 0.5, max_concurrency=64),
    "ramp to 60 % of capacity, 32/8": lambda server: ramped(server, 32, 8),
}
"""What a server without faults is asked besides the guide's points."""


def disturbed(measured: Point, server: Setup = NEW, **trouble: Any) -> Trial:
    """Return one measurement with trouble."""
    return Trial(server, measured, lambda _: Trouble(**trouble))


def one_of(repetitions: int, odd: int, factor: float) -> Trial:
    """Return repetitions of which one has steps that are longer by a factor."""
    return Trial(NEW, point(), lambda number: Trouble(factor=factor if number == odd else 1.0), repetitions)


def foreign(size: int, count: float, server: Setup = NEW, *, endless: bool = False) -> Trial:
    """Return requests of somebody else beside a batch: those that end do so in time, half a one begins halfway."""
    prompt, output = (32, 10**6) if endless else (256, 192)
    others = Foreign(max(round(count), 1), prompt, output, 0.05 if count >= 1.0 else 0.5, endless)
    return disturbed(batch(size), server, foreign=(others,))


def queued_at_client(strength: float) -> Trial:
    """Return a rate beside a limit that lets less through: requests wait before they are sent."""
    measured = at_rate(1.0, max_concurrency=8, num_prompts=64)
    through = 8.0 / (measured.output_len or 0) / (NEW.server.step_s + 8 * NEW.server.sequence_s)
    return Trial(NEW, replace(measured, request_rate=through * (1.0 + strength)))


def sent_late(strength: float, prompts: int = 200) -> Trial:
    """Return a rate at which the client cannot write requests."""
    measured = at_rate(40.0, input_len=64, output_len=32, num_prompts=prompts)
    return disturbed(measured, setup("0.32.0", **FAST), send_s=(1.0 + 0.25 * strength) / 40.0)


def late_tail(strength: float) -> Trial:
    """Return requests at a rate of which few are late before the engine has them."""
    easy = easy_rate(NEW, 192)
    return disturbed(easy.point, api_s=strength, api_part=0.05)


def overloaded(strength: float) -> Trial:
    """Return a rate that the server cannot keep up with."""
    measured = at_rate(1.0, num_prompts=256)
    server = setup("0.32.0", max_num_seqs=32)
    return Trial(server, replace(measured, request_rate=capacity(server, measured) * (1.0 + 0.5 * strength)))


def easy_rate(server: Setup, prompts: int = 96) -> Trial:
    """Return a rate that the server keeps up with easily."""
    measured = at_rate(1.0, num_prompts=prompts)
    return Trial(server, replace(measured, request_rate=0.6 * capacity(server, measured)))


def easy_ramp() -> Trial:
    """Return a rising rate that the server keeps up with, though its steps become longer as the batch grows."""
    server = setup("0.32.0", **{**FAST, "sequence_s": 0.0006})
    return Trial(server, ramped(server, 256, 128))


def small_cache(part: float) -> Trial:
    """Return a server whose KV cache holds a part of what all requests at once need."""
    return Trial(setup("0.32.0", kv_tokens=round(32 * 384 * part)), point())


def busy_client(strength: float) -> Trial:
    """Return a client that needs longer for the chunks of a step than the server for the step."""
    server = setup("0.32.0", **FAST)
    each = (server.server.step_s + 32 * server.server.sequence_s) / 32
    return disturbed(point(num_prompts=192), server, chunk_s=each * (1.0 + 0.2 * strength))


RANGE = {"range_ratio": 0.2}
PREFIX = {"prefix_len": 128}
SPECULATING = setup("0.32.0", draft_tokens=3)
