"""Rules over the repetitions of a point: one that lies far from the others, and others that scatter too much.

Both are told from chance, so that more repetitions never make a sound server suspect: repetitions that scatter by up to
`SCATTER` are doubted in at most 2 % of points, however many there are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from orchestrator.results.validity.chance import chi_square_beyond, normal_beyond, student_beyond
from orchestrator.results.validity.values import Reason, Seen
from orchestrator.text import Text

SCATTER = 0.05
"""Standard deviation over mean by which the throughput of repetitions on a sound server may differ."""
APART = 0.10
"""How far a repetition must lie from the mean of the others before it is named, whatever chance says."""
ALONE = 0.005
"""Part of sound points in which some repetition is named, for each of the two ways of telling it from chance."""
ALL = 0.005
"""Part of sound points whose repetitions are all doubted."""
FEWEST_TO_NAME = 3
"""With two repetitions nobody can say which one is off."""


def over_repetitions(done: Sequence[Seen]) -> dict[int, tuple[Reason, ...]]:
    """Return the reasons against each repetition of a point, by its number."""
    ordered = sorted(done, key=lambda seen: seen.record.repetition)
    generated = all(seen.metrics.output_throughput is not None for seen in ordered)
    name = "output" if generated else "request"
    values = {seen.record.repetition: float(getattr(seen.metrics, f"{name}_throughput")) for seen in ordered}
    reasons: dict[int, tuple[Reason, ...]] = {}
    outlier = _outlier(values)
    if outlier is not None:
        reasons[outlier] = (_named(outlier, values, name),)
    rest = [value for number, value in values.items() if number != outlier]
    if _scatters(rest):
        shared = _spread(rest, name, [seen for seen in ordered if seen.record.repetition != outlier])
        reasons |= {number: (*reasons.get(number, ()), shared) for number in values if number != outlier}
    return reasons


def _outlier(values: dict[int, float]) -> int | None:
    """Return the repetition that lies furthest from the others, if that is more than chance does; None otherwise."""
    if len(values) < FEWEST_TO_NAME:
        return None

    def others(number: int) -> list[float]:
        return [value for other, value in values.items() if other != number]

    def apart(number: int) -> float:
        mean = statistics.fmean(others(number))
        return abs(values[number] / mean - 1.0) if mean else 0.0

    furthest = max(values, key=apart)
    rest = others(furthest)
    widened = math.sqrt(1.0 + 1.0 / len(rest))
    own = statistics.stdev(rest) / statistics.fmean(rest) if statistics.fmean(rest) else math.inf
    part = ALONE / len(values)
    by_rule = normal_beyond(part) * max(SCATTER, own) * widened
    by_others = student_beyond(part, len(rest) - 1) * own * widened
    return furthest if apart(furthest) >= max(APART, min(by_rule, by_others)) else None


def _named(number: int, values: dict[int, float], name: str) -> Reason:
    rest = [value for other, value in values.items() if other != number]
    mean = statistics.fmean(rest)
    apart = values[number] / mean - 1.0
    fields = {"name": name, "apart": abs(apart), "others": len(rest)}
    if number != 1:
        side = "below" if apart < 0 else "above"
        return Reason(
            "outlier",
            Text("its {name} throughput is {apart:.0%} {side} the mean of the {others} others", side=side, **fields),
        )
    if apart < 0:
        return Reason(
            "first-slow", Text("the first repetition is {apart:.0%} slower than the {others} others", **fields)
        )
    return Reason("first-fast", Text("the first repetition is {apart:.0%} faster than the {others} others", **fields))


def _scatters(values: Sequence[float]) -> bool:
    """Say whether values surely scatter by more than `SCATTER`: the lower confidence bound of their deviation does."""
    if len(values) <= 1 or not statistics.fmean(values):
        return False
    freedom = len(values) - 1
    own = statistics.stdev(values) / statistics.fmean(values)
    return own > SCATTER * math.sqrt(chi_square_beyond(ALL, freedom) / freedom)


def _spread(values: Sequence[float], name: str, ordered: Sequence[Seen]) -> Reason:
    text = Text(
        "{name} throughput scatters by {scatter:.0%} over {count} repetitions, from {least:.1f} to {most:.1f}",
        name=name,
        scatter=statistics.stdev(values) / statistics.fmean(values),
        count=len(values),
        least=min(values),
        most=max(values),
    )
    lengths = [
        length
        for seen in ordered
        if seen.record.served is not None and (length := seen.record.served.acceptance_length) is not None
    ]
    if any(seen.speculates for seen in ordered):
        text = Text(
            "{text}; prompts differ between repetitions, and with them what is accepted of the drafts", text=text
        )
    if lengths:
        text = Text(
            "{text} ({least:.2f} to {most:.2f} tokens a step)", text=text, least=min(lengths), most=max(lengths)
        )
    return Reason("spread", text)
