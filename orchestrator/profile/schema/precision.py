"""How often points are measured: a number of times, or until their mean is known closely enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from orchestrator.metrics.catalogue import usual
from orchestrator.metrics.objectives import METRIC_PATTERN, bounded
from orchestrator.profile.schema.problems import Lacking
from orchestrator.profile.schema.values import NonEmpty, Section


class Precision(Section):
    """When a point has been measured often enough."""

    metric: Annotated[NonEmpty, Field(json_schema_extra={"pattern": METRIC_PATTERN})] = usual(generates=True)
    """What is to be known: a column of the wide table, such as `mean_ttft_ms`."""
    width: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """How far the 95 % confidence interval of its mean on this server start may reach to each side, as a part of the
    mean."""
    at_least: Annotated[int, Field(ge=2, le=1000, strict=True)] = 5
    """Repetitions that each point gets, doubted ones not counted; fewer than 5 end too early by chance."""
    at_most: Annotated[int, Field(ge=2, le=1000, strict=True, validate_default=True)] = 10
    """Repetitions, doubted and failed ones among them, after which a point is left as it is."""

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, metric: str) -> str:
        return bounded(metric).name

    @field_validator("at_most")
    @classmethod
    def _bounds_are_in_order(cls, at_most: int, info: ValidationInfo) -> int:
        at_least = info.data.get("at_least")
        if at_least is not None and at_least > at_most:
            raise Lacking(
                f"at_least is {at_least} and at_most {at_most}",
                "bench.repetitions.auto.at_least",
                "bench.repetitions.auto.at_most",
            )
        return at_most


class Until(Section):
    """Repetitions of which the results decide how many there are."""

    auto: Precision = Precision.model_construct()
    """When a point has been measured often enough."""


def _repetitions(value: Any) -> Any:
    if isinstance(value, str) and value != "auto":
        raise ValueError("must be a whole number, or auto")
    return {"auto": {}} if value == "auto" else value


def _repetitions_kind(value: Any) -> str:
    return "<until>" if isinstance(value, Until | Mapping) else "<times>"


Times = Annotated[int, Field(ge=1, le=1000, strict=True)]
Repetitions = Annotated[
    Annotated[Times, Tag("<times>")] | Annotated[Until, Tag("<until>")],
    Discriminator(_repetitions_kind),
    BeforeValidator(_repetitions, json_schema_input_type=Times | Literal["auto"] | Until),
]
