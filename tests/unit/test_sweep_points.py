"""Promises D6 and V3: a sweep is a pure function of its section; ids are stable and distinct, seeds are too."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_bench, a_point, a_profile

from orchestrator.plan.sweep import points, sweep, warmup, warmups
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.bench import Bench
from orchestrator.workload.arrival import RampUp
from orchestrator.workload.canonical import canonical_json
from orchestrator.workload.point import Measurement, Point, required_parameters
from orchestrator.workload.seeds import SEED_RANGE, derive_seed, unseen

PROFILES = Path(__file__).resolve().parents[2] / "profiles"
ID = re.compile(r"[0-9a-f]{12}")

CONVERSATIONS = {"name": "sharegpt", "path": "/data/s.json"}

counts = st.integers(min_value=1, max_value=10**9)
lengths = st.lists(st.tuples(counts, counts), min_size=1, max_size=3).map(lambda pairs: [list(pair) for pair in pairs])
rates = st.one_of(st.just("inf"), st.integers(1, 10**6), st.floats(min_value=1e-3, max_value=1e6, allow_nan=False))
plain_texts = st.text().filter(lambda text: not text.startswith("-"))  # in a list a dash would begin a flag
plain_numbers = st.integers() | st.floats(min_value=0.0, allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | plain_numbers | plain_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
flags = st.dictionaries(st.from_regex(r"x[a-z-]{0,8}", fullmatch=True), json_values, max_size=3)
some_points = st.builds(
    a_point,
    input_len=counts,
    output_len=counts,
    num_prompts=counts,
    max_concurrency=st.none() | counts,
    request_rate=rates,
    client_flags=flags.map(canonical_json),
)
benches = st.builds(
    a_bench,
    lengths=lengths,
    concurrency=st.none() | st.lists(counts, min_size=1, max_size=3),
    num_prompts=st.lists(counts, min_size=1, max_size=3),
    request_rate=st.lists(rates, min_size=1, max_size=2),
    repetitions=st.integers(min_value=1, max_value=4),
    warmup=st.just("auto") | st.integers(min_value=0, max_value=8),
    seed=st.integers(min_value=0, max_value=2**40),
    client_flags=flags,
)


def shape(point: Point) -> tuple[Any, ...]:
    return point.request_rate, point.max_concurrency, point.num_prompts, point.input_len, point.output_len


def test_the_guide_s_sweep_is_its_loop() -> None:
    bench = load_profile("ds-671b-awq", [PROFILES]).bench
    assert bench is not None
    batches = (2, 4, 6, 8, 10, 16, 20, 24, 32, 64)
    expected = [("inf", None, batch, length, length) for batch in batches for length in (512, 1024)]
    assert [shape(point) for point in points(bench)] == expected
    assert [point.batch for point in points(bench)] == [batch for batch in batches for _ in range(2)]
    assert {item.point for item in sweep(bench)} == set(points(bench))


def test_loads_come_in_the_outer_loop_and_lengths_in_the_inner() -> None:
    bench = a_bench(lengths=[[1, 2], [3, 4]], concurrency=[5, 6], num_prompts=[7, 8], request_rate=["inf", 9])
    assert [shape(point) for point in points(bench)] == [
        (rate, concurrency, prompts, *pair)
        for rate in ("inf", 9)
        for concurrency in (5, 6)
        for prompts in (7, 8)
        for pair in ((1, 2), (3, 4))
    ]


def test_lengths_can_be_combined() -> None:
    bench = a_bench(lengths={"input": [1, 2], "output": [3, 4]})
    assert [(point.input_len, point.output_len) for point in points(bench)] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_prompts_can_be_a_multiple_of_the_concurrency() -> None:
    bench = Bench.model_validate({"lengths": [[1, 2]], "concurrency": [2, 16], "prompts_per_concurrency": 4})
    assert [(point.max_concurrency, point.num_prompts) for point in points(bench)] == [(2, 8), (16, 64)]


def test_a_dataset_decides_the_lengths() -> None:
    bench = Bench.model_validate({"dataset": {"name": "sharegpt", "path": "/data/s.json"}, "num_prompts": 10})
    (point,) = points(bench)
    assert (point.dataset, point.dataset_path) == ("sharegpt", "/data/s.json")
    assert (point.input_len, point.output_len, point.output_tokens) == (None, None, None)
    assert point.label() == "sharegpt × 10 prompts"


def test_the_same_point_is_measured_once_however_it_is_written() -> None:
    assert len(points(a_bench(num_prompts=[4, 4], request_rate=[2, 2.0]))) == 1


def test_the_order_is_drawn_by_the_seed_and_turns_round_in_every_other_round() -> None:
    bench = a_bench(order="seeded", num_prompts=list(range(1, 9)), repetitions=4)
    rounds = [[item.point for item in sweep(bench)[start : start + 8]] for start in range(0, 32, 8)]
    assert rounds[0] == rounds[2] == rounds[1][::-1] == rounds[3][::-1]
    assert set(rounds[0]) == set(points(bench))
    assert rounds[0] not in (list(points(bench)), list(points(bench))[::-1])
    other = a_bench(order="seeded", num_prompts=list(range(1, 9)), repetitions=4, seed=1)
    assert [item.point for item in sweep(other)][:8] != rounds[0]
    assert {place.index(point) + back.index(point) for place, back in (rounds[:2],) for point in place} == {7}


def test_the_order_of_a_sweep_changes_neither_its_points_nor_the_hash_of_its_profile() -> None:
    usual = a_profile(bench={"order": "seeded"})
    assert "order" not in usual.model_dump(mode="json")["bench"]
    written = a_profile(bench={"order": "written"})
    assert usual.bench is not None
    assert written.bench is not None
    assert {(item.point.id, item.seed) for item in sweep(usual.bench)} == {
        (item.point.id, item.seed) for item in sweep(written.bench)
    }
    assert points(usual.bench) == points(written.bench)


def test_repetitions_lie_far_apart() -> None:
    order = [(item.repetition, item.point.num_prompts) for item in sweep(a_bench(num_prompts=[2, 4], repetitions=3))]
    assert order == [(1, 2), (1, 4), (2, 2), (2, 4), (3, 2), (3, 4)]


def warmed(bench: Bench, index: int = 0) -> Measurement:
    found = warmup(bench, points(bench)[index])
    assert found is not None
    return found


def test_a_warm_up_has_a_point_s_shape_prompts_of_its_own_and_a_short_output() -> None:
    bench = a_bench(lengths=[[512, 512]], num_prompts=[64], concurrency=[16], request_rate=[2])
    found = warmed(bench)
    assert shape(found.point) == ("inf", 16, 16, 512, 32)
    assert found.repetition == 0
    assert found.seed not in {item.seed for item in sweep(bench)}


@pytest.mark.parametrize(
    ("bench", "prompts"),
    [
        ({"num_prompts": [8]}, 8),
        ({"num_prompts": [8], "concurrency": [2]}, 2),
        ({"num_prompts": [1000]}, 64),
        ({"num_prompts": [1000], "warmup": 4}, 4),
        ({"num_prompts": [8], "warmup": 100}, 100),
    ],
)
def test_a_warm_up_is_as_many_requests_as_are_in_flight_unless_the_profile_says_otherwise(
    bench: dict[str, Any], prompts: int
) -> None:
    assert warmed(a_bench(**bench)).point.num_prompts == prompts


def test_a_warm_up_is_no_longer_than_its_point() -> None:
    assert warmed(a_bench(lengths=[[64, 5]])).point.output_len == 5
    assert warmed(a_bench(lengths=None, dataset=CONVERSATIONS)).point.output_len is None


def test_a_warm_up_comes_at_once_and_needs_no_more_prompts_than_there_are() -> None:
    rising = warmed(a_bench(ramp_up={"strategy": "linear", "from": 1, "to": 2})).point
    bursty = warmed(a_bench(request_rate=[2], burstiness=0.5)).point
    assert (rising.ramp_up, bursty.burstiness, bursty.request_rate) == (None, 1.0, "inf")
    shared = warmed(a_bench(lengths=None, num_prompts=30, warmup=4, dataset={"name": "prefix_repetition"})).point
    assert (shared.num_prompts, json.loads(shared.dataset_options)["num_prefixes"]) == (4, 1)


def test_a_warm_up_that_is_a_point_of_the_sweep_has_other_prompts_all_the_same() -> None:
    bench = a_bench(lengths=[[64, 16]], num_prompts=[4])
    assert warmed(bench).point == points(bench)[0]
    assert warmed(bench).seed != sweep(bench)[0].seed


def test_points_that_need_the_same_warm_up_share_it() -> None:
    bench = a_bench(lengths=[[64, 512], [64, 1024], [128, 512]], num_prompts=[4], request_rate=[1, "inf"])
    assert [(item.point.input_len, item.point.output_len) for item in warmups(bench)] == [(64, 32), (128, 32)]


def test_there_need_not_be_a_warm_up() -> None:
    bench = a_bench(warmup=0)
    assert warmup(bench, points(bench)[0]) is None
    assert warmups(bench) == ()


@given(benches)
def test_a_sweep_is_a_pure_function_of_its_section(bench: Bench) -> None:
    again = Bench.model_validate(json.loads(bench.model_dump_json()))
    assert sweep(again) == sweep(bench)
    assert warmups(again) == warmups(bench)


@given(benches)
def test_no_two_measurements_share_prompts(bench: Bench) -> None:
    seeds = [item.seed for item in (*sweep(bench), *warmups(bench))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < SEED_RANGE for seed in seeds)


@given(benches)
def test_measurements_are_told_apart_by_point_and_repetition(bench: Bench) -> None:
    assert isinstance(bench.repetitions, int)
    names = [(item.point.id, item.repetition) for item in sweep(bench)]
    assert len(set(names)) == len(names) == len(points(bench)) * bench.repetitions


@given(some_points)
def test_an_id_is_twelve_hexadecimal_digits(point: Point) -> None:
    assert ID.fullmatch(point.id)


@given(some_points, some_points)
def test_ids_differ_exactly_when_parameters_do(one: Point, other: Point) -> None:
    same = canonical_json(one.parameters()) == canonical_json(other.parameters())
    assert (one.id == other.id) == same


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "sonnet"},
        {"dataset_path": "/data/s.json"},
        {"input_len": 65},
        {"output_len": 17},
        {"num_prompts": 9},
        {"max_concurrency": 8},
        {"request_rate": 2.5},
        {"client_flags": '{"label":2}'},
        {"dataset_options": '{"prefix_len":8}'},
        {"burstiness": 2.0},
        {"ramp_up": RampUp.model_validate({"strategy": "linear", "from": 1, "to": 2})},
    ],
)
def test_every_parameter_counts(change: dict[str, Any]) -> None:
    assert a_point(**change).id != a_point().id


def test_ids_and_seeds_are_the_same_on_every_machine_and_for_ever() -> None:
    assert a_point().id == "f337f6cfcc5e"
    assert a_point(request_rate=2.0, max_concurrency=4).id == a_point(request_rate=2, max_concurrency=4).id
    assert sweep(a_bench())[0].seed == 836227352


def test_the_order_of_flags_does_not_count() -> None:
    one = a_bench(client_flags={"y": 2, "x": [1, {"b": 1, "a": 2.0}]})
    other = a_bench(client_flags={"x": [1, {"a": 2, "b": 1}], "y": 2.0})
    assert points(one) == points(other)


@given(json_values)
def test_canonical_json_is_json_of_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize("base", [0, 1])
def test_seeds_follow_the_base_the_point_and_the_repetition(base: int) -> None:
    seeds = {derive_seed(base, "0123456789ab", 1), derive_seed(base, "0123456789ab", 2), derive_seed(base, "f" * 12, 1)}
    assert len(seeds) == 3
    assert derive_seed(base, "0123456789ab", 1) != derive_seed(base + 1, "0123456789ab", 1)


def test_prompts_that_a_server_has_seen_are_not_sent_again() -> None:
    planned = sweep(a_bench())[0]
    assert unseen(planned, frozenset()) == planned
    assert unseen(planned, {planned.seed + 1}) == planned
    sent: list[int] = []
    for _ in range(5):
        sent.append(unseen(planned, sent).seed)
    assert len(set(sent)) == 5
    assert dataclasses.replace(unseen(planned, sent[:4]), seed=planned.seed) == planned
    assert unseen(planned, sent[:4]).seed == sent[4], "the same again on another server with the same past"


def test_a_point_says_what_it_is_as_people_do() -> None:
    assert a_point().label() == "64/16 × 8 prompts"
    assert a_point(max_concurrency=4).label() == "64/16 × 8 prompts, concurrency 4"
    assert a_point(max_concurrency=4, request_rate=2.0).label() == "64/16 × 8 prompts, concurrency 4, 2 req/s"
    assert a_point(request_rate=0.5).label() == "64/16 × 8 prompts, 0.5 req/s"


def test_a_point_says_how_its_requests_arrive() -> None:
    assert a_point(request_rate=2.0, burstiness=0.5).label() == "64/16 × 8 prompts, 2 req/s, burstiness 0.5"
    rising = RampUp.model_validate({"strategy": "linear", "from": 1, "to": 9})
    assert a_point(ramp_up=rising).label() == "64/16 × 8 prompts, 1 to 9 req/s, linear"


def test_what_is_as_it_always_was_is_no_parameter() -> None:
    assert required_parameters() == set(a_point().parameters())
    rising = RampUp.model_validate({"strategy": "linear", "from": 1, "to": 9})
    point = a_point(burstiness=0.5, ramp_up=rising, dataset_options='{"prefix_len":8}')
    assert {name: point.parameters()[name] for name in set(point.parameters()) - required_parameters()} == {
        "burstiness": 0.5,
        "ramp_up": {"strategy": "linear", "from": 1, "to": 9},
        "dataset_options": {"prefix_len": 8},
    }


def test_the_sum_of_lengths_that_vary_is_not_known() -> None:
    assert a_point(dataset_options='{"range_ratio":0.5}').output_tokens is None
    assert a_point(dataset_options='{"prefix_len":8}').output_tokens == 128


def test_a_batch_is_what_is_in_flight_at_most() -> None:
    assert a_point().batch == 8
    assert a_point(max_concurrency=2).batch == 2
    assert a_point().output_tokens == 128


def test_a_sweep_depends_on_nothing_but_its_section() -> None:
    one, other = a_profile(), a_profile(name="other", server={"model": "/m", "port": 1}, health={"deadline": 1})
    assert one.bench is not None
    assert other.bench is not None
    assert sweep(one.bench) == sweep(other.bench)
