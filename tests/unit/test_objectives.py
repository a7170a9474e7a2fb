"""V2: objectives such as `p99_ttft_ms<2000`: read as written, judged as meant, and a missing figure is a missed one."""

from __future__ import annotations

from typing import Any

import pytest
from samples import a_profile, result_bytes

from orchestrator.metrics.objectives import METRICS, Objective, goodput_bounds, missed, parse_objective
from orchestrator.vllm.result import read_metrics


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("p99_ttft_ms<2000", Objective("p99_ttft_ms", "<", 2000.0)),
        (" output_throughput >= 12.5 ", Objective("output_throughput", ">=", 12.5)),
        ("mean_itl_ms<=0", Objective("mean_itl_ms", "<=", 0.0)),
        ("request_goodput>1", Objective("request_goodput", ">", 1.0)),
    ],
)
def test_an_objective_is_read_as_written(text: str, objective: Objective) -> None:
    assert parse_objective(text) == objective
    assert parse_objective(str(objective)) == objective


@pytest.mark.parametrize("text", ["", "p99_ttft_ms", "p99_ttft_ms<", "p99_ttft_ms=5", "p99_ttft_ms<5ms", "a b<5", "<5"])
def test_what_is_no_objective_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="write METRIC<NUMBER or METRIC>NUMBER"):
        parse_objective(text)


@pytest.mark.parametrize(
    "text", ["p100_ttft_ms<5", "p9.9.9_ttft_ms<5", "median9_ttft_ms<5", "ttft<5", "duration_s<5", "p99_ttft<5"]
)
def test_a_metric_that_is_none_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="is not a metric; there are request_throughput"):
        parse_objective(text)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_a_value(metric: str) -> None:
    metrics = read_metrics(result_bytes(request_goodput=3.0))
    value = Objective(metric, ">", 0.0).value(metrics)
    assert value is not None
    assert value > 0
    assert Objective(metric, ">=", value).met(metrics)
    assert not Objective(metric, ">", value).met(metrics)
    assert Objective(metric, "<=", value).met(metrics)
    assert not Objective(metric, "<", value).met(metrics)


def test_a_figure_that_was_not_reported_does_not_meet_anything() -> None:
    metrics = read_metrics(result_bytes(p99_ttft_ms=None))
    assert missed([parse_objective("p99_ttft_ms<2000"), parse_objective("p99_ttft_ms>0")], metrics, ()) == [
        "p99_ttft_ms<2000 is missed: not reported",
        "p99_ttft_ms>0 is missed: not reported",
    ]


def test_every_objective_that_is_missed_is_told_with_its_figure() -> None:
    metrics = read_metrics(result_bytes())
    wanted = [parse_objective(text) for text in ("mean_ttft_ms<2", "mean_tpot_ms<2", "output_throughput>1000")]
    assert missed(wanted, metrics, ("p99",)) == [
        "mean_tpot_ms<2 is missed: 2.5",
        "output_throughput>1000 is missed: 512",
    ]
    assert missed([], metrics, ()) == []


def test_a_percentile_of_too_few_requests_is_marked_where_it_is_missed() -> None:
    metrics = read_metrics(result_bytes())
    wanted = [parse_objective(text) for text in ("p99_ttft_ms<1", "p90_ttft_ms<1", "mean_ttft_ms<1")]
    assert missed(wanted, metrics, ("p95", "p99")) == [
        "p99_ttft_ms<1 is missed: ~1.5",
        "p90_ttft_ms<1 is missed: 1.5",
        "mean_ttft_ms<1 is missed: 1.5",
    ]


@pytest.mark.parametrize(
    ("texts", "bounds"),
    [
        ([], {}),
        (["p99_ttft_ms<2000"], {"ttft": 2000.0}),
        (["p99_ttft_ms<2000", "median_ttft_ms<=500", "p90_e2el_ms<9000"], {"ttft": 500.0, "e2el": 9000.0}),
        (["mean_ttft_ms<500", "p99_ttft_ms<2000", "mean_tpot_ms<50"], {"ttft": 2000.0, "tpot": 50.0}),
        (["mean_tpot_ms<60", "mean_tpot_ms<50", "std_tpot_ms<5"], {"tpot": 50.0}),
        (["std_ttft_ms<50"], {}),
        (["mean_itl_ms<50", "output_throughput>100", "p99_tpot_ms>5"], {}),
    ],
)
def test_the_client_counts_by_the_tightest_bounds_on_requests(texts: list[str], bounds: dict[str, Any]) -> None:
    assert goodput_bounds([parse_objective(text) for text in texts]) == bounds


def test_a_profile_takes_objectives_that_can_be_read_and_no_others() -> None:
    assert a_profile(objectives=["p99_ttft_ms<2000"]).objectives == ("p99_ttft_ms<2000",)
    with pytest.raises(ValueError, match="is not a metric"):
        a_profile(objectives=["max_ttft_ms<2000"])
