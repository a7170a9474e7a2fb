"""The tables of versions agree with what the real parsers of those versions know; see tests/e2e/test_dialects.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import a_measurement

from orchestrator.lint.lint import lint
from orchestrator.profile.flags import refused
from orchestrator.profile.reading.load import load_profile
from orchestrator.vllm.backends import LACKED_UP_TO
from orchestrator.vllm.client import VLLM, Target, client_argv, client_dialect
from orchestrator.vllm.parser import ImageParsers
from orchestrator.vllm.serve_flags import SERVE_FLAGS, ServeFlag, absence, deprecation
from orchestrator.vllm.versions import parse_version
from orchestrator.workload.backend import BACKENDS

ROOT = Path(__file__).parents[2]
ANSWERS = {
    path.parent.name: ImageParsers.model_validate_json(path.read_bytes())
    for path in sorted((ROOT / "tests" / "fixtures" / "vllm").glob("*/parsers.json"))
}
TARGET = Target("127.0.0.1", 8000, "/models/m", "alias", trust_remote_code=True)


@pytest.mark.parametrize("version", ANSWERS)
@pytest.mark.parametrize("flag", SERVE_FLAGS, ids=lambda flag: flag.name)
def test_a_serve_flag_is_known_to_just_the_versions_that_the_table_says(version: str, flag: ServeFlag) -> None:
    name = flag.name
    known = f"--{name}" in ANSWERS[version].serve.by_name
    assert known == (absence(name, version) is None)


@pytest.mark.parametrize("version", ANSWERS)
def test_what_a_parser_itself_calls_deprecated_the_table_does_too(version: str) -> None:
    rows = {flag.name for flag in SERVE_FLAGS}
    for option in ANSWERS[version].serve.options:
        name = option.names[0].lstrip("-")
        if option.deprecated and name in rows:
            assert deprecation(name, version), name


@pytest.mark.parametrize("version", ANSWERS)
def test_a_client_is_called_in_words_that_its_parser_knows(version: str) -> None:
    answer = ANSWERS[version]
    dialect = client_dialect(version)
    assert client_dialect(answer.vllm, answer.bench.by_name) == dialect
    argv = client_argv(VLLM, dialect, TARGET, a_measurement(max_concurrency=4, request_rate=2.0), "/results")
    assert {word for word in argv if word.startswith("--")} <= answer.bench.by_name.keys()


@pytest.mark.parametrize("version", ANSWERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_is_called_absent_where_the_recorded_client_lacks_it(backend: str, version: str) -> None:
    dialect, bench = client_dialect(version), ANSWERS[version].bench
    option = bench.option(dialect.protocol[0].lstrip("-"))
    assert option is not None
    known = dialect.protocol_of(backend)[-1] in (option.choices or ())
    parsed = parse_version(version)
    assert parsed is not None
    assert known == (parsed > LACKED_UP_TO[backend])
    if known:
        point = a_measurement(backend=backend, output_len=16 if BACKENDS[backend].generates else None)
        argv = client_argv(VLLM, dialect, TARGET, point, "/results")
        assert {word for word in argv if word.startswith("--")} <= bench.by_name.keys()


@pytest.mark.parametrize("version", ANSWERS)
def test_a_flag_of_the_client_that_it_lacks_is_refused_and_not_remarked_on_besides(version: str) -> None:
    chosen = ("bench.client_flags={no-such-flag: 1}", "bench.backend=vllm-pooling", "bench.lengths={input: [8]}")
    profile = load_profile("cpu-tiny", [ROOT / "profiles"], chosen)
    told = lint(profile, ANSWERS[version])
    assert len(refused(profile, ANSWERS[version])) == 1
    assert not [remark for remark in told if "no-such-flag" in f"{remark.key} {remark.text}"]
    lacking = [remark.text for remark in told if remark.key == "bench.backend" and "of the image cannot" in remark.text]
    assert bool(lacking) == (version not in ("0.32.0", "0.33.0"))


@pytest.mark.parametrize("version", ANSWERS)
def test_a_sweep_that_the_image_s_client_cannot_measure_is_remarked_on(version: str) -> None:
    chosen = ("bench.lengths=", "bench.dataset={name: custom, path: /p.jsonl, output_len: 8}")
    profile = load_profile("cpu-tiny", [ROOT / "profiles"], chosen)
    told = [f"{remark.key}: {remark.text}" for remark in lint(profile, ANSWERS[version])]
    unable = [line for line in told if "of the image cannot" in line]
    lacking = "of the image cannot: no dataset 'custom'; it knows random"
    vllm = ANSWERS[version].vllm
    assert unable == ([f"bench.dataset.name: vLLM {vllm} {lacking}"] if version == "0.8.5" else [])


@pytest.mark.parametrize(
    ("name", "version"),
    [("cpu-tiny", "0.32.0"), ("cpu-tiny-0.8.5", "0.8.5"), ("ds-671b-awq", "0.8.5"), ("ds-671b-int8", "0.8.5")],
)
def test_the_shipped_profiles_have_only_flags_that_their_version_takes(name: str, version: str) -> None:
    assert refused(load_profile(name, [ROOT / "profiles"]), ANSWERS[version]) == []
