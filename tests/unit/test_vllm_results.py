"""Promises V1 and D5: every version's result is read alike, foreign ones are refused, and only complete ones count."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_point, a_result, result_bytes

from orchestrator.causes import Cause
from orchestrator.measuring.judge import incompleteness
from orchestrator.metrics.values import STATISTICS, Latency
from orchestrator.vllm.result import Details, UnreadableResultError, read_details, read_metrics

RESULTS = sorted((Path(__file__).resolve().parents[1] / "fixtures" / "vllm").glob("*/result*.json"))
assert RESULTS
COMPLETE = a_point()
REQUIRED = (
    *("duration", "completed", "total_input_tokens", "total_output_tokens"),
    *("request_throughput", "output_throughput", "total_token_throughput"),
)


def without(*names: str, **more: object) -> bytes:
    return json.dumps({name: value for name, value in a_result(**more).items() if name not in names}).encode()


GOODPUT_WITH_COLON = {"request_goodput:": 1.5}
VERSIONS = {
    # From VLLM.md §1.3: what each version writes that others do not, and what it lacks.
    "script 0.8.5": without("failed", "request_goodput", backend="openai", **GOODPUT_WITH_COLON),
    "bench 0.8.5": without("failed", "request_goodput", endpoint_type="openai-comp", best_of=1, **GOODPUT_WITH_COLON),
    "bench 0.9.1": without("failed", "request_goodput", endpoint_type="openai", label=None, **GOODPUT_WITH_COLON),
    "bench 0.9.2": without("failed", request_goodput=1.5, ramp_up_strategy=None, rps_change_events=[]),
    "bench 0.11.0": without("failed", request_goodput=1.5, max_output_tokens_per_s=64.0, max_concurrent_requests=8),
    "bench 0.11.1": without(request_goodput=1.5),
    "bench 0.14": without(request_goodput=1.5, spec_decode_acceptance_rate=61.2, spec_decode_acceptance_length=3.8),
    "bench 0.33": without(request_goodput=1.5, start_times=[0.1], rtfx=0.0, latencies=[0.2], server_ttfts=[0.1]),
}


def said(causes: list[Cause]) -> list[str]:
    return [cause.text() for cause in causes]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_s_result_is_read_into_the_same_metrics(version: str) -> None:
    expected = read_metrics(result_bytes(request_goodput=1.5))
    found = read_metrics(VERSIONS[version])
    assert found.model_copy(update={"failed": 0}) == expected
    assert found.failed == (0 if version in ("bench 0.11.1", "bench 0.14", "bench 0.33") else None)
    assert said(incompleteness(COMPLETE, found)) == []


@pytest.mark.parametrize("result", RESULTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_real_client_s_result_is_read_and_counts(result: Path) -> None:
    raw = json.loads(result.read_bytes())
    metrics = read_metrics(result.read_bytes())
    assert (metrics.duration_s, metrics.completed) == (raw["duration"], 8)
    assert metrics.ttft_ms.mean == raw["mean_ttft_ms"]
    assert metrics.itl_ms.p99 == raw["p99_itl_ms"]
    assert metrics.total_token_throughput == pytest.approx(
        (raw["total_input_tokens"] + raw["total_output_tokens"]) / raw["duration"]
    )
    assert said(incompleteness(a_point(output_len=raw["total_output_tokens"] // 8), metrics)) == []


def test_a_statistic_that_was_not_reported_is_missing_and_not_zero() -> None:
    names = [f"{statistic}_e2el_ms" for statistic in STATISTICS]
    assert read_metrics(without(*names)).e2el_ms == Latency(**dict.fromkeys(STATISTICS))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_result_without_a_figure_that_all_versions_write_is_refused(name: str) -> None:
    with pytest.raises(UnreadableResultError, match=f"KeyError: '{name}'"):
        read_metrics(without(name))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_result_whose_figure_is_no_number_is_refused(name: str) -> None:
    values: tuple[Any, ...] = (None, "many", [1], {})
    for value in values:
        with pytest.raises(UnreadableResultError):
            read_metrics(result_bytes(**{name: value}))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"5", b'"text"', b"{}", b"\xff\xfe", b"<html></html>"])
def test_a_foreign_file_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableResultError):
        read_metrics(raw)


@given(st.integers(min_value=0))
def test_a_result_that_is_torn_anywhere_is_refused(cut: int) -> None:
    whole = result_bytes()
    with pytest.raises(UnreadableResultError):
        read_metrics(whole[: cut % len(whole)])


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_figure_that_is_no_number_is_not_read(value: float) -> None:
    with pytest.raises(UnreadableResultError, match="output_throughput is"):
        read_metrics(result_bytes(output_throughput=value))


INCOMPLETE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all requests refused: zeros and exit code 0": (
        {**dict.fromkeys(REQUIRED, 0), "failed": 8, "duration": 0.02, "mean_ttft_ms": 0.0},
        ["0 of 8 requests completed", "8 requests failed", "0 of 128 output tokens"],
    ),
    "the engine died: all completed, few tokens": ({"total_output_tokens": 25}, ["25 of 128 output tokens"]),
    "the context was cut without a word": ({"total_output_tokens": 22}, ["22 of 128 output tokens"]),
    "more tokens than asked": ({"total_output_tokens": 129}, ["129 of 128 output tokens"]),
    "some requests failed": (
        {"completed": 7, "failed": 1, "total_output_tokens": 112},
        ["7 of 8 requests completed", "1 requests failed", "112 of 128 output tokens"],
    ),
    "an old client says nothing of failures": ({"completed": 7, "failed": None}, ["7 of 8 requests completed"]),
    "no number": ({"mean_ttft_ms": math.nan}, ["mean TTFT is None"]),
    "no time": ({"duration": 0.0}, ["duration is 0.0"]),
    "no latency": ({"mean_ttft_ms": None}, ["mean TTFT is None"]),
    "backwards": ({"duration": -1.0}, ["duration is -1.0"]),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_a_measurement_that_is_not_complete_does_not_count(case: str) -> None:
    changes, reasons = INCOMPLETE[case]
    assert said(incompleteness(COMPLETE, read_metrics(result_bytes(**changes)))) == reasons


def test_where_the_dataset_decides_any_number_of_tokens_is_complete() -> None:
    point = a_point(dataset="sharegpt", input_len=None, output_len=None)
    assert said(incompleteness(point, read_metrics(result_bytes(total_output_tokens=1234)))) == []


def gaps(*seconds: float) -> bytes:
    return result_bytes(ttfts=[0.01] * len(seconds), itls=[[second, second] for second in seconds])


def test_a_measurement_that_gets_slower_shows_a_trend() -> None:
    assert read_details(gaps(*[0.01] * 16, *[0.015] * 8)).tpot_trend == pytest.approx(1.5)
    assert read_details(gaps(*[0.01] * 24)).tpot_trend == pytest.approx(1.0)


@pytest.mark.parametrize(
    "raw",
    [
        result_bytes(),
        result_bytes(itls=[]),
        gaps(*[0.01] * 23),
        result_bytes(ttfts=[0.01] * 24, itls=[[]] * 24),
        gaps(*[0.0] * 24),
    ],
)
def test_without_enough_details_there_is_no_trend_to_be_seen(raw: bytes) -> None:
    assert read_details(raw).tpot_trend is None


def test_requests_are_sent_until_the_last_one_starts() -> None:
    starts = result_bytes(start_times=[100.5, 102.0, 100.0], ttfts=[0.1] * 3, duration=60.0)
    assert read_details(starts).sending_s == 2.0


def test_without_starts_as_much_is_allowed_for_as_the_longest_request_took() -> None:
    details = {"ttfts": [1.0, 2.0], "itls": [[0.5, 0.5], [1.0, 1.0]]}
    assert read_details(result_bytes(**details, duration=10.0)).sending_s == 6.0
    assert read_details(result_bytes(**details, duration=3.0)).sending_s == 0.0
    assert read_details(result_bytes()).sending_s is None


def test_first_tokens_are_looked_at_by_thirds_in_the_order_of_starting() -> None:
    ttfts = [0.1] * 7 + [9.0] + [0.2] * 9 + [0.3] * 8
    assert read_details(result_bytes(ttfts=ttfts, itls=[[0.1]] * 25)).ttft_thirds_ms == pytest.approx((100, 200, 300))
    backwards = result_bytes(ttfts=ttfts, start_times=[float(-number) for number in range(25)])
    assert read_details(backwards).ttft_thirds_ms == pytest.approx((300, 200, 100))
    assert read_details(result_bytes(ttfts=ttfts[2:], itls=[[0.1]] * 23)).ttft_thirds_ms is None


@pytest.mark.parametrize(
    "details", [{"itls": [["x"]] * 24}, {"ttfts": [1.0], "itls": [[1.0]] * 24}, {"start_times": [1.0, "x"]}]
)
def test_details_that_make_no_sense_say_nothing(details: dict[str, Any]) -> None:
    assert read_details(result_bytes(**details)) == Details()
