"""What is said of a measurement: a verdict, reasons against it, notes that are no doubt, and what was not checked."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.metrics.values import Metrics
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.text import Text


class Verdict(str, enum.Enum):
    """How far figures can be trusted."""

    VALID = "VALID"
    SUSPECT = "SUSPECT"
    INVALID = "INVALID"


@dataclass(frozen=True)
class Reason:
    """Why figures cannot be trusted."""

    id: str
    """Such as `too-short`; docs/metrics.md explains each, and what to do."""
    text: str


@dataclass(frozen=True)
class Note:
    """What is to be known of figures, and is no doubt about them."""

    id: str
    text: str


@dataclass(frozen=True)
class Unchecked:
    """What nobody could look at, so that VALID does not cover it."""

    id: str
    text: str


Finding = Reason | Note | Unchecked


@dataclass(frozen=True)
class Assessment:
    """What is to be thought of a measurement."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    thin: tuple[str, ...]
    """Percentiles for which there are too few requests, such as `p99`, or too few gaps, such as `p99_itl`."""
    notes: tuple[Note, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()


@dataclass(frozen=True)
class Seen:
    """One measurement that is done, as rules look at it."""

    record: MeasurementRecord
    metrics: Metrics

    @property
    def closed_load(self) -> int | None:
        """Return how many requests are kept in flight; None where a rate decides."""
        parameters = self.record.parameters
        if parameters["request_rate"] != "inf" or "ramp_up" in parameters:
            return None
        return min(int(parameters["max_concurrency"] or self.metrics.completed), self.metrics.completed)

    @property
    def rate(self) -> float | None:
        """Return the requests per second that were asked for; None where nothing or a ramp paces them."""
        asked = self.record.parameters["request_rate"]
        return None if isinstance(asked, str) else float(asked)

    @property
    def speculates(self) -> bool:
        """Say whether the server is known to draft tokens."""
        served = self.record.served
        if served is None:
            return False
        return bool(served.speculates or served.drafts or served.draft_tokens or served.accepted_tokens)


Findings = Iterator[Finding]


def joined(first: str, second: str) -> Text:
    """Return two sentences as one text."""
    return Text("{first}; {second}", first=first, second=second)
