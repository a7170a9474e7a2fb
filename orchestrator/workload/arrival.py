"""How the requests of a point arrive: with some burstiness at a rate, or at a rate that rises."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from orchestrator.text import Text

POISSON = 1.0
"""The burstiness of arrivals that do not depend on each other."""


class RampUp(BaseModel):
    """A request rate that rises over a point, request by request."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, serialize_by_alias=True)

    strategy: Literal["linear", "exponential"]
    """Whether each request adds as much to the rate, or multiplies it by as much."""
    start: Annotated[int, Field(alias="from", ge=1, le=10**9, strict=True)]
    """Requests per second of the first request."""
    end: Annotated[int, Field(alias="to", ge=1, le=10**9, strict=True)]
    """Requests per second of the last request; more than `from`."""

    @field_validator("end")
    @classmethod
    def _rises(cls, end: int, info: ValidationInfo) -> int:
        start = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError(Text("the rate must rise, and {end} is not more than {start}", end=end, start=start))
        return end

    def __str__(self) -> str:
        """Return it as people say it, such as `1 to 10 req/s, linear`."""
        return f"{self.start} to {self.end} req/s, {self.strategy}"
