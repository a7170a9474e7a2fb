"""When the requests of a point arrive: at a rate, with some burstiness, or at a rate that rises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator

from orchestrator.profile.values import Count, Section

if TYPE_CHECKING:
    from pydantic import ValidationInfo


def as_list(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    """Return a single value as a list of it."""
    return [value] if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _rate(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if value in ("inf", ".inf", float("inf")):
        return "inf"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be requests per second, or inf to send everything at once")  # noqa: TRY004 - pydantic expects it
    return value


def _rate_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<inf>" if value == "inf" else "<number>"


Rate = Annotated[
    Annotated[Literal["inf"], Tag("<inf>")]
    | Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False), Tag("<number>")],
    Discriminator(_rate_kind),
    BeforeValidator(_rate, json_schema_input_type=Literal["inf"] | Annotated[float, Field(gt=0, le=1e6)]),
]
Rates = Annotated[
    Annotated[tuple[Rate, ...], Field(min_length=1)],
    BeforeValidator(as_list, json_schema_input_type=Rate | Annotated[list[Rate], Field(min_length=1)]),
]
POISSON = 1.0
"""The burstiness of arrivals that do not depend on each other."""
Burstiness = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class RampUp(Section):
    """A request rate that rises over a point, request by request."""

    model_config = ConfigDict(serialize_by_alias=True)

    strategy: Literal["linear", "exponential"]
    """Whether each request adds as much to the rate, or multiplies it by as much."""
    start: Annotated[Count, Field(alias="from")]
    """Requests per second of the first request."""
    end: Annotated[Count, Field(alias="to")]
    """Requests per second of the last request; more than `from`."""

    @field_validator("end")
    @classmethod
    def _rises(cls, end: int, info: ValidationInfo) -> int:
        start = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError(f"the rate must rise, and {end} is not more than {start}")
        return end

    def __str__(self) -> str:
        """Return it as people say it, such as `1 to 10 req/s, linear`."""
        return f"{self.start} to {self.end} req/s, {self.strategy}"
