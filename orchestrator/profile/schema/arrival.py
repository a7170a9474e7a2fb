"""When the requests of a point arrive: at a rate, with some burstiness, or at a rate that rises."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag


def as_list(value: Any) -> Any:
    """Return a single value as a list of it."""
    return [value] if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _rate(value: Any) -> Any:
    if value in ("inf", ".inf", float("inf")):
        return "inf"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be requests per second, or inf to send everything at once")
    return value


def _rate_kind(value: Any) -> str:
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
Burstiness = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
