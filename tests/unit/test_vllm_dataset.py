"""What each client is told of prompts and arrivals, and what is refused because it has no way to be told."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from samples import a_bench, a_measurement

from orchestrator.plan.sweep import points
from orchestrator.vllm.client import RUST, VLLM, Known, Target, client_argv, dialect_of, unsupported
from orchestrator.workload.point import Measurement

TARGET = Target("127.0.0.1", 8000, "/models/m", "/models/m", trust_remote_code=False)
RAMP = {"strategy": "exponential", "from": 1, "to": 8}
CUSTOM = {"name": "custom", "path": "/d/p.jsonl"}


def argv_of(client: str = VLLM, version: str = "0.32.0", known: set[str] | None = None, **bench: Any) -> list[str]:
    (point,) = points(a_bench(**{"num_prompts": 20, **bench}))
    options = None if known is None else frozenset(known)
    return client_argv(client, dialect_of(client, version), TARGET, Measurement(point, 1, 7), "/results", options)


def told(argv: list[str]) -> str:
    """What stands between the model and the number of prompts."""
    return " ".join(argv[argv.index("--dataset-name") : argv.index("--num-prompts")])


TOLD: list[tuple[dict[str, Any], str]] = [
    ({}, "--dataset-name random --random-input-len 64 --random-output-len 16 --ignore-eos"),
    (
        {"dataset": {"range_ratio": 0.25, "prefix_len": 8}},
        (
            "--dataset-name random --random-input-len 64 --random-output-len 16 --random-prefix-len 8 "
            "--random-range-ratio 0.25 --ignore-eos"
        ),
    ),
    (
        {"lengths": None, "dataset": {"name": "sharegpt", "path": "/d/s.json"}},
        "--dataset-name sharegpt --dataset-path /d/s.json",
    ),
    (
        {"lengths": None, "dataset": {"name": "sharegpt", "file": "/n/s.json", "output_len": 5}},
        "--dataset-name sharegpt --dataset-path /run/orch-dataset/s.json --sharegpt-output-len 5 --ignore-eos",
    ),
    (
        {"dataset": {"name": "sonnet", "path": "/d/s.txt", "prefix_len": 0}},
        (
            "--dataset-name sonnet --dataset-path /d/s.txt --sonnet-input-len 64 --sonnet-output-len 16 "
            "--sonnet-prefix-len 0 --ignore-eos"
        ),
    ),
    (
        {"lengths": None, "dataset": {"name": "prefix_repetition", "output_len": 5}},
        (
            "--dataset-name prefix_repetition --prefix-repetition-output-len 5 --prefix-repetition-num-prefixes 10 "
            "--prefix-repetition-prefix-len 256 --prefix-repetition-suffix-len 256 --ignore-eos"
        ),
    ),
    (
        {"lengths": None, "dataset": CUSTOM},
        "--dataset-name custom --dataset-path /d/p.jsonl --custom-output-len -1",
    ),
    (
        {"lengths": None, "dataset": {**CUSTOM, "output_len": 5, "skip_chat_template": True}},
        "--dataset-name custom --dataset-path /d/p.jsonl --custom-output-len 5 --skip-chat-template --ignore-eos",
    ),
    ({"lengths": None, "dataset": {"name": "hf", "path": "/d/x"}}, "--dataset-name hf --dataset-path /d/x"),
]


@pytest.mark.parametrize(("bench", "expected"), TOLD)
def test_each_dataset_is_described_in_flags_of_its_own(bench: dict[str, Any], expected: str) -> None:
    assert told(argv_of(**bench)) == expected
    assert told(argv_of(RUST, **bench)) == expected


def test_a_flag_that_had_another_name_is_told_by_the_name_that_the_client_knows() -> None:
    bench: dict[str, Any] = {"lengths": None, "dataset": {**CUSTOM, "output_len": 5, "skip_chat_template": True}}
    assert "--skip-chat-template" in argv_of(known={"--skip-chat-template", "--custom-skip-chat-template"}, **bench)
    assert "--custom-skip-chat-template" in argv_of(known={"--custom-skip-chat-template"}, **bench)


def test_arrivals_are_told_only_where_they_are_not_a_poisson_process_or_a_burst() -> None:
    assert not {"--burstiness", "--ramp-up-strategy"} & set(argv_of(request_rate=2))
    pairs = list(itertools.pairwise(argv_of(request_rate=2, burstiness=0.5)))
    assert ("--request-rate", "2.0") in pairs
    assert ("--burstiness", "0.5") in pairs
    pairs = list(itertools.pairwise(argv_of(ramp_up=RAMP)))
    for pair in (
        ("--request-rate", "inf"),
        ("--ramp-up-strategy", "exponential"),
        ("--ramp-up-start-rps", "1"),
        ("--ramp-up-end-rps", "8"),
    ):
        assert pair in pairs


def test_a_rate_that_is_no_rate_has_no_burstiness() -> None:
    burst, paced = points(a_bench(request_rate=["inf", 2], burstiness=0.5))
    assert (burst.burstiness, paced.burstiness) == (1.0, 0.5)


def test_the_rust_client_is_a_program_of_its_own() -> None:
    path = "/opt/venv/lib/python3/site-packages/vllm/vllm-rs"
    argv = client_argv(path, dialect_of(path, "0.32.0"), TARGET, a_measurement(), "/results")
    assert argv[:5] == [path, "bench", "serve", "--backend", "openai"]
    assert argv[argv.index("--temperature") + 1] == "0"
    assert {"--save-detailed", "--ignore-eos"} <= set(argv)


EVERYTHING = frozenset(
    {
        *("--random-input-len", "--random-output-len", "--random-range-ratio", "--ignore-eos", "--custom-output-len"),
        *("--burstiness", "--ramp-up-strategy", "--ramp-up-start-rps", "--ramp-up-end-rps", "--sharegpt-output-len"),
    }
)
REFUSED: list[tuple[str, str, dict[str, Any], frozenset[str] | None, list[str]]] = [
    (VLLM, "0.32.0", {}, EVERYTHING, []),
    (VLLM, "0.32.0", {}, None, []),
    (VLLM, "0.32.0", {"dataset": {"prefix_len": 8}}, EVERYTHING, [
        "bench.dataset.prefix_len: no option --random-prefix-len"
    ]),
    (VLLM, "0.32.0", {"dataset": {"name": "sonnet", "path": "/s"}}, EVERYTHING, [
        "bench.lengths: no option --sonnet-input-len",
        "bench.lengths: no option --sonnet-output-len",
        "bench.dataset.prefix_len: no option --sonnet-prefix-len",
    ]),
    (VLLM, "0.9.1", {"ramp_up": RAMP}, EVERYTHING - {"--ramp-up-strategy"}, [
        "bench.ramp_up: no option --ramp-up-strategy"
    ]),
    (VLLM, "0.32.0", {"request_rate": 1, "burstiness": 2}, EVERYTHING - {"--burstiness"}, [
        "bench.burstiness: no option --burstiness"
    ]),
    (VLLM, "0.32.0", {"dataset": {"range_ratio": 0.5}}, EVERYTHING, []),
    (VLLM, "0.8.5", {"dataset": {"range_ratio": 0.5}}, EVERYTHING, [
        "bench.dataset.range_ratio: it draws lengths from X·r to X instead"
    ]),
    (RUST, "0.27.0", {"dataset": {"range_ratio": 0.5}}, EVERYTHING, [
        "bench.dataset.range_ratio: it draws lengths from X·r to X instead"
    ]),
    (RUST, "0.32.0", {"dataset": {"range_ratio": 0.5}}, EVERYTHING, []),
    ("/s/benchmark_serving.py", "0.8.5", {"dataset": {"range_ratio": 0.5}}, None, []),
    (VLLM, "0.32.0", {"lengths": None, "dataset": CUSTOM}, EVERYTHING, []),
    (VLLM, "0.14.0", {"lengths": None, "dataset": CUSTOM}, EVERYTHING, [
        "bench.dataset.output_len: it needs one length for all lines"
    ]),
    (VLLM, "0.14.0", {"lengths": None, "dataset": {**CUSTOM, "output_len": 5}}, EVERYTHING, []),
    (RUST, "0.32.0", {"lengths": None, "dataset": CUSTOM}, EVERYTHING, [
        "bench.dataset.skip_chat_template: it sends prompts as they are; say so with true"
    ]),
    (RUST, "0.32.0", {"lengths": None, "dataset": {**CUSTOM, "skip_chat_template": True}}, None, []),
]  # fmt: skip


@pytest.mark.parametrize(("client", "version", "bench", "options", "expected"), REFUSED)
def test_what_a_client_cannot_do_is_named_with_the_key_that_asks_for_it(
    client: str, version: str, bench: dict[str, Any], options: frozenset[str] | None, expected: list[str]
) -> None:
    (point,) = points(a_bench(**bench))
    assert unsupported(point, dialect_of(client, version), Known(options)) == expected


def test_a_dataset_that_the_client_does_not_know_is_named_with_those_that_it_does() -> None:
    (point,) = points(a_bench(lengths=None, dataset={"name": "hf", "path": "/d/x"}))
    dialect = dialect_of(VLLM, "0.8.5")
    assert unsupported(point, dialect, Known(EVERYTHING, frozenset({"random", "custom"}))) == [
        "bench.dataset.name: no dataset 'hf'; it knows custom, random"
    ]
    assert unsupported(point, dialect, Known(EVERYTHING, frozenset({"random", "hf"}))) == []
