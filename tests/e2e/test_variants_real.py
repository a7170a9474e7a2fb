"""D7: real vLLM 0.32 with two values of one flag: two servers, the same points on both, one table."""

from __future__ import annotations

import json

import pytest
import yaml
from engine.kit import containers
from engine.kit.command import Orch, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

SEQS = "server.flags.max-num-seqs"


def test_two_values_of_a_flag_reach_two_servers(orch: Orch) -> None:
    name = f"{orch.prefix}-seqs"
    profile = {
        "extends": "cpu-tiny",
        "server": {"port": free_port()},
        "health": {"deadline": "20m"},
        "bench": {"lengths": [[32, 8]], "concurrency": 4, "prompts_per_concurrency": 12},
        "vary": {"axes": {SEQS: [2, 4]}},
    }
    orch.profiles.mkdir()
    (orch.profiles / f"{name}.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    done = orch("run", name, "--json", timeout_s=1200)
    assert done.returncode in (0, 5), done.stderr
    assert containers.listed(name) == []
    told = json.loads(done.stdout)
    assert [run["manifest"]["varied"] for run in told["runs"]] == [{SEQS: "2"}, {SEQS: "4"}]
    for folder, value in zip(orch.study_of(name), (2, 4), strict=True):
        log = (folder / "logs" / "server.log").read_text(encoding="utf-8")
        assert f"'max_num_seqs': {value}" in log
    first, second = (run["results"][0] for run in told["runs"])
    assert (first["point"], first["seed"], first["completed"]) == (second["point"], second["seed"], 48)
    assert first["vllm_version"].startswith("0.32.0")
