"""Promises V1 and V2: VALID, SUSPECT or INVALID with every reason, and percentiles that know their sample size."""

from __future__ import annotations

import heapq
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_measurement, a_record, result_bytes

from orchestrator.results import validity
from orchestrator.results.validity import LOOKS, SAMPLES_FOR, Assessment, Verdict, assess, thin_percentiles
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.counters import CUT_OFF, ENDED, read_served
from orchestrator.vllm.result import read_details, read_metrics

if TYPE_CHECKING:
    from orchestrator.runs.format.records import MeasurementRecord

SOUND = {"duration": 10.0, "mean_e2el_ms": 100.0}
"""Figures that nothing is wrong with."""
COUNTERS = {
    "requests": ENDED,
    "cut_off": CUT_OFF,
    "prompt": "vllm:prompt_tokens_total",
    "generated": "vllm:generation_tokens_total",
    "queries": "vllm:prefix_cache_queries_total",
    "hits": "vllm:prefix_cache_hits_total",
    "preempted": "vllm:num_preemptions_total",
    "ttft_s": "vllm:time_to_first_token_seconds_sum",
    "ttft_count": "vllm:time_to_first_token_seconds_count",
}


def served(**counters: float | None) -> dict[str, Any]:
    """Return what the server counted; None for what it does not count."""
    requests = counters.get("requests", 8.0)
    prompt = 64.0 * max(requests or 0.0, 8.0)
    usual = {"requests": requests, "prompt": prompt, "queries": prompt, **counters}
    return {"served": read_served({COUNTERS[name]: value for name, value in usual.items() if value is not None})}


def sent(requests: int, seconds: float) -> dict[str, Any]:
    return {"figures": {"completed": requests}, "sending_s": seconds}


def queued(requests: int, *thirds_ms: float) -> dict[str, Any]:
    return {"figures": {"completed": requests}, "ttft_thirds_ms": thirds_ms}


def record(
    figures: dict[str, Any] | None = None, point: dict[str, Any] | None = None, **fields: object
) -> MeasurementRecord:
    metrics = read_metrics(result_bytes(**{**SOUND, **(figures or {})}))
    return a_record(a_measurement(**(point or {})), metrics=metrics, **fields)


def alone(measured: MeasurementRecord) -> Assessment:
    (found,) = assess([measured]).values()
    return found


def ids(assessment: Assessment) -> list[str]:
    return [reason.id for reason in assessment.reasons]


def test_figures_that_nothing_is_wrong_with_are_valid() -> None:
    assert ids(alone(record(**served()))) == []
    assert alone(record(**served())).verdict is Verdict.VALID
    assert alone(record()).verdict is Verdict.VALID


def test_a_measurement_that_failed_is_invalid_for_its_own_reasons() -> None:
    found = alone(record(state=RunState.FAILED, reasons=("7 of 8 requests completed", "1 requests failed")))
    assert found.verdict is Verdict.INVALID
    assert [reason.text for reason in found.reasons] == ["7 of 8 requests completed", "1 requests failed"]
    assert found.thin == ("p90", "p95", "p99")


@pytest.mark.parametrize("state", [RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED])
def test_what_has_not_ended_is_not_assessed(state: RunState) -> None:
    assert assess([record(state=state)]) == {}


DOUBTS: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "measured too short": (
        "too-short",
        [{"figures": {"duration": 0.99}}],
        [{"figures": {"duration": 1.0}}],
    ),
    "the load client is saturated": (
        "client-saturated",
        [{"client_busy": 0.8}, {"client_busy": 1.0}],
        [
            {"client_busy": 0.79},
            {"client_busy": None, "cpu_s": 100.0},
            {"client_busy": 1.0, "argv": ("/opt/vllm/vllm-rs", "bench", "serve")},
        ],
    ),
    "the stream came in one piece": (
        "buffered",
        [
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": 1.0}},
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": 0.0}, "point": {"output_len": None, "input_len": None}},
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": 1.0, "total_output_tokens": 65}},
        ],
        [
            {"figures": {"mean_ttft_ms": 90.0, "mean_tpot_ms": 1.0}},
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": 1.01}},
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": None}},
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": 1.0, "total_output_tokens": 64}},
            {"figures": {"mean_ttft_ms": 91.0, "mean_tpot_ms": 1.0, "mean_e2el_ms": None}},
        ],
    ),
    "prompts were found in the prefix cache": (
        "prefix-cache",
        [
            served(hits=26.0),
            served(hits=17.0, queries=32.0),  # blocks of 16 tokens, as V1 of vLLM 0.8 counts
            {**served(hits=26.0), "point": {"dataset": "sharegpt", "input_len": None}},
        ],
        [
            served(hits=25.0),
            served(hits=1.0, queries=32.0),
            served(hits=0.0, queries=0.0),
            {**served(hits=512.0), "point": {"dataset": "prefix_repetition"}},
            {**served(hits=512.0), "point": {"dataset": "sonnet"}},
            {**served(hits=512.0, prompt=72.0 * 8), "point": {"dataset_options": '{"prefix_len":8}'}},
        ],
    ),
    "prompts were longer or shorter than asked": (
        "prompt-length",
        [
            served(prompt=64.0 * 8 * 1.11),
            served(prompt=64.0 * 8 * 0.89),
            {**served(), "point": {"dataset_options": '{"prefix_len":8}'}},
            {**served(), "point": {"input_len": None}, "figures": {"total_input_tokens": 450}},
            {**served(), "point": {"dataset_options": '{"range_ratio":0.5}'}, "figures": {"total_input_tokens": 450}},
            {**served(), "point": {"dataset": "sonnet"}, "figures": {"total_input_tokens": 450}},
        ],
        [
            served(prompt=64.0 * 8 * 1.09),
            served(prompt=64.0 * 9, requests=9.0),
            served(prompt=64.0 * 8 + 4.0, requests=10.0),
            {
                **served(prompt=64.0 * 3, requests=3.0, generated=48.0),
                "figures": {"completed": 2, "total_input_tokens": 128, "total_output_tokens": 32},
                "point": {"input_len": None},
            },
            served(prompt=0.0),
            {**served(prompt=72.0 * 8), "point": {"dataset_options": '{"prefix_len":8}'}},
            {**served(prompt=300.0), "point": {"input_len": None}, "figures": {"total_input_tokens": 310}},
            {**served(prompt=1.0), "point": {"input_len": None}, "figures": {"total_input_tokens": 0}},
        ],
    ),
    "requests were preempted": ("preempted", [served(preempted=1.0)], [served(preempted=0.0)]),
    "the rate was not reached": (
        "rate-missed",
        [
            {**sent(801, 445.0), "point": {"request_rate": 2.0, "burstiness": 1000.0}},
            {**sent(1001, 560.0), "point": {"request_rate": 2.0}},
            {**sent(16, 14.7), "point": {"request_rate": 2.0}},
            {**sent(2, 3.4), "point": {"request_rate": 2.0}},
            {**sent(16, 9.0), "point": {"request_rate": 2.0, "burstiness": 100.0}},
        ],
        [
            {**sent(801, 444.0), "point": {"request_rate": 2.0, "burstiness": 1000.0}},
            {**sent(1001, 550.0), "point": {"request_rate": 2.0}},
            {**sent(16, 14.6), "point": {"request_rate": 2.0}},
            {**sent(16, 14.7), "point": {"request_rate": 2.0, "burstiness": 0.5}},
            {**sent(2, 3.3), "point": {"request_rate": 2.0}},
            {**sent(1, 0.0), "point": {"request_rate": 2.0}},
            {**sent(8, 0.0), "point": {"request_rate": 2.0}},
            {**sent(8, 99.0), "point": {"request_rate": "inf"}},
            {"figures": {"request_throughput": 0.1}, "point": {"request_rate": 2.0}},
        ],
    ),
    "the concurrency was not reached": (
        "concurrency-missed",
        [{"figures": {"request_throughput": 19.0}, "point": {"max_concurrency": 4}}],
        [
            {"figures": {"request_throughput": 20.0}, "point": {"max_concurrency": 4}},
            {"figures": {"request_throughput": 19.0, "mean_e2el_ms": None}, "point": {"max_concurrency": 4}},
            {"figures": {"request_throughput": 2.0}, "point": {"max_concurrency": 4, "request_rate": 2.0}},
        ],
    ),
    "the client saw first tokens late": (
        "client-ttft",
        [
            {"figures": {"mean_ttft_ms": 41.0}, **served(ttft_s=0.16, ttft_count=8.0)},
            {"figures": {"mean_ttft_ms": 41.0}, **served(requests=9.0, ttft_s=0.16, ttft_count=9.0)},
        ],
        [
            {"figures": {"mean_ttft_ms": 40.0}, **served(ttft_s=0.16, ttft_count=8.0)},
            {"figures": {"mean_ttft_ms": 40.0}, **served(requests=9.0, ttft_s=0.16, ttft_count=9.0)},
            {"figures": {"mean_ttft_ms": 50.0}, **served()},
        ],
    ),
    "it got slower": ("not-steady", [{"tpot_trend": 1.21}], [{"tpot_trend": 1.2}, {"tpot_trend": None}]),
    "its queue grew": (
        "queue-grows",
        [
            {**queued(25, 100.0, 2000.0, 6101.0), "point": {"request_rate": 2.0}},
            {**queued(25, 100.0, 501.0, 701.0), "point": {"request_rate": 2.0, "burstiness": 100.0}},
            {**queued(3001, 1000.0, 50_000.0, 71_000.0), "point": {"request_rate": 2.0}},
        ],
        [
            {**queued(25, 100.0, 2000.0, 6099.0), "point": {"request_rate": 2.0}},
            {**queued(25, 100.0, 501.0, 699.0), "point": {"request_rate": 2.0, "burstiness": 100.0}},
            {**queued(25, 1000.0, 1501.0, 1900.0), "point": {"request_rate": 2.0, "burstiness": 100.0}},
            {**queued(3001, 1000.0, 30_000.0, 49_000.0), "point": {"request_rate": 2.0}},
            {**queued(3001, 1000.0, 90_000.0, 89_000.0), "point": {"request_rate": 2.0}},
            {**queued(3001, 1000.0, 999.0, 90_000.0), "point": {"request_rate": 2.0}},
            {**queued(25, 100.0, 2000.0, 90_000.0), "point": {"request_rate": "inf"}},
            {"ttft_thirds_ms": None, "point": {"request_rate": 2.0}},
        ],
    ),
    "the server was not idle": ("not-idle", [{"idle_before": False}], [{"idle_before": True}, {"idle_before": None}]),
    "the warm-up failed": ("not-warm", [{"warm_before": False}], [{"warm_before": True}, {"warm_before": None}]),
    "somebody else used the server": (
        "foreign-requests",
        [served(requests=11.0), served(requests=11.0, prompt=64.0 * 8 + 3.0)],
        [served(requests=10.0), served(requests=None)],
    ),
    "the server's counters were lost": ("counters-lost", [{"served_lost": True}], [{"served_lost": False}]),
    "answers were cut off": (
        "cut-off",
        [
            served(requests=7.0),
            served(requests=9.0, cut_off=2.0),
            served(requests=0.0),
            served(generated=143.0),
        ],
        [
            served(generated=142.0),
            served(generated=100.0),
            served(requests=9.0, generated=256.0),
            served(requests=9.0, cut_off=1.0),
            served(requests=None, generated=256.0),
        ],
    ),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_doubt_makes_figures_suspect_and_keeps_them(doubt: str) -> None:
    name, doubtful, sound = DOUBTS[doubt]
    for case in doubtful:
        found = alone(record(**case))
        assert ids(found) == [name], case
        assert found.verdict is Verdict.SUSPECT
        assert found.reasons[0].text
    for case in sound:
        assert ids(alone(record(**case))) == [], case


@pytest.mark.parametrize("burstiness", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("requests", [2, 16, 200])
def test_a_rate_is_rarely_missed_by_chance_alone(requests: int, burstiness: float) -> None:
    draw = random.Random(f"{requests}/{burstiness}")
    point = {"request_rate": 2.0, "burstiness": burstiness}

    def measured() -> MeasurementRecord:
        gaps = (draw.gammavariate(burstiness, 1.0 / (2.0 * burstiness)) for _ in range(requests - 1))
        return record(point=point, **sent(requests, sum(gaps)))

    assert sum(ids(alone(measured())) == ["rate-missed"] for _ in range(1000)) <= 6


@pytest.mark.parametrize(
    ("requests", "load", "doubts"),
    [(24, 0.8, 0), (100, 0.8, 0), (400, 0.95, 5), (100, 2.0, 200), (400, 1.5, 200), (24, 4.0, 200)],
)
def test_a_queue_that_grows_is_told_from_one_that_comes_and_goes(requests: int, load: float, doubts: int) -> None:
    draw = random.Random(f"{requests}/{load}")
    found = 0
    for _ in range(200):
        arrival, free, starts, ttfts = 0.0, [0.0] * 8, [], []
        for _ in range(requests):
            arrival += draw.expovariate(10.0 * load)
            begun = max(arrival, free[0])
            heapq.heapreplace(free, begun + draw.uniform(0.6, 1.0))  # eight at once, ten a second
            starts.append(arrival)
            ttfts.append(begun - arrival + draw.uniform(0.04, 0.06))
        details = read_details(result_bytes(start_times=starts, ttfts=ttfts))
        point = {"request_rate": 10.0 * load}
        fields: dict[str, Any] = {"ttft_thirds_ms": details.ttft_thirds_ms, "figures": {"completed": requests}}
        found += "queue-grows" in ids(alone(record(point=point, **fields)))
    assert found >= 190 if doubts == 200 else found <= doubts


def test_there_is_a_case_for_every_doubt() -> None:
    assert len(DOUBTS) == len(LOOKS)


@pytest.mark.parametrize("place", ["docs/metrics.md", "docs/metrics.zh-CN.md", "tests/e2e/test_validity.py"])
def test_every_reason_is_explained_and_provoked_with_a_real_client(place: str) -> None:
    names = re.findall(r'Reason\(\s*"([a-z-]+)"', Path(validity.__file__).read_text(encoding="utf-8"))
    assert len(names) == len(LOOKS) + 3
    text = (Path(__file__).parents[2] / place).read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text and f'"{name}"' not in text] == []


def test_every_doubt_is_told() -> None:
    found = alone(record({"duration": 0.5}, idle_before=False, **served(preempted=2.0)))
    assert set(ids(found)) == {"too-short", "not-idle", "preempted"}


def repeated(*throughputs: float, first: int = 1) -> list[MeasurementRecord]:
    return [
        record({"output_throughput": value}, repetition=number) for number, value in enumerate(throughputs, start=first)
    ]


@pytest.mark.parametrize(
    ("throughputs", "doubts"),
    [
        ((100.0,), []),
        ((100.0, 109.0), []),
        ((100.0, 112.0), ["spread"]),
        ((100.0, 105.0, 109.0), []),
        ((89.0, 100.0, 100.0), ["spread", "first-slow"]),
        ((112.0, 100.0, 100.0), ["spread"]),
    ],
)
def test_repetitions_that_disagree_are_all_suspect(throughputs: tuple[float, ...], doubts: list[str]) -> None:
    found = assess(repeated(*throughputs))
    assert len(found) == len(throughputs)
    assert all(ids(assessment) == doubts for assessment in found.values())


def test_a_first_repetition_that_is_not_there_was_not_slow() -> None:
    found = assess(repeated(89.0, 100.0, 100.0, first=2))
    assert all(ids(assessment) == ["spread"] for assessment in found.values())


def test_repetitions_are_compared_in_their_order_however_they_come() -> None:
    found = assess(reversed(repeated(89.0, 100.0, 100.0)))
    assert all("first-slow" in ids(assessment) for assessment in found.values())


def test_a_repetition_that_failed_is_no_disagreement() -> None:
    bad = record({"output_throughput": 1.0}, state=RunState.FAILED, reasons=("no",), repetition=3)
    found = assess([*repeated(100.0, 101.0), bad])
    assert [assessment.verdict for assessment in found.values()] == [Verdict.VALID, Verdict.VALID, Verdict.INVALID]


def test_points_do_not_share_doubts() -> None:
    found = assess([*repeated(100.0, 150.0), record(point={"num_prompts": 9}, figures={"completed": 9})])
    assert sorted(len(assessment.reasons) for assessment in found.values()) == [0, 1, 1]


@pytest.mark.parametrize(
    ("requests", "thin"),
    [
        (1, ("p90", "p95", "p99")),
        (63, ("p90", "p95", "p99")),
        (64, ("p95", "p99")),
        (129, ("p95", "p99")),
        (130, ("p99",)),
        (661, ("p99",)),
        (662, ()),
    ],
)
def test_a_percentile_needs_enough_requests(requests: int, thin: tuple[str, ...]) -> None:
    assert thin_percentiles(requests) == thin


def binomial_tail(requests: int, share: float) -> float:
    """The chance that the largest of so many requests lies above a percentile, and one more does."""
    none = share**requests
    one = requests * (1 - share) * share ** (requests - 1)
    return 1 - none - one


def test_the_numbers_of_requests_are_those_of_99_percent_confidence() -> None:
    for name, requests in SAMPLES_FOR.items():
        share = int(name[1:]) / 100
        assert binomial_tail(requests, share) >= 0.99, name
        assert binomial_tail(requests - 1, share) < 0.99, name
