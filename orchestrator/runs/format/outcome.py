"""What came of a measurement: measured, failed with its causes, or interrupted; nothing yet while it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.causes import Cause
from orchestrator.metrics.values import Metrics


class _Outcome(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Measured(_Outcome):
    """It is complete: its figures count, as far as the verdict on them goes."""

    came: Literal["measured"] = "measured"
    metrics: Metrics
    """Derived from result.json beside it."""


class Failed(_Outcome):
    """It does not count."""

    came: Literal["failed"] = "failed"
    causes: tuple[Cause, ...]
    """Why, the first first."""
    metrics: Metrics | None = None
    """What the client reported all the same; null where no client came to an end."""


class Interrupted(_Outcome):
    """It was cut short by something outside of it."""

    came: Literal["interrupted"] = "interrupted"
    cause: Cause


Outcome = Annotated[Measured | Failed | Interrupted, Field(discriminator="came")]
