"""Promise V1: What happens within a measurement is found in the client's own details, and a sound course is none.

A small server of the test's serves requests step by step; what its client would have written is judged.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_measurement, a_record, result_bytes

from orchestrator.measuring.judge import incompleteness
from orchestrator.results.validity import Verdict, assess
from orchestrator.vllm.counters import Load, Served, read_served
from orchestrator.vllm.requests import RequestFigures
from orchestrator.vllm.result import read_details, read_metrics
from orchestrator.vllm.timeline import read_streams
from orchestrator.workload.arrival import RampUp

if TYPE_CHECKING:
    from orchestrator.results.validity import Assessment
    from orchestrator.runs.format.records import MeasurementRecord
    from orchestrator.workload.point import Point


@dataclass
class Steps:
    """A server that decodes all of its requests in steps, and reads prompts one a step before."""

    draw: random.Random
    slots: int = 256
    """Requests that it serves at once."""
    step_s: float = 0.020
    prompt_s: float = 0.010
    """What reading a prompt adds to a step."""
    context_s: float = 2e-7
    """What a token of context adds to a step, of each request."""
    joined: int = 1
    """Tokens in a chunk."""
    pace: Callable[[float], float] = field(default=lambda _at: 1.0)
    """By how much a step takes longer at some moment."""
    stall: tuple[float, float] | None = None
    """From which moment on it stands still once, and for how long."""

    def serve(self, point: Point, starts: list[float] | None = None) -> dict[str, Any]:
        """Return what a client writes about a point: all at once, as a limit allows, or at given moments."""
        prompt, output = point.input_len or 0, point.output_len or 0
        number, limit = point.num_prompts, point.max_concurrency or point.num_prompts
        now = 0.0
        waiting: list[int] = []
        running: dict[int, int] = {}
        done: dict[int, float] = {}
        sent = sorted(starts) if starts else []
        begun: list[float] = []
        chunks: dict[int, list[float]] = {}
        stalled = self.stall is None
        while len(done) < number:
            while len(begun) < number and len(begun) - len(done) < limit and (not sent or sent[len(begun)] <= now):
                waiting.append(len(begun))
                begun.append(sent[len(begun)] if sent else now)
            if not waiting and not running:
                now = sent[len(begun)]
                continue
            step = self.step_s * self.pace(now) * self.draw.gauss(1.0, 0.02)
            step += self.context_s * sum(prompt + made for made in running.values())
            if self.stall is not None and not stalled and now >= self.stall[0]:
                step, stalled = step + self.stall[1], True
            if waiting and len(running) < self.slots:
                running[waiting.pop(0)] = 0
                step += self.prompt_s
            now += step
            for request in list(running):
                running[request] += 1
                if running[request] == 1 or running[request] % self.joined == 0 or running[request] == output:
                    chunks.setdefault(request, []).append(now)
                if running[request] == output:
                    del running[request]
                    done[request] = now
        return self._written(point, begun, chunks, now)

    @staticmethod
    def _written(point: Point, begun: list[float], chunks: dict[int, list[float]], ended: float) -> dict[str, Any]:
        number, output = point.num_prompts, point.output_len or 0
        ttfts = [chunks[request][0] - begun[request] for request in range(number)]
        e2els = [chunks[request][-1] - begun[request] for request in range(number)]
        itls = [[after - before for before, after in itertools.pairwise(chunks[each])] for each in range(number)]
        return {
            "duration": ended, "completed": number, "total_input_tokens": number * (point.input_len or 0),
            "total_output_tokens": number * output, "request_throughput": number / ended,
            "output_throughput": number * output / ended, "mean_ttft_ms": 1000.0 * sum(ttfts) / number,
            "mean_e2el_ms": 1000.0 * sum(e2els) / number, "start_times": [500.0 + at for at in begun],
            "mean_tpot_ms": 20.0, "ttfts": ttfts, "itls": itls, "input_lens": [point.input_len] * number,
            "output_lens": [output] * number,
        }  # fmt: skip


def measured(point: dict[str, Any], written: dict[str, Any], **fields: object) -> MeasurementRecord:
    measurement = a_measurement(**point)
    raw = result_bytes(**written)
    details = read_details(raw, measurement.point)
    found = {"requests": details.requests, "sending_s": details.sending_s, "ttft_thirds_ms": details.ttft_thirds_ms}
    return a_record(measurement, metrics=read_metrics(raw), **{**found, **fields})


def judged(record: MeasurementRecord) -> Assessment:
    (found,) = assess([record]).values()
    return found


def reasons(record: MeasurementRecord) -> list[str]:
    return [reason.id for reason in judged(record).reasons]


def notes(record: MeasurementRecord) -> list[str]:
    return [note.id for note in judged(record).notes]


WAVES = {"num_prompts": 96, "max_concurrency": 16, "input_len": 512, "output_len": 96}
ONE_WAVE = {"num_prompts": 16, "max_concurrency": 16, "input_len": 512, "output_len": 256}
SHORT = {"num_prompts": 256, "max_concurrency": 64, "input_len": 2048, "output_len": 24}
LONG = {"num_prompts": 8, "max_concurrency": 8, "input_len": 64, "output_len": 1024}
SHAPES = [WAVES, ONE_WAVE, SHORT, LONG, {**ONE_WAVE, "num_prompts": 32}, {**WAVES, "max_concurrency": None}]
TIMES = 20


def found_in(shape: dict[str, Any], name: str, **server: Any) -> int:
    """Return in how many trials a reason is found."""
    point = a_measurement(**shape).point
    return sum(
        name in reasons(measured(shape, Steps(random.Random(f"{name}{number}"), **server).serve(point)))
        for number in range(TIMES)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("server", [{}, {"slots": 8}, {"context_s": 1e-6}, {"prompt_s": 0.1}])
def test_a_sound_server_has_a_steady_course(shape: dict[str, Any], server: dict[str, Any]) -> None:
    point = a_measurement(**shape).point
    found = [reasons(measured(shape, Steps(random.Random(number), **server).serve(point))) for number in range(5)]
    assert found == [[]] * 5


@pytest.mark.parametrize("shape", [WAVES, ONE_WAVE])
@pytest.mark.parametrize(
    "factor", [lambda at: 1.0 if at < 3.0 else 2.0, lambda at: 2.0 if at < 3.0 else 1.0, lambda at: 1.0 + at / 5.0]
)
def test_a_pace_that_changes_is_found_whichever_way_it_goes(
    shape: dict[str, Any], factor: Callable[[float], float]
) -> None:
    assert found_in(shape, "not-steady", pace=factor) >= 0.95 * TIMES


def test_another_tenant_that_comes_and_goes_is_found() -> None:
    assert found_in(WAVES, "not-steady", pace=lambda at: 1.6 if 4.0 < at < 8.0 else 1.0) >= 0.95 * TIMES


def test_a_ramp_is_never_unsteady() -> None:
    ramp = {**WAVES, "max_concurrency": None, "ramp_up": RampUp(strategy="linear", **{"from": 1, "to": 20})}
    starts = [4.0 * (number / 4) ** 0.5 for number in range(96)]
    record = measured(ramp, Steps(random.Random(1), context_s=2e-6).serve(a_measurement(**ramp).point, starts))
    assert record.requests is not None
    assert (record.requests.pace_ms, reasons(record)) == ((), [])


def test_a_pace_is_by_token_where_a_chunk_holds_several() -> None:
    point = a_measurement(**WAVES).point
    one, four = (measured(WAVES, Steps(random.Random(1), joined=joined).serve(point)).requests for joined in (1, 4))
    assert one is not None
    assert four is not None
    assert four.pace_ms[0] == pytest.approx(one.pace_ms[0], rel=0.1)
    assert four.tokens_per_chunk == pytest.approx(95 / 24, rel=0.05)


@pytest.mark.parametrize("at", [0.0, 1.0, 5.0])
def test_a_server_that_compiles_in_a_measurement_is_found_to_stand_still(at: float) -> None:
    assert found_in(WAVES, "stalled", stall=(at, 4.0)) >= 0.95 * TIMES


def test_a_stall_while_one_wave_is_decoded_is_found() -> None:
    assert found_in(ONE_WAVE, "stalled", stall=(2.0, 2.0)) >= 0.95 * TIMES


def test_a_long_prompt_is_no_stall() -> None:
    assert found_in({**WAVES, "num_prompts": 32, "input_len": 32768}, "stalled", prompt_s=3.0) == 0


def test_a_prompt_that_the_server_knew_makes_no_stall_of_reading_the_others() -> None:
    """As the one that a client's test request has put into the cache: its first token comes at once."""
    shape = {**ONE_WAVE, "input_len": 8192}
    written = Steps(random.Random(1), prompt_s=3.0).serve(a_measurement(**shape).point)
    written["ttfts"][0] = 0.05
    assert reasons(measured(shape, written)) == []


def test_a_server_with_fewer_places_than_requests_in_flight_is_noted_and_no_doubt() -> None:
    shape = {"num_prompts": 256, "max_concurrency": 64, "input_len": 128, "output_len": 32}
    written = Steps(random.Random(1), slots=16).serve(a_measurement(**shape).point)
    waited = 256 * 0.7 * written["mean_e2el_ms"] / 1000.0
    names = ("sum", "count")
    served = read_served(
        {f"vllm:request_queue_time_seconds_{name}": value for name, value in zip(names, (waited, 256.0), strict=True)}
    )
    record = measured(shape, written, served=served)
    assert (reasons(record), notes(record)) == ([], ["queued"])
    text = next(note.text for note in judged(record).notes)
    assert "of 64 requests in flight, 45 waited" in text
    quick = served.model_copy(update={"queue_sum_s": 0.2 * waited})
    assert notes(record.model_copy(update={"served": quick})) == []


@pytest.mark.parametrize(
    ("peak", "told"),
    [
        (Load(running=16, waiting=48, kv_cache_usage=0.5), ["queued"]),
        (Load(running=60, waiting=48, kv_cache_usage=0.5), []),
        (None, []),
    ],
)
def test_a_server_that_keeps_no_queue_times_is_judged_by_its_load(peak: Load | None, told: list[str]) -> None:
    shape = {"num_prompts": 256, "max_concurrency": 64}
    written = {"duration": 10.0, "completed": 256, "total_input_tokens": 16384, "mean_e2el_ms": 2000.0}
    record = measured(shape, written, served=read_served({"vllm:prompt_tokens_total": 16384.0}), peak=peak)
    assert notes(record) == told


def test_as_many_prompts_as_requests_in_flight_are_one_wave() -> None:
    record = measured(ONE_WAVE, Steps(random.Random(1)).serve(a_measurement(**ONE_WAVE).point))
    assert notes(record) == ["one-wave"]
    assert record.requests is not None
    assert record.requests.full_share is not None
    assert f"for {1 - record.requests.full_share:.0%} of the time" in judged(record).notes[0].text
    assert notes(measured(WAVES, Steps(random.Random(1)).serve(a_measurement(**WAVES).point))) == []
    alone = {**ONE_WAVE, "num_prompts": 1, "max_concurrency": 1}
    assert notes(measured(alone, Steps(random.Random(1)).serve(a_measurement(**alone).point))) == []


def test_older_clients_that_do_not_say_when_requests_began_are_judged_alike() -> None:
    point = a_measurement(**WAVES).point
    written = Steps(random.Random(1)).serve(point)
    told = read_streams(written, point)
    assert told
    del written["start_times"]
    worked_out = read_streams(written, point)
    assert max(abs(one.start - other.start) for one, other in zip(told, worked_out, strict=True)) < 0.05
    slow = Steps(random.Random(1), pace=lambda at: 1.0 if at < 3.0 else 2.0).serve(point)
    del slow["start_times"]
    assert reasons(measured(WAVES, slow)) == ["not-steady"]


def test_where_nothing_says_when_requests_began_nothing_is_made_up() -> None:
    point = a_measurement(**{**WAVES, "request_rate": 5.0}).point
    written = Steps(random.Random(1)).serve(a_measurement(**WAVES).point)
    del written["start_times"]
    assert read_streams(written, point) == ()
    written["duration"] *= 2.0
    assert read_streams(written, a_measurement(**WAVES).point) == ()


CHUNKED: dict[str, float] = {"vllm:prefix_cache_queries_total": 512.0, "vllm:prompt_tokens_total": 512.0}


@pytest.mark.parametrize(
    ("tokens", "counted", "doubts"),
    [
        (1.5, CHUNKED, ["chunked"]),
        (4.0, CHUNKED, ["chunked"]),
        (1.4, CHUNKED, []),
        (4.0, {**CHUNKED, "vllm:spec_decode_num_drafts_total": 9.0}, []),
        (4.0, {"vllm:prompt_tokens_total": 512.0}, []),  # V0 may draft and say so later
    ],
)
def test_chunks_of_several_tokens_are_a_doubt_unless_tokens_are_drafted(
    tokens: float, counted: dict[str, float], doubts: list[str]
) -> None:
    figures = {"duration": 10.0, "mean_e2el_ms": 100.0}
    seen = RequestFigures(gaps=100, tokens_per_chunk=tokens)
    assert reasons(measured({}, figures, requests=seen, served=read_served(counted))) == doubts


def rated(**fields: object) -> MeasurementRecord:
    figures = {"duration": 10.0, "mean_e2el_ms": 100.0, "mean_ttft_ms": 40.0}
    return measured({"request_rate": 5.0, "max_concurrency": 4}, figures, **fields)


@pytest.mark.parametrize(
    ("seen", "doubts"),
    [
        (RequestFigures(client_queue_ms=21.0), ["client-queue"]),
        (RequestFigures(client_queue_ms=20.0), []),
        (RequestFigures(client_queue_ms=0.1, at_limit=1.0), []),
        (RequestFigures(at_limit=0.5), ["client-queue"]),
        (RequestFigures(at_limit=0.4), []),
    ],
)
def test_requests_that_wait_in_the_client_are_a_doubt(seen: RequestFigures, doubts: list[str]) -> None:
    assert reasons(rated(requests=seen)) == doubts


def test_without_a_rate_waiting_in_the_client_is_how_a_limit_works() -> None:
    figures = {"duration": 10.0, "mean_e2el_ms": 2000.0}
    assert reasons(measured({"max_concurrency": 4}, figures, requests=RequestFigures(client_queue_ms=9e3))) == []


def test_an_old_client_does_not_say_whether_requests_waited_in_it() -> None:
    assert "client-queue" in [each.id for each in judged(rated(requests=RequestFigures())).unchecked]
    assert "client-queue" not in [each.id for each in judged(rated(requests=RequestFigures(at_limit=0.0))).unchecked]


@pytest.mark.parametrize(("slots", "doubts"), [(2, ["client-queue"]), (64, [])])
def test_a_limit_that_holds_requests_back_shows_in_when_they_were_sent(slots: int, doubts: list[str]) -> None:
    draw = random.Random(3)
    point = {"request_rate": 5.0, "max_concurrency": slots, "num_prompts": 60, "output_len": None}
    arrival, places, starts, took = 0.0, [0.0] * slots, [], []
    for _ in range(60):
        arrival += draw.expovariate(5.0)
        starts.append(max(arrival, places[0]) + 0.0005)
        took.append(draw.uniform(0.4, 0.8))
        heapq.heapreplace(places, starts[-1] + took[-1])
    written = {
        "duration": max(places), "completed": 60, "total_input_tokens": 3840, "total_output_tokens": 960,
        "start_times": starts, "ttfts": [0.05] * 60, "itls": [[0.02] * round((each - 0.05) / 0.02) for each in took],
        "mean_e2el_ms": 600.0, "mean_ttft_ms": 50.0, "output_lens": [round((each - 0.05) / 0.02) + 1 for each in took],
    }  # fmt: skip
    found = reasons(measured(point, written, client_version="0.20.2", argv=("vllm", "bench", "serve")))
    assert [name for name in found if name != "rate-missed"] == doubts


@pytest.mark.parametrize(
    ("lengths", "point", "doubts"),
    [
        ([64] * 16, {}, []),
        ([64] * 5 + [80] * 3, {}, ["prompt-length"]),
        ([64] * 12 + [80] * 4, {}, []),
        ([64] * 8 + [56] * 4 + [72] * 4, {}, []),
        ([32] * 8 + [96] * 8, {}, ["prompt-length"]),
        ([32] * 8 + [96] * 8, {"dataset_options": '{"range_ratio":0.5}'}, []),
        ([20] * 8 + [96] * 8, {"dataset_options": '{"range_ratio":0.5}'}, ["prompt-length"]),
        ([32] * 8 + [96] * 8, {"input_len": None, "dataset": "sharegpt"}, []),
        ([32] * 8 + [96] * 8, {"backend": "openai-chat"}, []),
        ([72] * 8, {"dataset_options": '{"prefix_len":8}'}, []),
    ],
)
def test_each_prompt_has_the_length_that_was_asked_for(
    lengths: list[int], point: dict[str, Any], doubts: list[str]
) -> None:
    """The mean alone says nothing of prompts half as long and half as long again."""
    number = len(lengths)
    written = {"duration": 10.0, "mean_e2el_ms": 1000.0, "completed": number, "input_lens": lengths}
    assert reasons(measured({"num_prompts": number, **point}, written)) == doubts


@pytest.mark.parametrize(
    ("outputs", "point", "off"),
    [
        ([16] * 8, {}, 0),
        ([15, 17] * 4, {}, 8),
        ([8, 24] * 4, {"dataset_options": '{"range_ratio":0.5}'}, 0),
        ([7, 25] * 4, {"dataset_options": '{"range_ratio":0.5}'}, 8),
        ([16] * 7 + [40], {"dataset_options": '{"range_ratio":0.5}'}, 1),
        ([1] * 8, {"ignore_eos": False}, 0),
        ([17] * 8, {"ignore_eos": False, "dataset_options": '{"range_ratio":{"input":0.0,"output":0.0}}'}, 8),
        ([99] * 8, {"output_len": None}, 0),
        ([99] * 8, {"client_flags": '{"random-range-ratio":0.3}'}, 0),
    ],
)
def test_an_answer_outside_its_range_is_not_what_was_asked_for(
    outputs: list[int], point: dict[str, Any], off: int
) -> None:
    measurement = a_measurement(**point)
    raw = result_bytes(output_lens=outputs, total_output_tokens=sum(outputs), duration=10.0)
    figures = read_details(raw, measurement.point).requests
    assert figures is None or (figures.outputs_off or 0) == off
    told = incompleteness(measurement.point, read_metrics(raw), figures)
    assert bool(told) == bool(off)


BUCKETS = {"0.1": 0.0, "0.25": 7.0, "0.5": 8.0, "+Inf": 8.0}


def with_buckets(counts: dict[str, float]) -> Served:
    totals = {f'vllm:time_to_first_token_seconds_bucket{{le="{edge}"}}': count for edge, count in counts.items()}
    sums = {"vllm:time_to_first_token_seconds_sum": 8 * 0.2, "vllm:time_to_first_token_seconds_count": 8.0}
    return read_served({**totals, **sums})


@pytest.mark.parametrize(
    ("p99", "busy", "said"),
    [
        (640.0, 0.1, "P99 TTFT of 640 ms, the server of at most 500 ms: the rest passed between client and engine"),
        (640.0, 0.8, "the client was busy"),
        (620.0, 0.1, None),
    ],
)
def test_the_slowest_first_tokens_are_compared_with_the_server_s_too(p99: float, busy: float, said: str | None) -> None:
    figures = {"duration": 10.0, "mean_e2el_ms": 900.0, "mean_ttft_ms": 210.0, "p90_ttft_ms": 300.0, "p99_ttft_ms": p99}
    found = judged(measured({}, figures, served=with_buckets(BUCKETS), client_busy=busy))
    told = [reason.text for reason in found.reasons if reason.id == "client-ttft"]
    assert (said is None) == (told == [])
    assert said is None or said in told[0]


def test_what_nobody_could_check_stands_beside_the_verdict() -> None:
    found = judged(measured({}, {"duration": 10.0, "mean_e2el_ms": 100.0}))
    assert found.verdict is Verdict.VALID
    assert [each.id for each in found.unchecked] == ["details", "client-busy", "counters", "node"]
    v0 = read_served({"vllm:prompt_tokens_total": 512.0, "vllm:request_success_total": 8.0})
    found = judged(measured({}, {"duration": 10.0, "mean_e2el_ms": 100.0}, served=v0, client_busy=0.1))
    assert "prefix-cache" in [each.id for each in found.unchecked]
    assert "counters" not in [each.id for each in found.unchecked]


def test_probes_that_nobody_counted_leave_others_requests_unchecked() -> None:
    argv = ("vllm", "bench", "serve", "--probe-request-rate", "2")
    served = read_served({"vllm:request_success_total": 80.0, "vllm:prefix_cache_queries_total": 0.0})
    found = judged(measured({}, {"duration": 10.0, "mean_e2el_ms": 100.0}, served=served, argv=argv))
    assert "foreign-requests" in [each.id for each in found.unchecked]
    assert [reason.id for reason in found.reasons] == []


def test_drafts_for_random_prompts_are_noted() -> None:
    counted = {"vllm:spec_decode_num_drafts_total": 10.0, "vllm:spec_decode_num_accepted_tokens_total": 8.0}
    served = read_served({**counted, "vllm:prefix_cache_queries_total": 0.0})
    figures = {"duration": 10.0, "mean_e2el_ms": 100.0, "completed": 9}
    record = measured({"num_prompts": 9, "max_concurrency": 3}, figures, served=served)
    (note,) = judged(record).notes
    assert note.id == "speculation-random"
    assert "1.80 tokens a step" in note.text
    real = measured({"dataset": "sharegpt", "max_concurrency": 3, "input_len": None}, figures, served=served)
    assert notes(real) == []


def test_prompts_a_little_longer_than_asked_for_are_noted() -> None:
    served = read_served({"vllm:prompt_tokens_total": 64.0 * 9 * 1.024, "vllm:request_success_total": 9.0})
    record = measured(
        {"num_prompts": 9, "max_concurrency": 3},
        {"duration": 10.0, "mean_e2el_ms": 1000.0, "completed": 9, "total_output_tokens": 144},
        served=served,
    )
    (note,) = judged(record).notes
    assert (note.id, "+2.4%" in note.text) == ("prompts-off", True)
