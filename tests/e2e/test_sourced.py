"""E1: where vLLM imports only after a toolkit's env.sh, server, client and parsers run, also with the DCU profiles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from engine.kit import containers
from engine.kit.command import free_port

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

VERSIONS = ("0.8.5", "0.32.0")
HERE: dict[str, dict[str, Any]] = {
    "container": {
        "pull": "never", "devices": [], "mounts": [], "security_opt": [], "privileged": False, "shm_size": "1G",
        "holds": [], "ipc": None,
    },
    "server": {
        "model": "/opt/models/tiny-qwen2",
        "flags": {
            "dtype": "float32", "max-model-len": 512, "max-num-seqs": 16, "enforce-eager": True, "block-size": None,
            "tensor-parallel-size": 1, "quantization": None, "speculative_config": None,
        },
        "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
    },
    "bench": {
        "num_prompts": [4], "lengths": [[32, 8]], "concurrency": [2],
        "client_flags": {"goodput": ["ttft:60000"]},
    },
}  # fmt: skip
"""What a DCU profile is laid under on a machine without DCUs: the image's shape and its sourced file stay."""


@pytest.mark.usefixtures("sourced_images")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_dcu_profile_measures_on_an_image_that_must_be_sourced(version: str, orch: Orch) -> None:
    name = f"{orch.prefix}-dtk"
    profile = {"extends": "ds-671b-awq", "name": name, **HERE}
    profile["container"] = {**HERE["container"], "image": f"orch-sourced:{version}"}
    profile["server"] = {**HERE["server"], "port": free_port()}
    orch.profiles.mkdir(exist_ok=True)
    (orch.profiles / f"{name}.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    lint = orch("profile", "lint", name, "--image", timeout_s=600)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert "cannot be checked" not in lint.stdout + lint.stderr
    done = orch("run", name, "--json", timeout_s=600)
    assert done.returncode in (0, 5), done.stderr
    told = json.loads(done.stdout)
    (row,) = told["results"]
    assert (row["state"], row["completed"], row["total_output_tokens"]) == ("done", 4, 32)
    deployment = told["manifest"]["deployment"]
    assert (deployment["client"], deployment["client_mode"]) == ("vllm", "fork")
    assert deployment["client_version"].startswith(version)
    log = (orch.run_directory() / "logs" / "server.log").read_text(encoding="utf-8")
    assert log.startswith("toolkit environment of /opt/dtk\n")
    assert containers.listed(name) == []


@pytest.mark.usefixtures("sourced_images")
def test_without_the_file_the_library_is_named(orch: Orch) -> None:
    name = f"{orch.prefix}-bare"
    orch.profiles.mkdir(exist_ok=True)
    text = yaml.safe_dump({"extends": "cpu-tiny", "container": {"image": "orch-sourced:0.32.0"}})
    (orch.profiles / f"{name}.yaml").write_text(text, encoding="utf-8")
    done = orch("up", name, "--set", f"server.port={free_port()}", timeout_s=300)
    assert done.returncode == 1, done.stderr
    assert "a shared library is missing: libc10.so (library-missing)" in done.stderr
    assert "container.source" in done.stderr
