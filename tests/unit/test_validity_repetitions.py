"""Promise V1: Repetitions that scatter, or one that lies apart, are told from chance, and more never make it worse."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from samples import a_measurement, a_record, result_bytes

from orchestrator.results.validity import Verdict, assess
from orchestrator.results.validity.chance import chi_square_beyond, normal_beyond, student_beyond
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.counters import read_served
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.runs.format.records import MeasurementRecord


def record(throughput: float, number: int, **fields: object) -> MeasurementRecord:
    figures = {"duration": 10.0, "mean_e2el_ms": 100.0, "output_throughput": throughput}
    return a_record(a_measurement(), metrics=read_metrics(result_bytes(**figures)), repetition=number, **fields)


def repeated(*throughputs: float, first: int = 1) -> list[MeasurementRecord]:
    return [record(value, number) for number, value in enumerate(throughputs, start=first)]


def doubts(records: Sequence[MeasurementRecord]) -> dict[int, list[str]]:
    """The ids of the reasons against each repetition, by its number."""
    return {number: [reason.id for reason in found.reasons] for (_, number), found in assess(records).items()}


def test_repetitions_that_scatter_are_all_suspect() -> None:
    """The same point on a busy node; nobody can say which figure is right."""
    assert doubts(repeated(836.0, 523.0, 333.0)) == {1: ["spread"], 2: ["spread"], 3: ["spread"]}
    assert doubts(repeated(100.0, 125.0)) == {1: ["spread"], 2: ["spread"]}


@pytest.mark.parametrize("values", [(100.0,), (100.0, 112.0), (100.0, 105.0, 109.0), (89.0, 100.0, 101.0)])
def test_repetitions_that_chance_explains_are_valid(values: tuple[float, ...]) -> None:
    assert set(map(len, doubts(repeated(*values)).values())) == {0}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((100.0, 101.0, 60.0), {3: "outlier"}),
        ((100.0, 101.0, 99.0, 140.0, 100.0), {4: "outlier"}),
        ((70.0, 100.0, 101.0), {1: "first-slow"}),
        ((88.0, 100.0, 100.4, 99.8, 100.2), {1: "first-slow"}),
        ((130.0, 100.0, 101.0), {1: "first-fast"}),
        ((112.0, 100.0, 100.4, 99.8, 100.2), {1: "first-fast"}),
    ],
)
def test_one_that_lies_apart_is_named_and_the_others_are_not_doubted(
    values: tuple[float, ...], named: dict[int, str]
) -> None:
    found = doubts(repeated(*values))
    assert {number: reasons for number, reasons in found.items() if reasons} == {
        number: [name] for number, name in named.items()
    }


def test_a_first_repetition_that_is_not_there_was_not_slow() -> None:
    assert doubts(repeated(60.0, 100.0, 101.0, first=2)) == {2: ["outlier"], 3: [], 4: []}


def test_repetitions_are_compared_in_their_order_however_they_come() -> None:
    assert doubts(list(reversed(repeated(70.0, 100.0, 101.0))))[1] == ["first-slow"]


@pytest.mark.parametrize("repetitions", [2, 3, 5, 10])
@pytest.mark.parametrize("scatter", [0.01, 0.03, 0.05])
def test_a_sound_server_is_rarely_suspect_however_often_it_is_measured(scatter: float, repetitions: int) -> None:
    draw, points = random.Random(f"{scatter}/{repetitions}"), 1000
    suspect = sum(
        any(doubts(repeated(*(draw.gauss(500.0, 500.0 * scatter) for _ in range(repetitions)))).values())
        for _ in range(points)
    )
    assert suspect <= 0.02 * points


@pytest.mark.parametrize(("repetitions", "least"), [(3, 0.5), (5, 0.7), (10, 0.95)])
def test_repetitions_that_scatter_by_15_percent_are_found_more_surely_the_more_there_are(
    repetitions: int, least: float
) -> None:
    draw, points = random.Random(repetitions), 400
    found = sum(
        any(doubts(repeated(*(draw.gauss(500.0, 75.0) for _ in range(repetitions)))).values()) for _ in range(points)
    )
    assert found >= least * points


def test_with_drafts_it_is_said_that_prompts_differ() -> None:
    names = ("drafts", "draft_tokens", "accepted_tokens")
    served = [
        read_served({f"vllm:spec_decode_num_{name}_total": value for name, value in zip(names, counted, strict=True)})
        for counted in ((100.0, 300.0, 80.0), (100.0, 300.0, 150.0))
    ]
    records = [record(value, number, served=served[number - 1]) for number, value in ((1, 100.0), (2, 140.0))]
    (reason,) = (reason for reason in assess(records)[records[0].point, 1].reasons if reason.id == "spread")
    assert "prompts differ between repetitions" in reason.text
    assert "1.80 to 2.50 tokens a step" in reason.text


def test_a_repetition_that_failed_is_no_disagreement() -> None:
    bad = record(1.0, 3, state=RunState.FAILED, reasons=("no",))
    found = assess([*repeated(100.0, 101.0), bad])
    assert [assessment.verdict for assessment in found.values()] == [Verdict.VALID, Verdict.VALID, Verdict.INVALID]


def test_points_do_not_share_doubts() -> None:
    other = a_record(
        a_measurement(num_prompts=9),
        metrics=read_metrics(result_bytes(duration=10.0, completed=9, mean_e2el_ms=100.0)),
    )
    found = assess([*repeated(100.0, 150.0), other])
    assert sorted(len(assessment.reasons) for assessment in found.values()) == [0, 1, 1]


def test_quantiles_are_those_of_the_tables() -> None:
    assert normal_beyond(0.05) == pytest.approx(1.960, abs=1e-3)
    assert student_beyond(0.05, 1) == pytest.approx(12.706, rel=1e-4)
    assert student_beyond(0.01, 4) == pytest.approx(4.604, rel=1e-3)
    assert chi_square_beyond(0.01, 4) == pytest.approx(13.277, rel=0.005)
    assert chi_square_beyond(0.005, 9) == pytest.approx(23.589, rel=0.005)
