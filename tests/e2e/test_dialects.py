"""F4 and V3: real images say which flags they know, and real clients of releases in between are called in their words.

The clients are those of the published packages, each laid over an image with libraries that fit it. The server is the
stub, because those releases cannot serve there.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.files import record_in

from orchestrator.vllm.counters import COUNTERS, GAUGES
from orchestrator.vllm.phases import Phase, phase_of

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "vllm"
STUB_SERVER = ["env", "PYTHONPATH=/opt/stub", "python3", "-m", "vllm_stub.cli", "serve"]
MODEL = "/opt/models/tiny-qwen2"
PROTOCOLS = {
    "0.9.2": ["--endpoint-type", "openai"],
    "0.11.2": ["--backend", "openai"],
    "0.14.1": ["--backend", "openai"],
    "0.33.0": ["--backend", "openai"],
}
TEN = (
    *("duration_s", "request_throughput", "output_throughput", "total_token_throughput"),
    *("mean_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "p99_tpot_ms", "mean_itl_ms", "p99_itl_ms"),
)
"""The metrics of the guide."""


def asked(orch: Orch, *words: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and what is said of one profile, by an image that is asked anew."""
    done = orch("profile", "lint", *words, "--image", "--json", timeout_s=600)
    (checked,) = json.loads(done.stdout)["profiles"]
    return done.returncode, checked


def answer(orch: Orch) -> dict[str, Any]:
    """Return what the only image that was asked has answered."""
    (path,) = (orch.folder / "cache" / "orch" / "parsers").iterdir()
    return dict(json.loads(path.read_bytes()))


def by_name(options: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {option["names"][0]: option for option in options}


def assert_as_committed(orch: Orch, version: str) -> None:
    """Say that the tables are tested against what this image answers indeed."""
    committed = json.loads((FIXTURES / version / "parsers.json").read_bytes())
    for parser in ("serve", "bench"):
        said, known = by_name(answer(orch)[parser]["options"]), by_name(committed[parser]["options"])
        assert said.keys() == known.keys(), "write the answer anew to tests/fixtures"
        assert said == known


@pytest.mark.parametrize(("profile", "version"), [("cpu-tiny", "0.32.0"), ("cpu-tiny-0.8.5", "0.8.5")])
def test_the_parsers_of_real_images_are_asked(orch: Orch, profile: str, version: str) -> None:
    code, checked = asked(orch, profile)
    assert (code, checked["faults"], checked["not_asked"]) == (0, [], None)
    assert checked["vllm_version"].startswith(version)
    assert_as_committed(orch, version)
    wrong = {"max-model-lenn": "1", "dtype": "flot32", "disable-log-requests": "true", "max-num-seqs": "many"}
    sets = [word for flag, value in wrong.items() for word in ("--set", f"server.flags.{flag}={value}")]
    code, checked = asked(orch, profile, *sets)
    assert code == 2
    found = {item["key"].rpartition(".")[2]: item["problem"] for item in checked["faults"]}
    assert found.keys() == wrong.keys() - ({"disable-log-requests"} if version == "0.8.5" else set())
    assert found["dtype"].startswith("is 'flot32', but must be one of auto")
    assert found["max-model-lenn"].endswith("did you mean 'max-model-len'?")
    assert containers.listed(orch.prefix) == []


def test_the_guide_s_profile_fits_its_version_and_not_the_newest(orch: Orch) -> None:
    image = ("--set", "container.source=[]", "--set")
    assert asked(orch, "ds-671b-awq", *image, "container.image=orch-cpu:0.8.5")[1]["faults"] == []
    old = asked(orch, "ds-671b-awq", *image, "container.image=orch-cpu:0.32.0", "--set", "server.flags.swap-space=4")
    assert [item["key"] for item in old[1]["faults"]] == ["server.flags.swap-space"]


NOT_YET = {"0.9.2": {"external_cache_hits"}}
"""Figures that a release does not count."""


@pytest.mark.usefixtures("client_images")
@pytest.mark.parametrize("version", PROTOCOLS)
def test_what_a_release_in_between_logs_and_counts_is_read(version: str) -> None:
    """Its server cannot run there, but its source holds what it would say."""
    read = ["sh", "-c", "find /opt/client/vllm -name '*.py' -exec cat {} +"]
    source = containers.docker("run", "--rm", "--network", "none", f"orch-client:{version}", *read)
    announced = {phase_of(line.encode()) for line in source.splitlines()}
    assert {Phase.STARTING, Phase.WEIGHTS, Phase.MEMORY, Phase.GRAPHS, Phase.SERVING} <= announced
    for figure, names in {**COUNTERS, **GAUGES}.items():
        bare = [name.partition("{")[0] for name in names]
        written = [re.sub("_(total|sum|count)$", "", name) for name in bare]  # the metrics library adds the ending
        assert any(f'"{name}"' in source for name in written) is (figure not in NOT_YET.get(version, ())), figure
    assert '"finished_reason"' in source


@pytest.mark.usefixtures("client_images")
@pytest.mark.parametrize("version", PROTOCOLS)
def test_a_client_of_a_release_in_between_measures(orch: Orch, version: str) -> None:
    image = f"orch-client:{version}"
    profile = orch.profile(
        "between",
        container={"image": image, "mounts": [f"{ROOT / 'docker/stub/vllm_stub'}:/opt/stub/vllm_stub:ro"]},
        server={"model": MODEL, "command": STUB_SERVER},
        bench={"lengths": [[32, 8], [48, 8]], "num_prompts": 8, "deadline": "5m", "request_rate": 100, "burstiness": 2},
    )
    done = orch("run", profile, "--json", timeout_s=800)
    assert done.returncode in (0, 5), done.stderr
    told = json.loads(done.stdout)
    facts = told["manifest"]["deployment"]
    assert (facts["client_version"], facts["client_mode"]) == (f"{version}+cpu", "fork")
    assert len({row["seed"] for row in told["results"]}) == len(told["results"]) == 2
    for row in told["results"]:
        assert (row["state"], row["completed"], row["total_output_tokens"]) == ("done", 8, 64)
        for metric in TEN:
            assert math.isfinite(row[metric]), metric
            assert row[metric] > 0, metric
        folder = Path(told["path"]) / "points" / row["point"] / f"r{row['repetition']}"
        record = record_in(folder)
        assert record["argv"][:5] == ["vllm", "bench", "serve", *PROTOCOLS[version]]
        result = json.loads((folder / "result.json").read_bytes())
        assert (result["num_prompts"], result["max_concurrency"], result["burstiness"]) == (8, 2, 2.0)
        log = (folder / "client.log").read_text(encoding="utf-8")
        assert re.search(rf"\bseed={row['seed']}\b", log)
        for latency in ("ttft", "tpot", "itl", "e2el"):
            for statistic in ("mean", "median", "std", "p50", "p90", "p95", "p99"):
                key = f"{statistic}_{latency}_ms"
                assert row[key] == result[key], key
    assert asked(orch, profile)[0] == 0
    assert_as_committed(orch, version)
