"""Promise V1: The steady part of a measurement is found in its single requests, or nothing is said of it."""

from __future__ import annotations

import heapq
import json
import random
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_measurement, a_point, a_record, result_bytes

from orchestrator.measuring.driver import ClientRun
from orchestrator.measuring.found import figures_of
from orchestrator.measuring.judge import begin, judge
from orchestrator.results.steady import Window, find_window, steady, steady_of, time_per_token_ms
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.result import read_metrics
from orchestrator.vllm.timeline import Stream
from orchestrator.workload.arrival import RampUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.metrics.steady import Steady
    from orchestrator.workload.point import Point

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "vllm"
TTFT_S, STEP_S = 0.2, 0.01


def a_stream(start: float, tokens: int, ttft_s: float = TTFT_S, step_s: float = STEP_S, per_chunk: int = 1) -> Stream:
    chunks = range(1 + -(-(tokens - 1) // per_chunk))
    return Stream(start, tuple(start + ttft_s + step_s * index for index in chunks), 64, tokens)


def closed_loop(lengths: Sequence[int], limit: int, ttfts_s: Sequence[float] = ()) -> list[Stream]:
    """Requests of which each begins as soon as one of at most so many in flight has ended."""
    free, streams = [0.0] * limit, []
    for index, tokens in enumerate(lengths):
        streams.append(a_stream(free[0], tokens, ttfts_s[index] if ttfts_s else TTFT_S))
        heapq.heapreplace(free, streams[-1].end)
    return streams


def poisson(rate: float, count: int, tokens: int = 100, seed: int = 3) -> list[Stream]:
    draw, now, streams = random.Random(seed), 0.0, []
    for _ in range(count):
        streams.append(a_stream(now, tokens))
        now += draw.expovariate(rate)
    return streams


def duration_of(streams: Sequence[Stream]) -> float:
    return max(stream.end for stream in streams)


def found(streams: Sequence[Stream], **parameters: object) -> Steady:
    result = steady(streams, duration_of(streams), a_point(num_prompts=len(streams), **parameters))
    assert result is not None
    return result


def whole_throughput(streams: Sequence[Stream]) -> float:
    return sum(stream.tokens for stream in streams) / duration_of(streams)


def test_requests_of_one_length_in_step_are_steady_all_the_time() -> None:
    streams = closed_loop([100] * 80, 8)
    result = found(streams, max_concurrency=8)
    assert (result.kept_by, result.most_in_flight) == ("in-flight", 8)
    assert result.share == pytest.approx(1.0)
    assert result.output_throughput == pytest.approx(whole_throughput(streams))
    assert result.request_throughput == pytest.approx(80 / duration_of(streams))
    assert result.requests == 72


def test_pauses_of_milliseconds_between_waves_do_not_end_the_window() -> None:
    streams = [a_stream(wave * (TTFT_S + 99 * STEP_S + 0.005), 100) for wave in range(10) for _ in range(8)]
    assert found(streams, max_concurrency=8).share == pytest.approx(1.0)


def test_pauses_that_leave_the_server_idle_for_long_end_it() -> None:
    whole = TTFT_S + 99 * STEP_S
    streams = [a_stream(wave * (whole + 0.5), 100) for wave in range(3) for _ in range(8)]
    result = found(streams, max_concurrency=8)
    assert result.end_s - result.begin_s == pytest.approx(whole)


def test_a_long_tail_lies_outside_the_window_and_does_not_lower_its_throughput() -> None:
    streams = closed_loop([100] * 79 + [2000], 8)
    result = found(streams, max_concurrency=8)
    assert result.share < 0.5
    assert result.end_s == pytest.approx(10 * (TTFT_S + 99 * STEP_S))
    assert result.output_throughput == pytest.approx(8 * 100 / (TTFT_S + 99 * STEP_S), rel=0.02)
    assert whole_throughput(streams) < 0.6 * result.output_throughput


def test_lengths_that_vary_give_the_throughput_between_ramp_up_and_tail() -> None:
    draw = random.Random(5)
    lengths = [draw.randint(20, 180) for _ in range(320)]
    streams = closed_loop(lengths, 32)
    result = found(streams, max_concurrency=32)
    rate = 32 / (TTFT_S + (statistics.fmean(lengths) - 1) * STEP_S)
    assert result.request_throughput == pytest.approx(rate, rel=0.03)
    assert result.output_throughput == pytest.approx(rate * statistics.fmean(lengths), rel=0.03)
    assert 0.75 < result.share < 0.98
    assert result.tpot_ms == pytest.approx(1000 * STEP_S)


def test_one_wave_is_steady_until_the_first_answers_end_and_has_no_ttft_without_the_first_wave() -> None:
    streams = closed_loop(range(100, 132), 32)
    result = found(streams)
    assert (result.most_in_flight, result.requests, result.ttft_ms) == (32, 0, None)
    assert result.begin_s == 0.0
    assert result.end_s == pytest.approx(TTFT_S + 100 * STEP_S)  # the second of 32 is the first below 95 %


def test_ttft_is_that_of_requests_after_the_first_wave() -> None:
    ttfts_s = [2.0] * 8 + [0.1 + 0.001 * index for index in range(72)]
    result = found(closed_loop([100] * 80, 8, ttfts_s), max_concurrency=8)
    assert result.ttft_ms is not None
    assert result.requests == 72
    assert result.ttft_ms.median == pytest.approx(135.5)
    assert result.ttft_ms.p99 == pytest.approx(100 + 0.99 * 71)
    assert result.ttft_ms.mean == pytest.approx(135.5)


def test_a_request_rate_is_steady_from_its_expected_load_on_until_the_last_request() -> None:
    streams = poisson(20.0, 400)
    result = found(streams, request_rate=20.0)
    life = TTFT_S + 99 * STEP_S
    assert result.kept_by == "rate"
    assert result.begin_s == pytest.approx(0.95 * life)
    assert result.end_s == max(stream.start for stream in streams)
    assert result.ttft_ms is not None
    assert result.requests == sum(0.95 * life <= stream.start < result.end_s for stream in streams)
    assert result.output_throughput == pytest.approx(20.0 * 100, rel=0.15)


def test_throughput_at_a_rate_is_the_rate_without_ramp_up_and_tail() -> None:
    window, whole = [], []
    for seed in range(30):
        streams = poisson(20.0, 200, 500, seed)
        arrived = 199 / max(stream.start for stream in streams)
        window.append(found(streams, request_rate=20.0).output_throughput / (500 * arrived))
        whole.append(whole_throughput(streams) / (500 * arrived))
    assert statistics.fmean(window) == pytest.approx(1.0, abs=0.05)
    assert statistics.fmean(whole) < 0.7


def test_a_rate_above_what_a_limit_lets_through_is_kept_by_the_limit() -> None:
    streams = closed_loop([100] * 160, 8)
    assert found(streams, request_rate=1000.0, max_concurrency=8).kept_by == "in-flight"
    assert found(poisson(2.0, 160), request_rate=2.0, max_concurrency=50).kept_by == "rate"


def test_a_rate_that_ends_before_its_load_is_there_has_no_steady_part() -> None:
    assert find_window(poisson(200.0, 20), a_point(request_rate=200.0)) is None


def test_a_rate_that_rises_has_no_steady_part() -> None:
    rising = a_point(ramp_up=RampUp.model_validate({"strategy": "linear", "from": 1, "to": 20}))
    assert find_window(poisson(20.0, 400), rising) is None


@pytest.mark.parametrize("per_chunk", [1, 3, 4])
def test_chunks_of_several_tokens_count_as_their_tokens(per_chunk: int) -> None:
    streams = [a_stream(index // 4 * 1.0, 97, 0.04, 0.96 / (96 / per_chunk), per_chunk) for index in range(40)]
    result = found(streams, max_concurrency=4)
    assert result.output_throughput == pytest.approx(4 * 97, rel=0.001)
    assert result.tpot_ms == pytest.approx(10.0)


def test_time_per_token_is_told_of_any_stretch_of_time() -> None:
    streams = [Stream(0.0, (1.0, 1.1, 1.2, 1.4, 1.6), 8, 5)]
    assert time_per_token_ms(streams, Window("in-flight", 0.0, 1.2)) == pytest.approx(100.0)
    assert time_per_token_ms(streams, Window("in-flight", 1.3, 2.0)) == pytest.approx(200.0)
    assert time_per_token_ms(streams, Window("in-flight", 2.0, 3.0)) is None


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(1, 40)), min_size=1, max_size=30), st.integers(1, 4))
def test_whatever_requests_do_the_window_lies_within_them_and_holds_no_more_than_they_made(
    drawn: list[tuple[float, int]], limit: int
) -> None:
    streams = [a_stream(start, tokens) for start, tokens in drawn]
    result = steady(streams, duration_of(streams), a_point(max_concurrency=limit))
    assert result is not None
    assert 0.0 <= result.begin_s < result.end_s <= duration_of(streams)
    assert 0.0 < result.share <= 1.0
    length = result.end_s - result.begin_s
    assert result.output_throughput * length <= sum(stream.tokens for stream in streams) + 1e-6
    assert result.request_throughput * length <= len(streams) + 1e-6


def file_of(streams: Sequence[Stream], *, starts: bool = True, **keys: object) -> bytes:
    pairs = [zip(stream.chunks[1:], stream.chunks, strict=False) for stream in streams]
    details: dict[str, Any] = {
        "duration": duration_of(streams),
        "ttfts": [stream.chunks[0] - stream.start for stream in streams],
        "itls": [[after - before for after, before in each] for each in pairs],
        "input_lens": [stream.prompt for stream in streams],
        "output_lens": [stream.tokens for stream in streams],
    }
    if starts:
        details["start_times"] = [5000.0 + stream.start for stream in streams]
    return result_bytes(**{**details, **keys})


def test_versions_that_do_not_write_when_requests_began_are_followed_by_their_limit() -> None:
    streams = closed_loop([100 + index % 7 for index in range(80)], 8)
    point = a_point(num_prompts=80, max_concurrency=8)
    told, followed = steady_of(file_of(streams), point), steady_of(file_of(streams, starts=False), point)
    assert told is not None
    assert followed is not None
    assert followed.output_throughput == pytest.approx(told.output_throughput)
    assert followed.share == pytest.approx(told.share)


@pytest.mark.parametrize(
    ("raw", "point"),
    [
        (result_bytes(), a_point()),
        (file_of(poisson(20.0, 400), starts=False), a_point(request_rate=20.0)),
        (file_of(closed_loop([100] * 80, 8), starts=False, duration=100.0), a_point(max_concurrency=8)),
        (file_of(closed_loop([100] * 80, 8), itls=[]), a_point(max_concurrency=8)),
        (file_of(closed_loop([100] * 80, 8), ttfts="none"), a_point(max_concurrency=8)),
        (file_of(closed_loop([100] * 80, 8), duration=None), a_point(max_concurrency=8)),
        (b"{", a_point()),
    ],
    ids=["no details", "a rate without starts", "starts that do not fit", "no gaps", "no list", "no duration", "torn"],
)
def test_where_details_are_not_there_nothing_is_said(raw: bytes, point: Point) -> None:
    assert steady_of(raw, point) is None


def test_percentiles_that_were_asked_for_besides_are_told_of_the_window_too() -> None:
    streams = closed_loop([100] * 80, 8, [0.1 + 0.001 * index for index in range(80)])
    result = steady(streams, duration_of(streams), a_point(max_concurrency=8), ["p99.9"])
    assert result is not None
    assert result.ttft_ms is not None
    assert result.ttft_ms.further == {"p99.9": pytest.approx(108 + 0.999 * 71)}


def test_statistics_are_those_of_the_client() -> None:
    """The client takes NumPy's: these are of real requests, of which each began after the first wave had ended."""
    data = json.loads((FIXTURES / "0.32.0" / "result-detailed.json").read_bytes())
    ttfts_s = [5.0, 5.0, *data["ttfts"]]
    result = found(closed_loop([100] * 10, 2, ttfts_s), max_concurrency=2)
    assert result.ttft_ms is not None
    for statistic in ("mean", "median", "std", "p50", "p90", "p95", "p99"):
        assert result.ttft_ms.value(statistic) == pytest.approx(data[f"{statistic}_ttft_ms"]), statistic


@pytest.mark.parametrize("name", ["0.32.0/result-detailed", "0.32.0/result-rust", "0.8.5/result-bench"])
def test_results_of_real_clients_have_a_steady_part(name: str) -> None:
    raw = (FIXTURES / f"{name}.json").read_bytes()
    data = json.loads(raw)
    result = steady_of(raw, a_point(max_concurrency=data["max_concurrency"]))
    assert result is not None
    assert result.most_in_flight == (data["max_concurrency"] or data["num_prompts"])
    assert 0.0 < result.share <= 1.0
    assert result.output_throughput > 0.8 * data["output_throughput"]


def test_the_window_of_the_rust_client_is_found_too() -> None:
    data = json.loads((FIXTURES / "0.32.0" / "result-rust.json").read_bytes())
    result = steady_of(json.dumps(data).encode(), a_point(max_concurrency=4))
    assert result is not None
    assert result.end_s - result.begin_s == pytest.approx(data["steady_state"]["window"]["duration_s"], rel=0.02)


def test_a_search_judges_by_the_window_what_it_has_figures_of_and_the_rest_as_before() -> None:
    metrics = read_metrics(result_bytes())
    result = found(closed_loop([100] * 79 + [2000], 8), max_concurrency=8)
    judged = result.in_place_of(metrics)
    assert judged.output_throughput == result.output_throughput
    assert judged.request_throughput == result.request_throughput
    assert judged.ttft_ms == result.ttft_ms
    assert judged.tpot_ms == metrics.tpot_ms.model_copy(update={"mean": result.tpot_ms})
    assert (judged.itl_ms, judged.e2el_ms, judged.completed) == (metrics.itl_ms, metrics.e2el_ms, metrics.completed)
    assert metrics.output_throughput is not None
    assert judged.output_throughput is not None
    ratio = judged.total_token_throughput / metrics.total_token_throughput
    assert ratio == pytest.approx(judged.output_throughput / metrics.output_throughput)
    one_wave = found(closed_loop(range(100, 132), 32)).in_place_of(metrics)
    assert one_wave.ttft_ms == metrics.ttft_ms


def test_the_record_of_a_measurement_holds_its_steady_part_beside_figures_that_stay_the_client_s() -> None:
    streams = closed_loop([16] * 8, 2)
    measurement = a_measurement(max_concurrency=2)
    raw = file_of(streams)
    ran = ClientRun(code=0, timed_out=False, wall_s=9.0, cpu_s=1.0, runnable_at=(), result=raw, log=b"")
    record = judge(begin(measurement, []), measurement, ran)
    assert record.steady is not None
    assert record.steady.most_in_flight == 2
    assert record.metrics == read_metrics(raw)


def test_a_measurement_that_does_not_count_has_no_steady_part() -> None:
    measurement = a_measurement(max_concurrency=2)
    raw = file_of(closed_loop([16] * 8, 2), completed=7)
    ran = ClientRun(code=0, timed_out=False, wall_s=9.0, cpu_s=1.0, runnable_at=(), result=raw, log=b"")
    assert judge(begin(measurement, []), measurement, ran).steady is None


def test_a_search_takes_the_figures_of_the_steady_part_and_else_those_of_the_whole_measurement() -> None:
    part = found(closed_loop([100] * 79 + [2000], 8), max_concurrency=8)
    whole = read_metrics(result_bytes())
    assert figures_of(a_record(metrics=whole, steady=part)) == part.in_place_of(whole)
    assert figures_of(a_record(metrics=whole)) == whole
    assert figures_of(a_record(state=RunState.RUNNING)) is None
