"""Plans a capacity search: its objectives, its bounds, and the point that puts each load on the server."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.errors import UsageError
from orchestrator.metrics.objectives import Objective, goodput_bounds, parse_objective
from orchestrator.plan.suits import bench_of, flagged_context
from orchestrator.plan.sweep import points
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.units import format_duration
from orchestrator.workload.arrival import POISSON
from orchestrator.workload.canonical import canonical_json
from orchestrator.workload.point import Point, lengths_vary

CONCURRENCY, RATE = "concurrency", "request-rate"
FEWEST_PROMPTS = 8
USUAL_PROMPTS = 10
"""Requests for each one in flight, where the profile does not say how many: with fewer, ramp-up and tail weigh."""
USUAL_RANGE = 0.5
"""How far lengths vary at a concurrency, where neither the profile nor the command says it.

Requests of one length that start together end together: they stay in step however many there are, prefill stops all of
them at once, and latencies are those of a load in waves.
"""
RATE_STEP_S = 60.0
"""How long requests arrive at each rate, unless told otherwise: a queue needs time to build up."""
HIGHEST = 256
"""The highest load that is tried, unless told otherwise."""


@dataclass(frozen=True)
class SearchPlan:
    """The objectives and the bounds of a search."""

    over: str
    """`concurrency` or `request-rate`."""
    objectives: tuple[Objective, ...]
    lowest: int
    highest: int
    repetitions: int
    """How often both sides of the boundary are measured."""
    resolution: float
    """How close, as a part of the load, the two sides must be in the end; 0 means one step."""
    prompts_per_step: float
    """Requests of a measurement for each step of load; at a request rate, the seconds for which they arrive."""
    range_ratio: float = 0.0
    """How far lengths vary beyond what the profile says; 0 leaves them as they are."""
    in_step: str = ""
    """Why requests have one length and stay in step, where neither the profile nor the command asks for it."""


def plan_search(
    profile: Profile,
    slos: Sequence[str] = (),
    *,
    over: str = CONCURRENCY,
    lowest: int = 1,
    highest: int | None = None,
    repetitions: int = 3,
    resolution: float = 0.0,
    step_s: float | None = None,
    range_ratio: float | None = None,
) -> SearchPlan:
    """Return the plan of a search with a profile.

    Args:
        profile: The resolved profile.
        slos: Objectives such as `p99_ttft_ms<2000`; the profile's unless given.
        over: `concurrency` or `request-rate`.
        lowest: The first load.
        highest: The highest load; `HIGHEST`, or `lowest` if that is more, unless given.
        repetitions: How often both sides of the boundary are measured.
        resolution: How close the two sides must come, as a part of the load; 0 is one step.
        step_s: How long requests arrive at each rate, in seconds; `RATE_STEP_S` unless given.
        range_ratio: How far lengths vary; unless given `USUAL_RANGE` at a concurrency, where lengths can be drawn and
            the profile asks for exact ones; 0 leaves them exact.

    Raises:
        UsageError: When these do not go together.
    """
    bench = bench_of(profile)
    _check_step(step_s, over, bench)
    plan = SearchPlan(
        over=over,
        objectives=_objectives(tuple(slos), profile, over),
        lowest=lowest,
        highest=_highest(lowest, highest),
        repetitions=repetitions,
        resolution=resolution,
        prompts_per_step=prompts_per_step(bench, over, step_s),
        range_ratio=_range_ratio(bench, over, range_ratio),
    )
    if range_ratio and (problem := _too_long(plan, bench, flagged_context(profile))):
        raise UsageError(
            Text("with --range-ratio {range_ratio:g} {problem}", range_ratio=range_ratio, problem=problem),
            "Give a smaller one, raise server.flags.max-model-len, or shorten bench.lengths.",
        )
    return plan


def fitted(
    plan: SearchPlan, bench: Bench, context: int | None, unsupported: Callable[[Point], list[str]]
) -> SearchPlan:
    """Return a plan whose requests the server and the client take: of one length, where they do not take a range.

    Args:
        plan: The plan.
        bench: The sweep.
        context: The tokens of context that the server gives; None if that is not known.
        unsupported: Says what of a point the client cannot do.
    """
    if not plan.range_ratio:
        return plan
    exact = dataclasses.replace(plan, range_ratio=0.0)
    point = point_at(bench, plan, plan.lowest)
    of_range = [line for line in unsupported(point) if line not in unsupported(point_at(bench, exact, plan.lowest))]
    problem = _too_long(plan, bench, context) or "; ".join(of_range)
    return dataclasses.replace(exact, in_step=problem) if problem else plan


def _range_ratio(bench: Bench, over: str, asked: float | None) -> float:
    """Return how far lengths vary beyond what the profile says; raise UsageError where they cannot."""
    drawn = "range_ratio" in type(bench.dataset).model_fields and bench.lengths is not None
    own = drawn and lengths_vary(points(bench)[0].parameters(), "output")
    if asked is not None:
        if own or not drawn:
            raise UsageError(
                "--range-ratio cannot be laid over the lengths of this profile",
                "Leave it out: they vary already, or the dataset decides them.",
            )
        return asked
    return USUAL_RANGE if over == CONCURRENCY and drawn and not own and points(bench)[0].generates else 0.0


def _too_long(plan: SearchPlan, bench: Bench, context: int | None) -> str:
    """Return a phrase if a request of the longest lengths would need more context than the server gives."""
    longest = point_at(bench, plan, plan.lowest).longest
    if context is None or longest <= context:
        return ""
    return f"the longest request would need {longest} tokens of context, the server gives {context}"


def _check_step(step_s: float | None, over: str, bench: Bench) -> None:
    if step_s is not None and over != RATE:
        raise UsageError("--for is how long a rate lasts", Text("Give --over {rate} with it.", rate=RATE))
    if step_s is not None and step_s <= 0:
        raise UsageError("--for must be longer than nothing", "Such as: --for 5m")
    if over == RATE and (lasts_s := prompts_per_step(bench, over, step_s)) >= bench.deadline:
        raise UsageError(
            Text(
                "each rate lasts {lasts_s}, and bench.deadline ends a measurement after {deadline}",
                lasts_s=format_duration(lasts_s),
                deadline=format_duration(bench.deadline),
            ),
            "Give a shorter --for, or more time: --set bench.deadline=…",
        )


def _highest(lowest: int, highest: int | None) -> int:
    if highest is not None and highest < lowest:
        raise UsageError(
            Text("--to {highest} is less than --from {lowest}", highest=highest, lowest=lowest),
            "The search goes up from --from to --to.",
        )
    return max(lowest, HIGHEST) if highest is None else highest


def _objectives(slos: tuple[str, ...], profile: Profile, over: str) -> tuple[Objective, ...]:
    texts = slos or profile.objectives
    if not texts:
        raise UsageError(
            "there is no objective to search for", "Give one: --slo 'p99_ttft_ms<2000'   or objectives: in the profile"
        )
    try:
        objectives = tuple(parse_objective(text) for text in texts)
    except ValueError as error:
        raise UsageError(str(error)) from error
    unreported = [profile.bench.unreported(item.metric) for item in objectives] if profile.bench else []
    if problems := list(dict.fromkeys(filter(None, unreported))):
        raise UsageError("; ".join(problems), "Search for a metric that the client of this sweep reports.")
    if over != RATE and all(objective.from_below for objective in objectives):  # a rate can still be too high
        raise UsageError(
            Text(
                "{objectives} would let the concurrency grow without end", objectives=" and ".join(map(str, objectives))
            ),
            "Give an objective beside it that bounds from above, such as --slo 'p99_ttft_ms<2000'.",
        )
    return objectives


def prompts_per_step(bench: Bench, over: str, step_s: float | None) -> float:
    """Return the number of requests of a measurement for each step of load.

    A rate needs requests for a given time. The profile's own number of requests would be over sooner at a higher rate,
    and no queue could build up.
    """
    if over == RATE:
        return RATE_STEP_S if step_s is None else step_s
    return bench.prompts_per_concurrency or USUAL_PROMPTS


def point_at(bench: Bench, plan: SearchPlan, load: int) -> Point:
    """Return the point that puts so much load on the server, in the shape of the sweep's first point."""
    first = points(bench)[0]
    flags = {**bench.client_flags}
    bounds = goodput_bounds(plan.objectives)
    if bounds and first.generates:
        flags["goodput"] = [f"{latency}:{bound:g}" for latency, bound in bounds.items()]
    groups = bench.dataset.groups
    options = json.loads(first.dataset_options)
    if plan.range_ratio:
        options["range_ratio"] = plan.range_ratio
    return dataclasses.replace(
        first,
        num_prompts=first.prompts_of(math.ceil(max(FEWEST_PROMPTS, plan.prompts_per_step * load) / groups) * groups),
        max_concurrency=load if plan.over == CONCURRENCY else None,
        request_rate="inf" if plan.over == CONCURRENCY else float(load),
        burstiness=POISSON if plan.over == CONCURRENCY else bench.burstiness,
        ramp_up=None,
        client_flags=canonical_json(flags),
        dataset_options=canonical_json(options),
    )
