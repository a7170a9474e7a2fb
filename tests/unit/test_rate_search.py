"""A search over the request rate: each rate lasts long enough for a queue to show, and a queue that grows is a miss."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_bench, a_profile, a_record, a_run, result_bytes

from orchestrator.events import unheard
from orchestrator.measuring.found import OVERLOAD
from orchestrator.measuring.search import run_search
from orchestrator.measuring.search_plan import CONCURRENCY, RATE, RATE_STEP_S, SearchPlan, prompts_per_step
from orchestrator.metrics.objectives import parse_objective
from orchestrator.results import validity
from orchestrator.results.validity import Reason, Verdict
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.measuring.found import Found
    from orchestrator.metrics.values import Metrics
    from orchestrator.runs.format.records import MeasurementRecord
    from orchestrator.workload.point import Measurement

BENCH = a_bench(num_prompts=4, warmup=0)


class Queue:
    """A server that takes one request after the other, which arrive evenly: a queue with a true capacity.

    It stands in for a sweep that is under way.
    """

    def __init__(self, folder: Path, per_s: float) -> None:
        self.directory = a_run(folder, a_profile(), measurements=())
        self._service_s = 1.0 / per_s

    def run(self, measurements: Sequence[Measurement]) -> Iterator[MeasurementRecord]:
        (taken,) = measurements
        gap_s, free_s = 1.0 / float(taken.point.request_rate), 0.0
        latencies_s = []
        for number in range(taken.point.num_prompts):
            arrived_s = number * gap_s
            free_s = max(free_s, arrived_s) + self._service_s
            latencies_s.append(free_s - arrived_s)
        cuts = [1000.0 * cut for cut in statistics.quantiles(latencies_s, n=100, method="inclusive")]
        result = result_bytes(
            duration=free_s,
            completed=len(latencies_s),
            request_throughput=len(latencies_s) / free_s,
            p99_ttft_ms=cuts[98],
            median_ttft_ms=cuts[49],
            mean_e2el_ms=1000.0 * statistics.fmean(latencies_s),
        )
        record = a_record(taken, metrics=read_metrics(result))
        self.directory.write_record(record)
        yield record


def searched(queue: Queue, step_s: float | None = None, objective: str = "p99_ttft_ms<1000", **fields: Any) -> Found:
    usual: dict[str, Any] = {
        "over": RATE,
        "objectives": (parse_objective(objective),),
        "lowest": 1,
        "highest": 256,
        "repetitions": 1,
        "resolution": 0.0,
        "prompts_per_step": prompts_per_step(BENCH, RATE, step_s),
    }
    return run_search(queue, BENCH, SearchPlan(**{**usual, **fields}), unheard)  # type: ignore[arg-type]


@pytest.mark.parametrize("per_s", [3.0, 7.5, 20.0, 50.0])
def test_it_finds_the_rate_that_the_server_can_sustain(tmp_path: Path, per_s: float) -> None:
    found = searched(Queue(tmp_path, per_s))
    capacity = found.search.capacity()
    assert capacity is not None
    assert abs(capacity - per_s) <= 1
    assert found.search.limit() == capacity + 1


def test_in_a_short_step_no_queue_builds_up(tmp_path: Path) -> None:
    capacity = searched(Queue(tmp_path, 20.0), step_s=4.0).search.capacity()
    assert capacity is not None
    assert capacity >= 23, "the model shows what the length of a step is for"


@pytest.mark.parametrize(("step_s", "prompts"), [(None, 20 * RATE_STEP_S), (5.0, 100), (0.1, 8)])
def test_a_rate_has_as_many_requests_as_arrive_in_a_step(tmp_path: Path, step_s: float | None, prompts: int) -> None:
    queue = Queue(tmp_path, 50.0)
    found = searched(queue, step_s, lowest=20, highest=20)
    assert [item.record.parameters["num_prompts"] for item in found.tried] == [prompts]
    assert RATE_STEP_S >= 60


def test_a_concurrency_has_as_many_requests_for_each_in_flight_as_the_profile_says() -> None:
    assert prompts_per_step(BENCH, CONCURRENCY, None) == 4
    fixed = a_bench(num_prompts=None, prompts_per_concurrency=7, concurrency=[2])
    assert prompts_per_step(fixed, CONCURRENCY, None) == 7
    assert prompts_per_step(fixed, RATE, None) == RATE_STEP_S


OBJECTIVES = (parse_objective("p99_ttft_ms<1000"), parse_objective("request_throughput>15"))


def test_what_bounds_from_below_may_be_missed_by_lower_loads(tmp_path: Path) -> None:
    found = searched(Queue(tmp_path, 20.0), objectives=OBJECTIVES)
    assert found.capacity() == found.search.capacity() == 20
    assert found.tried[0].reasons == ("request_throughput>15 is missed: 1.016",)
    assert (found.tried[0].sustained, found.tried[0].met) == (True, False)
    assert found.statement().startswith("the highest request-rate that meets the objectives is 20")


def test_what_bounds_from_below_must_be_met_at_the_load_that_is_found(tmp_path: Path) -> None:
    found = searched(Queue(tmp_path, 10.0), objectives=OBJECTIVES)
    assert (found.capacity(), found.search.capacity()) == (None, 10)
    told = found.as_data()
    assert told["capacity"] is None
    assert told["goodput"] is None
    assert told["statement"].startswith(
        "the highest request-rate that meets the objectives that bound from above is 10:"
    )
    missed = "request_throughput>15 is missed: 10"
    short = f"; but 1 of 1 there miss the others ({missed}), and no load that was tried meets all"
    assert short in told["statement"]


def queue_grows_above(rate: float) -> Any:
    def look(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
        asked = record.parameters["request_rate"]
        return Reason(OVERLOAD, "the queue grew") if isinstance(asked, str) or asked > rate else None

    return look


def test_a_rate_at_which_the_queue_grows_is_missed_and_that_is_no_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validity, "LOOKS", (queue_grows_above(5.0),))
    found = searched(Queue(tmp_path, 20.0), objective="median_ttft_ms<60000")
    assert (found.search.capacity(), found.search.limit()) == (5, 6)
    assert [item.reasons for item in found.tried if not item.met] == [("the queue grew",)] * 2
    assert found.doubts() == []
    assert [tried["verdict"] for tried in found.as_data()["tried"] if not tried["met"]] == ["SUSPECT"] * 2


def test_at_a_concurrency_it_is_a_doubt_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "LOOKS", (queue_grows_above(5.0),))
    queue = Queue(tmp_path, 20.0)
    found = searched(queue, objective="median_ttft_ms<60000", over=CONCURRENCY, highest=1)
    assert found.tried[0].met
    assert found.verdict(found.tried[0]) is Verdict.SUSPECT
    assert found.doubts() == [f"1 of 1 measurements at concurrency 1 is SUSPECT ({OVERLOAD})"]
