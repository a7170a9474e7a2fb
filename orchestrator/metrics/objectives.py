"""Objectives such as `p99_ttft_ms<2000`: what a measurement must keep to, and whether it does."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.metrics.values import LATENCIES, STATISTICS, WHOLE, Metrics

THROUGHPUTS = ("request_throughput", "output_throughput", "total_token_throughput", "request_goodput")
METRICS = (*THROUGHPUTS, *(f"{statistic}_{latency}_ms" for latency in LATENCIES for statistic in STATISTICS))
"""What an objective can be about, as the wide table names it."""
_FURTHER = re.compile(rf"(p\d{{1,2}}(?:\.\d+)?)_({'|'.join(LATENCIES)})_ms")
"""A percentile that the client reports if it is asked to."""
METRIC_PATTERN = rf"^(?:{'|'.join(METRICS)}|{_FURTHER.pattern})$"
"""The name of a metric."""
_OF_TOKENS = ("output_throughput", "request_goodput")
"""Throughputs that there are only of requests that generate tokens."""
_FORM = re.compile(r"\s*([\w.]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*")
OBJECTIVE_PATTERN = rf"^\s*(?:{'|'.join(METRICS)}|{_FURTHER.pattern})\s*(?:<=|>=|<|>)\s*\d+(?:\.\d+)?\s*$"
"""The text of an objective."""
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
THIN_MARK = "~"
"""Stands before a percentile of too few requests to be relied on, wherever people are shown one."""
GOODPUT_LATENCIES = ("ttft", "tpot", "e2el")
"""Latencies for which vLLM's client counts the requests that keep to a bound."""


@dataclass(frozen=True)
class Objective:
    """One bound on one metric."""

    metric: str
    relation: str
    bound: float

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.bound:g}"

    @property
    def from_below(self) -> bool:
        """Say whether it bounds a metric from below, as no load can be too high for a throughput."""
        return self.relation.startswith(">")

    def value(self, metrics: Metrics) -> float | None:
        """Return the metric's value, or None if the client did not report it."""
        return metric_value(self.metric, metrics)

    def met(self, metrics: Metrics) -> bool:
        """Say whether a measurement keeps to the bound; one that does not report the metric does not."""
        value = self.value(metrics)
        return value is not None and bool(_COMPARE[self.relation](value, self.bound))


def parse_objective(text: str) -> Objective:
    """Return the objective that a text means; raise ValueError with the forms there are."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"'{text}' is not an objective; write METRIC<NUMBER or METRIC>NUMBER, such as p99_ttft_ms<2000"
        )
    return Objective(check_metric(match[1]), match[2], float(match[3]))


def check_metric(name: str) -> str:
    """Return the name of a metric; raise ValueError with those there are for another one."""
    if not is_metric(name):
        raise ValueError(
            f"'{name}' is not a metric; there are {', '.join(THROUGHPUTS)}, and latencies such as p99_ttft_ms, "
            f"made of {', '.join(STATISTICS)} and {', '.join(LATENCIES)}"
        )
    return name


def is_metric(name: str) -> bool:
    """Say whether a metric has this name."""
    return name in METRICS or _FURTHER.fullmatch(name) is not None


def known_objectives(texts: Iterable[str]) -> tuple[list[Objective], list[str]]:
    """Return the objectives on record, and the texts among them that are none for this version."""
    known, others = [], []
    for text in texts:
        try:
            known.append(parse_objective(text))
        except ValueError:
            others.append(text)
    return known, others


def unreported(name: str, percentiles: Collection[float], *, generates: bool) -> str | None:
    """Return why a sweep's client does not report a metric, and what to do; None if it does.

    Args:
        name: The metric.
        percentiles: Those that the client is asked for beside the usual ones.
        generates: Requests generate tokens.
    """
    statistic, latency, _ = name.split("_") if name.endswith("_ms") else ("", "", "")
    if not generates and (name in _OF_TOKENS or (latency and latency not in WHOLE)):
        return (
            f"'{name}' does not exist where requests generate no tokens; there are request_throughput, "
            f"total_token_throughput, and latencies such as p99_{WHOLE[0]}_ms"
        )
    if statistic and statistic not in STATISTICS and float(statistic[1:]) not in percentiles:
        return f"'{name}' is reported only if bench.percentiles asks for {statistic[1:]}"
    return None


def metric_value(name: str, metrics: Metrics) -> float | None:
    """Return the value of a metric, or None if the client did not report it."""
    if name in THROUGHPUTS:
        found = getattr(metrics, name)
    elif not is_metric(name):  # one that a record of another version names
        found = None
    else:
        statistic, latency, _ = name.split("_")
        found = getattr(metrics, f"{latency}_ms").value(statistic)
    return None if found is None else float(found)


def is_thin(name: str, thin: Collection[str]) -> bool:
    """Say whether a metric is one of the percentiles, such as `p99`, that too few requests stand behind."""
    return name.partition("_")[0] in thin


def marked(name: str, figure: str, thin: Collection[str]) -> str:
    """Return a metric's figure as people are shown it, with a mark if it is a percentile of too few requests."""
    return f"{THIN_MARK}{figure}" if is_thin(name, thin) else figure


def missed(objectives: Sequence[Objective], metrics: Metrics, thin: Collection[str]) -> list[str]:
    """Return a phrase for each objective that a measurement does not keep to.

    Args:
        objectives: What it must keep to.
        metrics: What was measured.
        thin: The percentiles that too few requests stand behind.
    """
    return [
        f"{objective} is missed: {_shown(objective, metrics, thin)}"
        for objective in objectives
        if not objective.met(metrics)
    ]


def goodput_bounds(objectives: Sequence[Objective]) -> dict[str, float]:
    """Return the bounds in milliseconds by which the client can count the requests that keep to them by themselves.

    An objective on a percentile bounds single requests: the tightest of a latency counts. One on a mean does not, but
    says best what a good request is where no percentile of that latency is bounded. One on a standard deviation says
    nothing about how long a request may take.
    """
    of_percentiles: dict[str, float] = {}
    of_means: dict[str, float] = {}
    for objective in objectives:
        if objective.metric in THROUGHPUTS or objective.from_below:
            continue
        statistic, latency, _ = objective.metric.split("_")
        if latency in GOODPUT_LATENCIES and statistic != "std":
            bounds = of_means if statistic == "mean" else of_percentiles
            bounds[latency] = min(objective.bound, bounds.get(latency, objective.bound))
    return {**of_means, **of_percentiles}


def _shown(objective: Objective, metrics: Metrics, thin: Collection[str]) -> str:
    value = objective.value(metrics)
    return "not reported" if value is None else marked(objective.metric, f"{value:.4g}", thin)
