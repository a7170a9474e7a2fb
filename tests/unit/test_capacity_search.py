"""V2: a capacity search on one live server: every measurement is on record, and what is not done is not met."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from local_container import LocalContainer, UnderWay
from samples import a_bench, a_measurement, a_profile, a_record, result_bytes

from orchestrator.causes import Cause
from orchestrator.errors import BenchmarkFailed, Interrupted, OrchError, ServerFailed
from orchestrator.events import Event, Listener, unheard
from orchestrator.measuring import driver as session
from orchestrator.measuring.capacity import CapacitySearch
from orchestrator.measuring.events import MeasurementBegun
from orchestrator.measuring.found import Found, Tried
from orchestrator.measuring.search import FILE, LoadTried, SearchCutShort, run_search
from orchestrator.measuring.search_plan import SearchPlan, point_at
from orchestrator.metrics.objectives import parse_objective
from orchestrator.results.validity import Verdict
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


BENCH: dict[str, Any] = {"lengths": [[64, 16]], "num_prompts": [4], "warmup": 0}


def a_plan(**fields: Any) -> SearchPlan:
    usual: dict[str, Any] = {
        "over": "concurrency",
        "objectives": (parse_objective("mean_ttft_ms<52"),),
        "lowest": 1,
        "highest": 64,
        "repetitions": 1,
        "resolution": 0.0,
        "prompts_per_step": 2,
    }
    return SearchPlan(**{**usual, **fields})


def cut_short(told: list[Found]) -> Listener:
    """A listener that keeps what a search that was cut short has found."""

    def hear(event: Event) -> None:
        if isinstance(event, SearchCutShort):
            told.append(event.found)

    return hear


@pytest.fixture
def container(tmp_path: Path) -> Iterator[LocalContainer]:
    made = LocalContainer(tmp_path)
    yield made
    made.close()


def test_it_finds_the_highest_load_and_keeps_every_measurement(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench=BENCH))
    going.directory.update(measurements=())
    told: list[Tried] = []
    hear = lambda event: told.append(event.tried) if isinstance(event, LoadTried) else None  # noqa: E731
    found = run_search(going.sweep, going.bench, a_plan(repetitions=2), hear)
    going.sweep.close()
    assert found.search.capacity() == 10
    assert [item.load for item in found.tried] == [1, 2, 4, 8, 16, 12, 10, 11, 10, 11]
    assert told == list(found.tried)
    assert told[4].reasons == ("mean_ttft_ms<52 is missed: 80",)
    records = going.directory.records()
    assert [(record.state, record.repetition) for record in records[-2:]] == [(RunState.DONE, 2)] * 2
    assert len(records) == len(found.tried)
    assert len({record.seed for record in records}) == len(records)
    assert json.loads((going.directory.path / FILE).read_bytes()) == found.as_data()
    assert found.as_data()["statement"].startswith("the highest concurrency that meets the objectives is 10")


def test_a_measurement_that_fails_is_not_met(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench={**BENCH, "client_flags": {"behave": "short"}}))
    going.directory.update(measurements=())
    found = run_search(going.sweep, going.bench, a_plan(), unheard)
    going.sweep.close()
    assert (found.search.capacity(), found.search.limit()) == (None, 1)
    assert found.tried[0].reasons == ("1 of 128 output tokens",)
    assert found.doubts() == ["1 of 1 measurements at concurrency 1 is INVALID (incomplete)"]


def test_what_speaks_against_the_measurements_at_the_boundary_is_said(
    tmp_path: Path, container: LocalContainer
) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench=BENCH))
    going.directory.update(measurements=())
    found = run_search(going.sweep, going.bench, a_plan(highest=4), unheard)
    going.sweep.close()
    assert [found.verdict(item) for item in found.tried] == [Verdict.SUSPECT] * 3
    assert found.doubts()[0].startswith("1 of 1 measurements at concurrency 4 is SUSPECT (")
    assert "too-short" in found.doubts()[0]
    assert found.as_data()["statement"].endswith(f"; but {found.doubts()[0]}")
    assert [tried["verdict"] for tried in found.as_data()["tried"]] == ["SUSPECT"] * 3


@pytest.mark.parametrize(("over", "concurrency", "rate"), [("concurrency", 6, "inf"), ("request-rate", None, 6.0)])
def test_a_load_is_a_point_of_its_own_in_the_sweep_s_first_shape(
    over: str, concurrency: int | None, rate: float | str
) -> None:
    bench = a_bench(lengths=[[64, 16], [128, 16]], client_flags={"label": "x"})
    point = point_at(bench, a_plan(over=over, objectives=()), 6)
    assert (point.max_concurrency, point.request_rate, point.num_prompts) == (concurrency, rate, 12)
    assert (point.input_len, point.output_len) == (64, 16)
    assert json.loads(point.client_flags) == {"label": "x"}


def test_a_search_sets_the_load_and_keeps_the_rest_of_the_arrivals() -> None:
    bursty = a_bench(request_rate=[1], burstiness=0.5)
    assert point_at(bursty, a_plan(over="request-rate"), 6).burstiness == 0.5
    assert point_at(bursty, a_plan(over="concurrency"), 6).burstiness == 1.0
    rising = a_bench(ramp_up={"strategy": "linear", "from": 1, "to": 9})
    assert {point_at(rising, a_plan(over=over), 6).ramp_up for over in ("request-rate", "concurrency")} == {None}


def test_prompts_that_share_prefixes_are_as_many_as_these_can_share_evenly() -> None:
    bench = a_bench(lengths=None, num_prompts=9, dataset={"name": "prefix_repetition", "num_prefixes": 3})
    assert [point_at(bench, a_plan(), load).num_prompts for load in (1, 5)] == [9, 12]


def test_few_prompts_are_never_too_few() -> None:
    assert point_at(a_bench(), a_plan(), 1).num_prompts == 8


def test_the_client_is_told_the_bounds_that_it_can_count_by() -> None:
    point = point_at(a_bench(), a_plan(objectives=(parse_objective("p99_ttft_ms<2000"),)), 1)
    assert json.loads(point.client_flags) == {"goodput": ["ttft:2000"]}


def test_a_measurement_that_did_not_come_to_an_end_proves_nothing() -> None:
    cut_short = a_record(state=RunState.INTERRUPTED, metrics=None)
    search = CapacitySearch(4, 4, 1)
    search.tell(4, met=False)
    found = Found(a_plan(), search, (Tried(4, sustained=False, reasons=("not measured",), record=cut_short),))
    assert found.verdict(found.tried[0]) is Verdict.INVALID
    assert found.doubts() == ["1 of 1 measurements at concurrency 4 is INVALID (incomplete)"]


def test_measurements_that_nothing_is_wrong_with_leave_the_statement_alone() -> None:
    metrics = read_metrics(result_bytes(duration=10.0, mean_e2el_ms=100.0))
    search = CapacitySearch(4, 4, 1)
    search.tell(4, met=True)
    found = Found(a_plan(), search, (Tried(4, sustained=True, reasons=(), record=a_record(metrics=metrics)),))
    assert found.verdict(found.tried[0]) is Verdict.VALID
    assert found.statement() == search.statement("concurrency")


def test_a_percentile_of_too_few_requests_is_said_to_be_one() -> None:
    objectives = tuple(map(parse_objective, ("p99_ttft_ms<2000", "p90_ttft_ms<2000", "mean_ttft_ms<2000")))
    search, tried = CapacitySearch(4, 5, 1), []
    for load, met, requests in ((4, True, 400), (5, False, 500)):
        search.tell(load, met=met)
        metrics = read_metrics(result_bytes(duration=10.0, mean_e2el_ms=100.0, completed=requests))
        record = a_record(a_measurement(num_prompts=requests), metrics=metrics)
        tried.append(Tried(load, sustained=met, reasons=() if met else ("too slow",), record=record))
    found = Found(a_plan(objectives=objectives), search, tuple(tried))
    assert found.doubts() == ["p99_ttft_ms rests on as few as 400 requests, 662 make it reliable"]
    assert found.statement().endswith(f"; but {found.doubts()[0]}")
    assert [tried["thin"] for tried in found.as_data()["tried"]] == [["p99_ttft_ms"], ["p99_ttft_ms"]]


@pytest.mark.parametrize(
    ("at_four", "capacity", "said"),
    [
        ((True, True, True), 4, "the highest concurrency that meets the objectives is 4: met in 3 of 3"),
        ((True, False, True), 4, "; but 1 of 3 there miss the others (too little)"),
        (
            (False, False, True),
            2,
            "; but 2 of 3 there miss the others (too little), and 2 is the highest that meets all",
        ),
    ],
)
def test_what_bounds_from_below_is_counted_by_itself(at_four: tuple[bool, ...], capacity: int, said: str) -> None:
    search = CapacitySearch(2, 4, 3)
    tried = []
    for load, met in ((2, True), *((4, each) for each in at_four)):
        search.tell(load, met=True)
        metrics = read_metrics(result_bytes(duration=10.0, mean_e2el_ms=100.0, request_goodput=float(load)))
        tried.append(
            Tried(load, sustained=True, reasons=() if met else ("too little",), record=a_record(metrics=metrics))
        )
    found = Found(a_plan(), search, tuple(tried))
    assert (found.capacity(), found.goodput()) == (capacity, float(capacity))
    assert said in found.statement()


class Mortal(UnderWay):
    """A sweep whose server dies while it serves too much."""

    bears = 64

    def tell(self, event: Event) -> None:
        super().tell(event)
        if isinstance(event, MeasurementBegun) and event.record.parameters["max_concurrency"] > self.bears:
            self.server.fails_during = ServerFailed("the server was killed for its memory\nlog: …", "Give it more.")


def test_what_was_found_before_the_server_died_for_good_is_kept_and_told(
    tmp_path: Path, container: LocalContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.001)
    going = Mortal(tmp_path, container, a_profile(bench={**BENCH, "restarts": 1}))
    going.directory.update(measurements=())
    told: list[Found] = []
    plan = a_plan(objectives=(parse_objective("mean_ttft_ms<5000"),), highest=256)
    with pytest.raises(ServerFailed, match="killed for its memory"):
        run_search(going.sweep, going.bench, plan, cut_short(told))
    (found,) = told
    assert [item.load for item in found.tried] == [1, 2, 4, 8, 16, 32, 64, 128, 96]
    assert (found.search.capacity(), found.search.limit(), going.server.restarts) == (64, 96, 1)
    statement = found.statement()
    assert statement.startswith("the highest concurrency known to meet the objectives is 64: met in 1 of 1")
    assert "; but the search was cut short: the server was killed for its memory; 1 of 1" in statement
    assert json.loads((going.directory.path / FILE).read_bytes()) == found.as_data()
    assert found.as_data()["cut_short"] == "the server was killed for its memory"


def test_a_search_that_is_interrupted_keeps_what_it_has(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench=BENCH))
    going.directory.update(measurements=())

    told: list[Found] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, LoadTried) and event.tried.load == 2:
            raise Interrupted(signal.SIGINT)
        cut_short(told)(event)

    with pytest.raises(Interrupted):
        run_search(going.sweep, going.bench, a_plan(), interrupt)
    going.sweep.close()
    (found,) = told
    assert found.cut_short == Cause("interrupted", {"signal": "SIGINT"})
    assert "no higher concurrency than 2 was tried" in found.statement()
    assert json.loads((going.directory.path / FILE).read_bytes()) == found.as_data()


def test_a_client_that_never_ran_proves_nothing_of_any_load(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench={**BENCH, "client_flags": {"behave": "fail"}}))
    going.directory.update(measurements=())
    told: list[Found] = []
    with pytest.raises(BenchmarkFailed, match=r"^no client came to an end: ") as caught:
        run_search(going.sweep, going.bench, a_plan(), cut_short(told))
    going.sweep.close()
    assert str(going.directory.client_log(told[0].tried[0].record)) in caught.value.hint
    assert told[0].statement().startswith("nothing was measured; the search was cut short: no client came to an end: ")


def test_a_search_that_measured_nothing_has_found_nothing(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench=BENCH))
    going.sweep.close()
    told: list[Found] = []
    with pytest.raises(OrchError):
        run_search(going.sweep, going.bench, a_plan(), cut_short(told))
    assert told == []
    assert not (going.directory.path / FILE).exists()
