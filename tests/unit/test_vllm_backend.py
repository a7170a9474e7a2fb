"""E3: the APIs beside completions: how each client is told of them, and what of their requests there is to measure."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from samples import a_bench, a_measurement, a_profile, a_record, a_result, a_run

from orchestrator.causes import Cause
from orchestrator.cli.live import outcome_text
from orchestrator.cli.show import show_run
from orchestrator.measuring.driver import wanted
from orchestrator.measuring.judge import incompleteness
from orchestrator.metrics.objectives import metric_value, parse_objective
from orchestrator.plan.estimate import point_seconds
from orchestrator.plan.sweep import points, sweep, warmup
from orchestrator.results.validity import Verdict, assess, samples_for, thin_percentiles
from orchestrator.vllm.client import RUST, VLLM, Known, Target, client_argv, dialect_of, unsupported
from orchestrator.vllm.counters import read_served
from orchestrator.vllm.result import read_metrics
from orchestrator.workload.backend import BACKENDS, COMPLETIONS, fits
from orchestrator.workload.point import Measurement, Point

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("127.0.0.1", 8000, "/models/m", "/models/m", trust_remote_code=False)
SCRIPT = "/s/benchmark_serving.py"
INPUT: dict[str, Any] = {"lengths": {"input": [64]}}


def a_pooling_result(**keys: object) -> bytes:
    """What the client of vLLM 0.32 writes about 8 texts that were embedded."""
    lacking = ("failed", "total_output_tokens", "output_throughput", "request_goodput")
    usual = {
        key: value
        for key, value in a_result().items()
        if key not in lacking and not any(name in key for name in ("_ttft_", "_tpot_", "_itl_"))
    }
    return json.dumps({**usual, **keys}).encode()


def one(**bench: Any) -> Point:
    (point,) = points(a_bench(**{"num_prompts": 8, **bench}))
    return point


def argv_of(client: str = VLLM, version: str = "0.32.0", **bench: Any) -> list[str]:
    return client_argv(client, dialect_of(client, version), TARGET, Measurement(one(**bench), 1, 7), "/results")


def pairs(argv: list[str]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(argv))


CALLED = [
    (VLLM, "0.32.0", "openai", ["--backend", "openai", "--host"]),
    (VLLM, "0.32.0", "openai-chat", ["--backend", "openai-chat", "--endpoint", "/v1/chat/completions"]),
    (VLLM, "0.11.0", "openai-chat", ["--backend", "openai-chat", "--endpoint", "/v1/chat/completions"]),
    (VLLM, "0.9.2", "openai-chat", ["--endpoint-type", "openai-chat", "--endpoint", "/v1/chat/completions"]),
    (VLLM, "0.8.5", "openai", ["--endpoint-type", "openai-comp", "--host"]),
    (SCRIPT, "0.8.5", "openai-chat", ["--backend", "openai-chat", "--endpoint", "/v1/chat/completions"]),
    (RUST, "0.32.0", "openai-responses", ["--backend", "openai-responses", "--endpoint", "/v1/responses"]),
    (VLLM, "0.32.0", "vllm", ["--backend", "vllm", "--endpoint", "/v1/completions"]),
]


def said(causes: list[Cause]) -> list[str]:
    return [cause.text() for cause in causes]


@pytest.mark.parametrize(("client", "version", "backend", "words"), CALLED)
def test_each_client_is_told_of_a_backend_in_its_own_words(
    client: str, version: str, backend: str, words: list[str]
) -> None:
    argv = argv_of(client, version, backend=backend)
    start = argv.index(words[0])
    assert argv[start : start + len(words)][: len(words)] == words


def test_an_endpoint_of_ones_own_is_told_and_is_part_of_the_point() -> None:
    chat = one(backend="openai-chat")
    assert one(backend="openai-chat", endpoint="/v1/chat/completions").id == chat.id
    other = one(backend="openai-chat", endpoint="/other/v1/chat/completions")
    assert other.id != chat.id
    assert ("--endpoint", "/other/v1/chat/completions") in pairs(
        client_argv(VLLM, dialect_of(VLLM, "0.32.0"), TARGET, Measurement(other, 1, 7), "/r")
    )


def test_what_a_profile_says_of_completions_makes_the_points_that_it_always_made() -> None:
    plain = one()
    assert plain.id == one(backend=COMPLETIONS, endpoint="/v1/completions", ignore_eos=True, percentiles=[99.9]).id
    assert set(plain.parameters()) == {
        *("dataset", "dataset_path", "input_len", "output_len", "num_prompts", "max_concurrency", "request_rate"),
        "client_flags",
    }
    new = {"backend", "endpoint", "greedy", "ignore_eos", "percentiles"}
    assert not new & set(a_bench().model_dump())
    hub = a_bench(lengths=None, dataset={"name": "hf", "path": "/d/x"}).model_dump()["dataset"]
    assert hub == {"name": "hf", "file": None, "path": "/d/x"}, "as it was written before it had keys of its own"
    other = {"backend": "openai-chat", "endpoint": "/v1/chat/completions", "ignore_eos": False, "percentiles": 5}
    assert new <= set(a_bench(**other, greedy=False).model_dump())


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_fits_its_own_endpoint_and_samples_only_what_it_generates(backend: str) -> None:
    found = BACKENDS[backend]
    assert fits(backend, found.endpoint)
    assert found.generates or not found.samples


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"backend": "openai-comp"}, "unknown backend; did you mean 'openai'?"),
    ({"backend": "chat"}, "unknown backend; did you mean 'openai-chat'?"),
    ({"backend": "openai_chat"}, "unknown backend; did you mean 'openai-chat'?"),
    ({"backend": "zzz"}, "unknown backend; there are openai, vllm, openai-chat"),
    (
        {"endpoint": "/v1/chat/completions"},
        "openai does not speak to /v1/chat/completions; set bench.backend to openai-c",
    ),
    ({"backend": "openai-chat", "endpoint": "/v1/completions"}, "or take /v1/chat/completions"),
    ({"endpoint": "/nowhere"}, "openai does not speak to /nowhere; take /v1/completions"),
    ({"backend": "openai-embeddings"}, r"write lengths as {input: \[512\]}, for it makes no output"),
    (INPUT, r"with the backend openai write lengths as \[\[512, 128\]\], input and output"),
    ({**INPUT, "backend": "openai-embeddings", "ignore_eos": True}, "openai-embeddings has no ignore_eos"),
    ({**INPUT, "backend": "openai-embeddings", "greedy": False}, "openai-embeddings has no temperature; leave it out"),
    ({"greedy": False, "client_flags": {"temperature": 0.6}}, "client_flags has one; give one of them"),
    ({**INPUT, "backend": "openai-embeddings", "client_flags": {"goodput": ["e2el:5"]}}, "goodput is not counted"),
    (
        {"lengths": None, "backend": "vllm-pooling", "dataset": {"name": "hf", "path": "a/b", "output_len": 5}},
        "requests of vllm-pooling make no output",
    ),
    ({**INPUT, "backend": "openai-embeddings", "repetitions": "auto"}, "'output_throughput' does not exist"),
    ({**INPUT, "backend": "vllm-rerank"}, "vllm-rerank takes queries with documents"),
    ({**INPUT, "dataset": {"name": "random-rerank"}}, "the dataset 'random-rerank' goes with vllm-rerank"),
    ({"dataset": {"name": "random-mm"}}, "the dataset 'random-mm' goes with openai-chat"),
    ({"dataset": {"batch_size": 4}}, "openai sends one text a request"),
    (
        {**INPUT, "backend": "vllm-rerank", "dataset": {"name": "random-rerank", "reranker": False}},
        "batch_size counts the query too",
    ),
    ({"client_flags": {"extra-body": {"ignore_eos": False}}}, "'ignore_eos' of the body is set by bench.ignore_eos"),
    ({"client_flags": {"extra_body": '{"max_tokens": 1}'}}, "'max_tokens' of the body is set by bench.lengths"),
    ({"client_flags": {"ignore-eos": False}}, "'ignore-eos' is set by bench.ignore_eos"),
    ({"client_flags": {"endpoint": "/v1/x"}}, "'endpoint' is set by bench.endpoint"),
    ({"num_prompts": -1}, "count its prompts .* and write how many"),
    ({"num_prompts": [4, -1]}, "count its prompts"),
    ({"percentiles": [100]}, "less than 100"),
    ({"dataset": {"range_ratio": {"input": 1.0}}}, "less than 1"),
    (
        {"lengths": None, "dataset": {"name": "hf", "path": "a/b", "split": "x"}, "client_flags": {"hf-split": "y"}},
        "'hf-split' is set by bench.dataset.split",
    ),
]


@pytest.mark.parametrize(("keys", "text"), FAULTS)
def test_what_does_not_fit_together_is_refused_with_the_way_out(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        a_bench(**keys)


def test_a_flag_of_a_hub_dataset_may_still_stand_among_the_further_ones() -> None:
    hub = {"name": "hf", "path": "/d/x"}
    before = one(lengths=None, dataset=hub, client_flags={"hf-split": "train", "hf-output-len": 5})
    assert before.parameters()["client_flags"] == {"hf-split": "train", "hf-output-len": 5}


def test_requests_that_generate_nothing_are_asked_for_no_more_than_their_latency() -> None:
    argv = argv_of(backend="openai-embeddings", **INPUT)
    assert ("--percentile-metrics", "e2el") in pairs(argv)
    assert ("--random-input-len", "64") in pairs(argv)
    assert not {"--random-output-len", "--ignore-eos", "--temperature"} & set(argv)
    custom = argv_of(backend="openai-embeddings", lengths=None, dataset={"name": "custom", "path": "/d/p.jsonl"})
    assert "--custom-output-len" not in custom


def test_the_result_of_such_requests_is_read_and_complete_when_all_are_answered() -> None:
    metrics = read_metrics(a_pooling_result())
    assert (metrics.total_output_tokens, metrics.output_throughput, metrics.ttft_ms.mean) == (None, None, None)
    assert metrics.e2el_ms.p99 == 4.5
    point = one(backend="openai-embeddings", **INPUT)
    assert said(incompleteness(point, metrics)) == []
    assert said(incompleteness(point, read_metrics(a_pooling_result(completed=7)))) == ["7 of 8 requests completed"]
    empty = read_metrics(a_pooling_result(mean_e2el_ms=0.0, request_throughput=0.0))
    assert said(incompleteness(point, empty)) == ["request throughput is 0.0", "mean E2EL is 0.0"]
    assert said(incompleteness(one(), metrics)) == ["None of 128 output tokens"], (
        "no such result of completions is complete"
    )


def test_texts_that_share_a_request_are_no_further_requests() -> None:
    point = one(backend="openai-embeddings", dataset={"batch_size": 3}, **INPUT)
    assert (point.num_prompts, point.requests, point.batch) == (8, 3, 3)
    assert said(incompleteness(point, read_metrics(a_pooling_result(completed=3)))) == []
    pairwise = {"name": "random-rerank", "batch_size": 3, "reranker": False}
    rerank = one(backend="vllm-rerank", num_prompts=9, dataset=pairwise, **INPUT)
    assert rerank.requests == 4
    assert rerank.prompts_of(4) == 9
    bench = a_bench(backend="vllm-rerank", num_prompts=9, dataset=pairwise, concurrency=2, **INPUT)
    warm = warmup(bench, points(bench)[0])
    assert warm is not None
    assert (warm.point.num_prompts, warm.point.requests) == (5, 2), "as many requests as are in flight"


def test_a_measurement_of_embeddings_is_judged_by_what_there_is_of_it() -> None:
    point = one(backend="openai-embeddings", **INPUT)
    served = read_served({"vllm:request_success_total": 8.0, "vllm:prompt_tokens_total": 512.0})
    done = a_record(Measurement(point, 1, 7), metrics=read_metrics(a_pooling_result(duration=10.0)), served=served)
    (found,) = assess([done]).values()
    assert (found.verdict, found.reasons) == (Verdict.VALID, ())
    slow = done.model_copy(
        update={"repetition": 2, "metrics": read_metrics(a_pooling_result(duration=10.0, request_throughput=16.0))}
    )
    texts = {reason.text for found in assess([done, slow]).values() for reason in found.reasons}
    assert texts == {"request throughput differs by 67% over 2 repetitions"}
    longer = done.model_copy(update={"served": served.model_copy(update={"prompt_tokens": 900.0})})
    assert [reason.id for reason in assess([longer])[point.id, 1].reasons] == ["prompt-length"]


def test_documents_of_one_request_are_no_requests_of_somebody_else() -> None:
    point = one(backend="vllm-rerank", dataset={"name": "random-rerank", "batch_size": 4}, **INPUT)
    served = read_served({"vllm:request_success_total": 8.0, "vllm:prompt_tokens_total": 512.0})
    metrics = read_metrics(a_pooling_result(duration=10.0, completed=2, total_input_tokens=512))
    (found,) = assess([a_record(Measurement(point, 1, 7), metrics=metrics, served=served)]).values()
    assert found.reasons == ()


@pytest.mark.parametrize(("backend", "prompt", "hits", "reasons"), [
    ("openai-chat", 800.0, 0.0, []),
    ("openai-chat", 400.0, 0.0, ["prompt-length"]),
    ("openai-chat", 800.0, 280.0, []),
    ("openai-chat", 800.0, 400.0, ["prefix-cache"]),
    ("openai", 800.0, 0.0, ["prompt-length"]),
    ("openai", 512.0, 100.0, ["prefix-cache"]),
])  # fmt: skip
def test_a_chat_template_makes_prompts_longer_and_begin_alike(
    backend: str, prompt: float, hits: float, reasons: list[str]
) -> None:
    served = read_served(
        {
            "vllm:request_success_total": 8.0,
            "vllm:prompt_tokens_total": prompt,
            "vllm:prefix_cache_queries_total": prompt,
            "vllm:prefix_cache_hits_total": hits,
        }
    )
    metrics = read_metrics(json.dumps(a_result(duration=10.0, mean_e2el_ms=100.0)).encode())
    (found,) = assess([a_record(Measurement(one(backend=backend), 1, 7), metrics=metrics, served=served)]).values()
    assert [reason.id for reason in found.reasons] == reasons


def test_answers_that_may_end_are_complete_and_noted() -> None:
    point = one(ignore_eos=False)
    assert point.label() == "64/≤16 × 8 prompts"
    assert (point.output_tokens, point.most_output_tokens) == (None, 128)
    short = read_metrics(json.dumps(a_result(duration=10.0, mean_e2el_ms=100.0, total_output_tokens=100)).encode())
    assert said(incompleteness(point, short)) == []
    assert said(incompleteness(one(), short)) == ["100 of 128 output tokens"]
    long = short.model_copy(update={"total_output_tokens": 129})
    assert said(incompleteness(point, long)) == ["129 output tokens, 128 at most were asked for"]
    (found,) = assess([a_record(Measurement(point, 1, 7), metrics=short)]).values()
    assert found.verdict is Verdict.VALID
    assert [note.text for note in found.notes] == [
        "answers had 12.5 of at most 16 output tokens on average; their ends were heeded"
    ]
    (full,) = assess([a_record(a_measurement(), metrics=short)]).values()
    assert full.notes == ()


def test_the_server_s_own_temperature_is_another_point_and_no_client_that_has_its_own_takes_it() -> None:
    point = one(greedy=False)
    assert "--temperature" in argv_of()
    assert "--temperature" not in argv_of(greedy=False)
    assert point.parameters() == {**one().parameters(), "greedy": False}
    assert one(greedy=True).id == one().id != point.id
    assert unsupported(point, dialect_of(VLLM, "0.15.0"), Known()) == []
    (refused,) = unsupported(point, dialect_of(VLLM, "0.14.1"), Known())
    assert refused == "bench.greedy: it asks for temperature 0 by itself; give one in client_flags instead"
    assert len(unsupported(point, dialect_of(SCRIPT, "0.32.0"), Known(spread=True))) == 1


def test_a_client_that_ignores_ends_by_itself_is_told_otherwise_in_the_body_of_each_request() -> None:
    assert "--ignore-eos" in argv_of()
    assert "--extra-body" not in argv_of()
    asked = argv_of(ignore_eos=False, client_flags={"extra_body": {"min_tokens": 2}})
    assert "--ignore-eos" not in asked
    assert json.loads(asked[asked.index("--extra_body") + 1]) == {"min_tokens": 2, "ignore_eos": False}
    for old in (argv_of(version="0.10.2", ignore_eos=False), argv_of(SCRIPT, "0.8.5", ignore_eos=False)):
        assert not {"--ignore-eos", "--extra-body"} & set(old)
    file: dict[str, Any] = {"lengths": None, "dataset": {"name": "sharegpt", "path": "/d/s.json"}}
    assert "--ignore-eos" not in argv_of(**file)
    assert "--ignore-eos" in argv_of(ignore_eos=True, **file)
    assert one(ignore_eos=True, **file).id != one(**file).id


def test_sampling_of_ones_own_takes_the_place_of_greedy_sampling() -> None:
    assert ("--temperature", "0") in pairs(argv_of())
    flags = {"temperature": 0.7, "top-p": 0.9, "header": ["a=b", "c=d"], "extra-body": {"min_p": 0.1}}
    argv = argv_of(client_flags=flags)
    assert argv.count("--temperature") == 1
    assert ("--temperature", "0.7") in pairs(argv)
    assert argv[argv.index("--header") : argv.index("--header") + 3] == ["--header", "a=b", "c=d"]
    assert ("--extra-body", '{"min_p":0.1}') in pairs(argv)
    assert "--temperature" not in argv_of(backend="openai-audio", lengths=None, dataset={"name": "hf", "path": "a/b"})


def test_each_side_can_have_a_range_of_its_own() -> None:
    point = one(dataset={"range_ratio": {"input": 0.5}})
    assert (point.output_tokens, point.longest) == (128, 96 + 16), "outputs stay exact"
    argv = argv_of(dataset={"range_ratio": {"input": 0.5, "output": 0.25}})
    assert ("--random-range-ratio", '{"input":0.5,"output":0.25}') in pairs(argv)
    assert one(dataset={"range_ratio": {"input": 0.5, "output": 0.5}}).id == one(dataset={"range_ratio": 0.5}).id
    assert one(dataset={"range_ratio": {}}).id == one().id
    refused = ["bench.dataset.range_ratio: it knows one number for prompts and outputs"]
    assert unsupported(point, dialect_of(VLLM, "0.14.1"), Known()) == refused
    assert unsupported(point, dialect_of(VLLM, "0.20.0"), Known()) == []


def test_a_script_that_means_something_else_by_the_ratio_is_told_in_its_own_words() -> None:
    point = one(client=SCRIPT, dataset={"range_ratio": 0.5})
    refused = ["bench.dataset.range_ratio: it draws lengths from X·r to X instead"]
    assert unsupported(point, dialect_of(SCRIPT, "0.32.0"), Known(spread=False)) == refused
    assert unsupported(point, dialect_of(SCRIPT, "0.32.0"), Known(spread=True)) == []
    own = one(client=SCRIPT, client_flags={"random-range-ratio": 0.8})
    assert own.output_tokens is None, "how long answers are is not known then"
    with pytest.raises(ValidationError, match=r"'random-range-ratio' is set by bench\.dataset\.range_ratio"):
        a_bench(client_flags={"random-range-ratio": 0.8})


def test_what_the_client_lacks_is_named_with_what_it_has() -> None:
    old = Known(backends=frozenset({"openai-comp"}))
    chat = one(backend="openai-chat")
    assert unsupported(chat, dialect_of(VLLM, "0.8.5"), old) == [
        "bench.backend: no backend 'openai-chat'; it knows openai-comp"
    ]
    assert unsupported(one(), dialect_of(VLLM, "0.8.5"), old) == []
    flagged = one(client_flags={"lora-modules": ["a", "b"], "top_p": 0.5, "header.x": 1, "nope": None, "stream": False})
    options = frozenset({"--random-input-len", "--random-output-len", "--ignore-eos", "--lora-modules", "--no-stream"})
    assert unsupported(flagged, dialect_of(VLLM, "0.32.0"), Known(options)) == [
        "bench.client_flags.header.x: no option --header.x",
        "bench.client_flags.top_p: no option --top_p",
    ]


def test_further_percentiles_are_asked_for_read_and_bounded() -> None:
    argv = argv_of(percentiles=[99.9, 50])
    assert ("--metric-percentiles", "50,90,95,99,99.9") in pairs(argv)
    metrics = read_metrics(json.dumps(a_result(**{"p99.9_ttft_ms": 7.25})).encode())
    assert metric_value("p99.9_ttft_ms", metrics) == 7.25
    assert metric_value("p99.9_tpot_ms", metrics) is None
    assert parse_objective("p99.9_ttft_ms<8").met(metrics)
    profile = a_profile(bench={"percentiles": 99.9}, objectives=["p99.9_ttft_ms<8"])
    assert profile.objectives == ("p99.9_ttft_ms<8",)
    with pytest.raises(ValidationError, match=r"reported only if bench\.percentiles asks for 99\.9"):
        a_profile(objectives=["p99.9_ttft_ms<8"])
    assert "further" not in metrics.tpot_ms.model_dump()


def test_a_percentile_needs_so_many_requests_that_two_lie_above_it() -> None:
    assert [samples_for(name) for name in ("p90", "p95", "p99", "p99.9")] == [64, 130, 662, 6636]
    assert samples_for("p96") in range(130, 662)
    metrics = read_metrics(json.dumps(a_result(**{"p99.9_e2el_ms": 7.0})).encode())
    assert thin_percentiles(700, metrics) == ("p99.9",)


@pytest.mark.parametrize("objective", ["p99_ttft_ms<8", "output_throughput>1", "request_goodput>1", "std_itl_ms<1"])
def test_an_objective_on_what_does_not_exist_is_refused(objective: str) -> None:
    pooling = {"backend": "openai-embeddings", "lengths": {"input": [64]}}
    assert a_profile(bench=pooling, objectives=["p99_e2el_ms<8", "request_throughput>1"]).objectives
    with pytest.raises(ValidationError, match="does not exist where requests generate no tokens"):
        a_profile(bench=pooling, objectives=[objective])


def test_a_name_on_the_hub_is_told_to_the_client_and_not_looked_for_in_the_container() -> None:
    hub: dict[str, Any] = {
        "lengths": None,
        "dataset": {"name": "hf", "path": "org/set", "split": "train", "output_len": 5},
    }
    profile = a_profile(bench=hub)
    assert profile.bench is not None
    assert wanted(profile, profile.bench).dataset is None
    local = a_profile(bench={**hub, "dataset": {"name": "hf", "path": "/d/set"}})
    assert local.bench is not None
    assert wanted(local, local.bench).dataset == "/d/set"
    argv = argv_of(**hub)
    start = argv.index("--dataset-name")
    assert argv[start : argv.index("--num-prompts")] == [
        *("--dataset-name", "hf", "--dataset-path", "org/set"),
        *("--hf-output-len", "5", "--hf-split", "train", "--ignore-eos"),
    ]


def test_the_table_of_embeddings_shows_what_there_is_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = a_profile(bench={"backend": "openai-embeddings", "num_prompts": 8, "warmup": 0, **INPUT})
    assert profile.bench is not None
    directory = a_run(tmp_path, profile)
    (measurement,) = sweep(profile.bench)
    metrics = read_metrics(a_pooling_result())
    directory.write_record(a_record(measurement, metrics=metrics))
    show_run(directory, as_json=False)
    shown = capsys.readouterr().out
    assert "E2EL ms" in shown
    assert "TTFT" not in shown
    assert "4.50" in shown
    assert outcome_text(a_record(measurement, metrics=metrics)) == "32.0 req/s, E2EL 4.5 ms, 0.25 s"


def test_the_estimate_of_a_point_that_generates_nothing_has_no_tokens_in_it() -> None:
    bench = a_bench(backend="openai-embeddings", num_prompts=8, concurrency=4, **INPUT)
    assert point_seconds(points(bench)[0], bench) == 2 * bench.estimate.ttft
