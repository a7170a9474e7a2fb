"""Objectives such as `p99_ttft_ms<2000`: what a measurement must keep to, and whether it does."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.metrics.catalogue import CATALOGUE, FIGURES, FURTHER, LATENCIES, WHOLE, Metric, find
from orchestrator.metrics.values import STATISTICS, Metrics
from orchestrator.text import Text

METRICS = tuple(metric.name for metric in CATALOGUE.values() if metric.better)
"""What an objective can be about, as the wide table names it; and each further percentile."""
THROUGHPUTS = tuple(metric for metric in FIGURES if metric.better)
_NAME = rf"(?:{'|'.join(METRICS)}|{FURTHER})"
METRIC_PATTERN = rf"^{_NAME}$"
"""The name of a metric."""
_FORM = re.compile(r"\s*([\w.]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*")
OBJECTIVE_PATTERN = rf"^\s*{_NAME}\s*(?:<=|>=|<|>)\s*\d+(?:\.\d+)?\s*$"
"""The text of an objective."""
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
THIN_MARK = "~"
"""Stands before a percentile of too few requests to be relied on, wherever people are shown one."""


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
        return value is not None and keeps(self, value)


def keeps(objective: Objective, value: float) -> bool:
    """Say whether a value of its metric keeps to an objective's bound."""
    return bool(_COMPARE[objective.relation](value, objective.bound))


def parse_objective(text: str) -> Objective:
    """Return the objective that a text means; raise ValueError with the forms there are."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            Text(
                "'{text}' is not an objective; write METRIC<NUMBER or METRIC>NUMBER, such as p99_ttft_ms<2000",
                text=text,
            )
        )
    return Objective(bounded(match[1]).name, match[2], float(match[3]))


def bounded(name: str) -> Metric:
    """Return the metric of a name that an objective can be about; raise ValueError with those there are for another."""
    metric = find(name)
    if metric is None or metric.better is None:
        raise ValueError(
            Text(
                "'{name}' is not a metric; there are {names}, and latencies such as p99_ttft_ms, made of "
                "{statistics} and {latencies}",
                name=name,
                names=_names(THROUGHPUTS),
                statistics=", ".join(STATISTICS),
                latencies=", ".join(LATENCIES),
            )
        )
    return metric


def _names(metrics: Iterable[Metric]) -> str:
    return ", ".join(metric.name for metric in metrics)


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
    metric = bounded(name)
    if metric.of_tokens and not generates:
        return (
            f"'{name}' does not exist where requests generate no tokens; there are "
            f"{_names(each for each in THROUGHPUTS if not each.of_tokens)}, and latencies such as p99_{WHOLE[0]}_ms"
        )
    if metric.percentile is not None and not metric.always and metric.percentile not in percentiles:
        return f"'{name}' is reported only if bench.percentiles asks for {metric.statistic[1:]}"
    return None


def metric_value(name: str, metrics: Metrics) -> float | None:
    """Return the value of a metric, or None if the client did not report it, or if only another version knows it."""
    metric = find(name)
    return None if metric is None else metric.value(metrics)


def is_thin(name: str, thin: Collection[str]) -> bool:
    """Say whether a metric is one of the percentiles that too few values stand behind.

    Args:
        name: The metric.
        thin: Percentiles of requests, such as `p99`, and of gaps between chunks, such as `p99_itl`.
    """
    if not thin:
        return False
    metric = find(name)
    if metric is None:
        return False
    return (f"{metric.statistic}_itl" if metric.latency == "itl" else metric.statistic) in thin


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
        metric = bounded(objective.metric)
        kind = LATENCIES.get(metric.latency)
        if kind and kind.bounds_goodput and not objective.from_below and metric.statistic != "std":
            bounds = of_means if metric.statistic == "mean" else of_percentiles
            bounds[metric.latency] = min(objective.bound, bounds.get(metric.latency, objective.bound))
    return {**of_means, **of_percentiles}


def _shown(objective: Objective, metrics: Metrics, thin: Collection[str]) -> str:
    value = objective.value(metrics)
    return "not reported" if value is None else marked(objective.metric, f"{value:.4g}", thin)
