"""The benchmark command of each vLLM version, from the facts of its own argument parser (VLLM.md §1.1 and §1.2)."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_measurement

from orchestrator.vllm.client import (
    DIALECTS,
    LATEST,
    RESULT_NAME,
    SCRIPT_DIALECT,
    VLLM,
    Target,
    client_argv,
    client_dialect,
    dialect_of,
)
from orchestrator.vllm.parser import ImageParsers

RECORDED = Path(__file__).parents[1] / "fixtures" / "vllm"
TARGET = Target("127.0.0.1", 8000, "/models/m", "/models/m", trust_remote_code=False)

COMPLETIONS_0_8 = ("--endpoint-type", "openai-comp")
COMPLETIONS_0_9 = ("--endpoint-type", "openai")
COMPLETIONS = ("--backend", "openai")
GREEDY = ("--temperature", "0")

VERSIONS = {
    **dict.fromkeys(("0.8.0", "0.8.5", "0.8.5.post1", "0.9.0", "0.9.0.1"), (COMPLETIONS_0_8, ())),
    **dict.fromkeys(("0.9.1", "0.9.2", "0.10.0", "0.10.1", "0.10.2"), (COMPLETIONS_0_9, ())),
    **dict.fromkeys(("0.11.0", "0.11.1", "0.12.0", "0.13.0", "0.14.0", "0.14.1"), (COMPLETIONS, ())),
    **dict.fromkeys(("0.15.0", "0.18.0", "0.24.0", "0.32.0", "0.33.0", "1.0.0"), (COMPLETIONS, GREEDY)),
    **dict.fromkeys(("0.8.5+das.opt1.rc2.dtk25041", "v0.8.5", "0.8.5rc1"), (COMPLETIONS_0_8, ())),
    **dict.fromkeys(("0.10.2rc3.dev7+g0123abc.rocm", "0.10"), (COMPLETIONS_0_9, ())),
    **dict.fromkeys(("0.32.0+cpu", "0.0.0", "dev", "unknown", ""), (COMPLETIONS, GREEDY)),
    **dict.fromkeys(("0.7.2", "0.7.3"), (COMPLETIONS_0_8, ())),
}
"""Versions as packages write them, with the flags for protocol and sampling that their client wants."""


def pairs(argv: list[str]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(argv))


def argv_of(version: str, **parameters: object) -> list[str]:
    return client_argv(VLLM, client_dialect(version), TARGET, a_measurement(**parameters), "/results")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_called_as_its_parser_wants(version: str) -> None:
    dialect = client_dialect(version)
    assert (dialect.protocol, dialect.sampling) == VERSIONS[version]


def test_a_parser_that_was_asked_is_believed_more_than_a_version() -> None:
    everything = {"--backend", "--temperature", "--endpoint-type", "--save-detailed"}
    assert client_dialect("0.32.0", everything).sampling == GREEDY
    assert client_dialect("0.32.0", everything - {"--temperature"}).protocol == COMPLETIONS
    assert client_dialect("0.32.0", everything - {"--temperature"}).sampling == ()
    assert client_dialect("0.32.0", everything - {"--backend"}).protocol == COMPLETIONS_0_9
    assert client_dialect("0.32.0", {"--endpoint-type"}).protocol == COMPLETIONS_0_8
    assert client_dialect("0.8.5+das.opt1", everything - {"--endpoint-type"}).protocol == COMPLETIONS
    assert client_dialect("0.8.5", everything).protocol == COMPLETIONS_0_8
    assert client_dialect("unknown", everything).sampling == GREEDY
    assert client_dialect("0.32.0", set()) == DIALECTS[0]


def test_the_guide_s_script_is_called_as_its_own_parser_wants() -> None:
    script = "/opt/vllm-benchmarks/benchmark_serving.py"
    assert dialect_of(script, "0.32.0") == SCRIPT_DIALECT
    assert dialect_of(VLLM, "0.8.5") == client_dialect("0.8.5")
    argv = client_argv(script, SCRIPT_DIALECT, TARGET, a_measurement(), "/results")
    assert argv[:4] == ["python3", script, "--backend", "openai"]
    assert {"--dataset-name", "--ignore-eos", "--save-result"} <= set(argv)
    assert not {"--temperature", "--ready-check-timeout-sec"} & set(argv)


def test_the_table_of_dialects_is_in_order() -> None:
    sinces = [dialect.since for dialect in DIALECTS]
    assert sinces == sorted(set(sinces))
    assert client_dialect(LATEST) == DIALECTS[-1]


@given(st.text())
def test_any_text_at_all_has_a_dialect(text: str) -> None:
    assert client_dialect(text) in DIALECTS


def test_the_whole_command_for_the_guide_s_version() -> None:
    measurement = a_measurement(max_concurrency=4, request_rate=2.5, client_flags='{"label":"x"}')
    argv = client_argv(VLLM, client_dialect("0.8.5"), TARGET, measurement, "/results")
    assert argv == [
        *("vllm", "bench", "serve", "--endpoint-type", "openai-comp"),
        *("--host", "127.0.0.1", "--port", "8000", "--model", "/models/m"),
        *("--dataset-name", "random", "--random-input-len", "64", "--random-output-len", "16", "--ignore-eos"),
        *("--num-prompts", "8", "--max-concurrency", "4", "--request-rate", "2.5", "--seed", "7"),
        *("--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,90,95,99"),
        *("--disable-tqdm", "--save-result", "--result-dir", "/results", "--result-filename", RESULT_NAME),
        *("--label", "x"),
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_details_are_asked_for_where_the_client_knows_of_them(version: str) -> None:
    older = VERSIONS[version][0] == COMPLETIONS_0_8
    assert ("--save-detailed" in argv_of(version)) is not older


@pytest.mark.parametrize(
    ("version", "quiet"),
    [("0.8.5", False), ("0.10.2", False), ("0.11.0", False), ("0.11.1", True), ("0.14.1", True), ("0.32.0", True)],
)
def test_no_test_request_is_sent_where_the_client_can_do_without(version: str, *, quiet: bool) -> None:
    assert (("--ready-check-timeout-sec", "0") in pairs(argv_of(version))) is quiet


@pytest.mark.parametrize(
    ("options", "quiet"),
    [
        ({"--ready-check-timeout-sec", "--num-warmups"}, True),
        ({"--ready-check-timeout-sec"}, False),
        ({"--num-warmups"}, False),
    ],
)
def test_a_parser_that_was_asked_is_told_of_the_test_request_only_if_it_knows_how(
    options: set[str], *, quiet: bool
) -> None:
    dialect = client_dialect("0.32.0")
    argv = client_argv(VLLM, dialect, TARGET, a_measurement(), "/results", frozenset(options))
    assert ("--ready-check-timeout-sec" in argv) is quiet


@pytest.mark.parametrize("version", VERSIONS)
def test_no_version_is_told_a_range_ratio(version: str) -> None:
    assert "--random-range-ratio" not in argv_of(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_reports_the_percentiles_that_older_clients_cannot_do_without(version: str) -> None:
    argv = argv_of(version)
    metrics = argv[argv.index("--percentile-metrics") + 1].split(",")
    percentiles = argv[argv.index("--metric-percentiles") + 1].split(",")
    assert {"ttft", "tpot", "itl"} <= set(metrics)
    assert "99" in percentiles


def test_without_limits_everything_is_sent_at_once() -> None:
    argv = argv_of("0.32.0")
    assert "--max-concurrency" not in argv
    assert ("--request-rate", "inf") in pairs(argv)
    assert ("--temperature", "0") in pairs(argv)


def test_a_dataset_that_is_a_file_keeps_its_own_lengths() -> None:
    argv = argv_of("0.32.0", dataset="sharegpt", dataset_path="/data/s.json", input_len=None, output_len=None)
    assert ("--dataset-name", "sharegpt") in pairs(argv)
    assert ("--dataset-path", "/data/s.json") in pairs(argv)
    assert not {"--ignore-eos", "--random-input-len", "--random-output-len"} & set(argv)


def test_a_model_under_another_name_is_asked_for_by_that_name() -> None:
    target = Target("127.0.0.1", 8000, "/models/m", "alias", trust_remote_code=True)
    argv = client_argv(VLLM, client_dialect("0.32.0"), target, a_measurement(), "/results")
    assert ("--model", "/models/m") in pairs(argv)
    assert ("--served-model-name", "alias") in pairs(argv)
    assert "--trust-remote-code" in argv
    assert not {"--served-model-name", "--trust-remote-code"} & set(argv_of("0.32.0"))


@pytest.mark.parametrize("client", ["vllm", "vllm-rs", "/opt/benchmark_serving.py"])
@pytest.mark.parametrize("version", ["0.8.5", "0.9.2", "0.11.2", "0.33.0"])
def test_an_ipv6_address_is_told_so_that_every_client_finds_its_port(client: str, version: str) -> None:
    target = dataclasses.replace(TARGET, host="::1", port=8011)
    argv = client_argv(client, dialect_of(client, version), target, a_measurement(), "/results")
    assert argv[argv.index("--base-url") + 1] == "http://[::1]:8011"
    assert not {"--host", "--port"} & set(argv)


def test_every_version_s_parser_knows_the_option_that_takes_a_whole_address() -> None:
    for path in sorted(RECORDED.glob("*/parsers.json")):
        option = ImageParsers.model_validate_json(path.read_bytes()).bench.option("base-url")
        assert option is not None, path
        assert option.nargs is None
