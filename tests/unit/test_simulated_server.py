"""Promise V1: The simulated server keeps the laws of queues and tokens, and writes what clients and servers write."""

from __future__ import annotations

import itertools
import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from samples import a_point
from simulation.client import Played, play
from simulation.counters import Tally
from simulation.judged import measure, take
from simulation.result import result_bytes
from simulation.server import Foreign, Setup, Slow, Trouble, setup
from simulation.stream import statistics_ms

from orchestrator.results.validity import Verdict
from orchestrator.vllm.counters import Served, read_served, sample_totals
from orchestrator.workload.arrival import RampUp
from orchestrator.workload.point import Point

FIXTURES = Path(__file__).parents[1] / "fixtures" / "vllm"
OLD_V0, OLD_V1, NEW = setup("0.8.5", "v0"), setup("0.8.5", "v1"), setup("0.32.0")
SETUPS = {"0.8.5 V0": OLD_V0, "0.8.5 V1": OLD_V1, "0.32": NEW}
each_setup = pytest.mark.parametrize("server", SETUPS.values(), ids=SETUPS)


def shaped(**parameters: object) -> Point:
    return a_point(**{"input_len": 256, "output_len": 128, "num_prompts": 96, "max_concurrency": 32, **parameters})


def written(played: Played) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(result_bytes(played))
    return data


def served(played: Played) -> Served:
    """What the server counted, the client's own test request included."""
    tally = Tally()
    before = tally.text(played.setup.server)
    tally.add(played)
    after = tally.text(played.setup.server)
    return read_served(sample_totals(after)).since(read_served(sample_totals(before)))


@each_setup
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_clean_measurement_is_valid(server: Setup, seed: int) -> None:
    _, verdicts = measure(server, shaped(), seed)
    assert verdicts.doubts == set()
    assert verdicts.assessments[0].verdict is Verdict.VALID


@each_setup
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(server: Setup) -> None:
    first, again, other = (result_bytes(play(server, Trouble(), shaped(), seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_mean_concurrency_is_throughput_times_latency() -> None:
    found = written(play(NEW, Trouble(), shaped(), 1))
    starts = found["start_times"]
    ends = [start + latency for start, latency in zip(starts, found["latencies"], strict=True)]
    moments = sorted([(start, 1) for start in starts] + [(end, -1) for end in ends])
    flying = list(itertools.accumulate(change for _, change in moments))
    area = sum(
        count * (later - earlier) for count, (earlier, _), (later, _) in zip(flying, moments, moments[1:], strict=False)
    )
    assert max(flying) == 32
    little = found["request_throughput"] * found["mean_e2el_ms"] / 1000.0
    assert area / found["duration"] == pytest.approx(little, rel=1e-9)


@each_setup
def test_tokens_are_neither_lost_nor_found(server: Setup) -> None:
    played = play(server, Trouble(), shaped(), 1)
    found, counted, tests = written(played), served(played), int(server.client.tests_first)
    assert found["output_lens"] == [128] * 96
    assert found["total_output_tokens"] == 96 * 128 == counted.generation_tokens - 128 * tests
    assert counted.requests == counted.ttft_count == 96 + tests
    assert sum(played.engine.batch) == 96 * 127, "a step gives a token to each request of its batch"
    assert [len(gaps) for gaps in found["itls"]] == [127] * 96
    spans = zip(found["ttfts"], found["itls"], strict=True)
    assert statistics.fmean(ttft + sum(gaps) for ttft, gaps in spans) * 1000.0 == pytest.approx(found["mean_e2el_ms"])


FORMS = {
    "0.8.5/result-script": setup("0.8.5", client="script"),
    "0.8.5/result-bench": OLD_V1,
    "0.9.2/result-bench": setup("0.9.2"),
    "0.14.1/result-bench": setup("0.14.1"),
    "0.32.0/result-detailed": NEW,
}


@pytest.mark.parametrize(("real", "server"), FORMS.items())
def test_results_have_the_keys_the_order_and_the_types_of_real_ones(real: str, server: Setup) -> None:
    known: dict[str, Any] = json.loads((FIXTURES / f"{real}.json").read_bytes())
    limit = known["max_concurrency"]
    found = written(play(server, Trouble(), shaped(num_prompts=8, max_concurrency=limit), 1))
    assert list(found) == list(known)
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in known.items()}


@pytest.mark.parametrize(("server", "version"), [(OLD_V0, "0.8.5"), (NEW, "0.32.0")])
def test_counters_have_the_names_and_labels_of_real_ones(server: Setup, version: str) -> None:
    real = (FIXTURES / version / "metrics.txt").read_text(encoding="utf-8").splitlines()
    tally = Tally()
    tally.add(play(server, Trouble(), shaped(num_prompts=4), 1))
    found = tally.text(server.server).splitlines()
    series = {shape(line) for line in real if line.startswith("vllm:") and "_bucket" not in line}
    ours = {shape(line) for line in found if line.startswith("vllm:")}
    known = {name for name in series if name.partition("{")[0] in {one.partition("{")[0] for one in ours}}
    assert known <= ours
    assert len(known) >= 6


def shape(line: str) -> str:
    """The name of a series and its labels, without the name of the model and the value."""
    return line.rpartition(" ")[0].replace("/opt/models/tiny-qwen2", "simulated")


def test_each_engine_counts_its_prefix_cache_in_its_own_way() -> None:
    counted = {name: served(play(server, Trouble(), shaped(), 1)) for name, server in SETUPS.items()}
    assert counted["0.8.5 V0"].prefix_cache_queries is None
    blocks, tokens = counted["0.8.5 V1"].prefix_cache_queries, counted["0.32"].prefix_cache_queries
    assert tokens == 96 * 256
    assert blocks is not None
    assert blocks == pytest.approx(97 * 256 * 1.024 / 16, rel=0.05)
    assert counted["0.8.5 V1"].prefix_cache_hits in (15, 16), "the test request is the first one's prompt"
    assert counted["0.32"].prefix_cache_hits == 0


def test_percentiles_of_weighted_gaps_are_those_of_the_list() -> None:
    weighted = [(0.01, 3), (0.02, 40), (0.05, 1), (0.4, 7)]
    values = [value for value, times in weighted for _ in range(times)]
    found = statistics_ms(weighted)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert found["p99"] == pytest.approx(1000.0 * cuts[98])
    assert found["p90"] == pytest.approx(1000.0 * cuts[89])
    assert found["mean"] == pytest.approx(1000.0 * statistics.fmean(values))
    assert found["std"] == pytest.approx(1000.0 * statistics.pstdev(values))


@pytest.mark.parametrize("version", ["0.8.5", "0.32.0"])
def test_speculation_gives_several_tokens_a_step_and_a_chunk(version: str) -> None:
    server = setup(version, draft_tokens=3, acceptance=0.6)
    played = play(server, Trouble(), shaped(output_len=512), 1)
    found, counted = written(played), served(played)
    assert found["total_output_tokens"] == 96 * 512
    assert counted.acceptance_length == pytest.approx(server.server.tokens_per_step, rel=0.03)
    assert found["mean_itl_ms"] / found["mean_tpot_ms"] == pytest.approx(server.server.tokens_per_step, rel=0.1)


def test_a_small_kv_cache_preempts_and_still_gives_every_token() -> None:
    small = setup("0.32.0", kv_tokens=32 * 300)
    played = play(small, Trouble(), shaped(), 1)
    counted = served(played)
    assert (counted.preemptions or 0) > 0
    assert counted.generation_tokens == written(played)["total_output_tokens"] == 96 * 128


def test_max_num_seqs_queues_requests_at_the_server() -> None:
    played = play(setup("0.32.0", max_num_seqs=16), Trouble(), shaped(num_prompts=64, max_concurrency=64), 1)
    assert max(played.engine.batch) == 16
    assert played.peak.waiting == 48


def test_new_clients_stretch_the_schedule_and_old_ones_do_not() -> None:
    point = shaped(request_rate=2.0, max_concurrency=None)
    old, new = play(OLD_V1, Trouble(), point, 1), play(NEW, Trouble(), point, 1)
    assert old.sent[0].planned == 0.0
    assert new.sent[-1].planned == pytest.approx(96 / 2.0)
    assert old.sent[-1].planned != pytest.approx(95 / 2.0, rel=1e-3)


def test_a_concurrency_limit_makes_requests_wait_at_the_client() -> None:
    found = written(play(NEW, Trouble(), shaped(request_rate=20.0, max_concurrency=4), 1))
    assert found["queue_times"][0] < 0.1
    assert found["queue_times"][-1] > 60.0
    assert found["mean_ttft_ms"] < 1000.0


def test_a_ramp_sends_faster_and_faster() -> None:
    ramp = RampUp.model_validate({"strategy": "linear", "from": 1, "to": 20})
    sent = [item.planned for item in play(NEW, Trouble(), shaped(ramp_up=ramp, max_concurrency=None), 3).sent]
    assert sent[-1] - sent[47] < 0.5 * (sent[47] - sent[0])


def test_chunks_that_are_held_back_come_together() -> None:
    whole = written(play(NEW, Trouble(buffered_tokens=0), shaped(), 1))
    assert whole["mean_ttft_ms"] / whole["mean_e2el_ms"] > 0.99
    partly = written(play(NEW, Trouble(buffered_tokens=8), shaped(), 1))
    assert partly["median_itl_ms"] < 0.01 < partly["p95_itl_ms"]
    assert partly["total_output_tokens"] == whole["total_output_tokens"] == 96 * 128


def test_a_stream_interval_makes_fewer_chunks() -> None:
    found = written(play(setup("0.32.0", stream_interval=4), Trouble(), shaped(), 1))
    assert all(30 <= len(gaps) <= 33 for gaps in found["itls"])
    assert found["total_output_tokens"] == 96 * 128


def test_requests_of_somebody_else_cost_time_and_are_counted_once_they_end() -> None:
    alone = play(NEW, Trouble(), shaped(), 1)
    finished = play(NEW, Trouble(foreign=(Foreign(2, 256, 128),)), shaped(), 1)
    endless = play(NEW, Trouble(foreign=(Foreign(1, endless=True),)), shaped(), 1)
    assert served(finished).requests == 98
    assert served(endless).requests == 96
    assert served(endless).generation_tokens > served(alone).generation_tokens + 100
    assert finished.duration_s > alone.duration_s


@pytest.mark.parametrize("trouble", [Trouble(dies_at=0.5), Trouble(errs_at=0.5)], ids=["dies", "ends streams"])
def test_a_server_that_ends_early_makes_a_measurement_invalid(trouble: Trouble) -> None:
    _, verdicts = measure(NEW, shaped(), 1, trouble)
    assert verdicts.assessments[0].verdict is Verdict.INVALID


def test_another_tenant_slows_steps_for_a_time() -> None:
    played = play(NEW, Trouble(slow=(Slow(2.0, 0.5, 0.7),)), shaped(), 1)
    assert played.duration_s == pytest.approx(1.1 * play(NEW, Trouble(), shaped(), 1).duration_s, rel=0.02)


def test_scatter_between_repetitions_is_that_of_their_throughput() -> None:
    point = shaped(num_prompts=32)
    records = take(NEW, [point], 30, 1, scatter=0.05)
    values = [record.metrics.output_throughput or 0.0 for record in records if record.metrics]
    assert 0.03 < statistics.stdev(values) / statistics.fmean(values) < 0.07


def test_without_its_statistics_a_server_counts_nothing() -> None:
    played = play(setup("0.32.0", log_stats=False), Trouble(), shaped(), 1)
    assert "vllm:" not in Tally().text(played.setup.server)
    assert served(played).requests == 0.0
