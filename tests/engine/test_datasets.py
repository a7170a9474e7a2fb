"""Prompts from a file of the node are mounted, hashed and recorded; what cannot be measured is named, nothing stays."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.files import manifest_in, record_in

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def with_prompts(orch: Orch, label: str, **bench: Any) -> tuple[str, Path]:
    """Return a profile whose prompts come from a file beside it, and that file."""
    dataset = {"name": "custom", "file": "prompts/p.jsonl", "output_len": 4}
    name = orch.profile(label, bench={"lengths": None, "dataset": dataset, **bench})
    file = orch.profiles / "prompts" / "p.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps({"prompt": f"number {index}"}) + "\n" for index in range(8)), encoding="utf-8")
    return name, file


def dataset_of(folder: Path) -> dict[str, Any]:
    return dict(manifest_in(folder)["dataset"])


def test_a_file_of_the_node_is_mounted_recorded_and_part_of_what_a_sweep_needs(orch: Orch) -> None:
    name, file = with_prompts(orch, "file")
    orch.ok("up", name)
    mounts = containers.inspect(containers.only(name).id)["Mounts"]
    target = "/run/orch-dataset/p.jsonl"
    assert [(mount["Source"], mount["RW"]) for mount in mounts if mount["Destination"] == target] == [
        (str(file), False)
    ]
    refused = orch("bench", "--name", name)  # the stand-in's client has no such dataset
    assert refused.returncode == 3
    assert "the client vllm of vLLM 0.32.0 cannot measure the dataset 'custom' as asked:" in refused.stderr
    assert "bench.dataset.name: no dataset 'custom'; it knows random" in refused.stderr
    folder = orch.run_of(name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert dataset_of(folder) == {
        "name": "custom", "file": str(file), "path": target, "size": file.stat().st_size, "sha256": digest,
    }  # fmt: skip
    other = orch.profiles / "prompts" / "other.jsonl"
    other.write_bytes(file.read_bytes())
    refused = orch("bench", name, "--name", name, "--set", f"bench.dataset.file={other}")
    assert refused.returncode == 2
    assert f"bench.dataset.file: {other} is not mounted in it" in refused.stderr
    assert f"orch down {name}" in refused.stderr
    file.write_text("{}\n", encoding="utf-8")
    refused = orch("bench", "--resume", folder.name)
    assert refused.returncode == 2
    assert f"bench.dataset.file {file}: sha256 {digest} →" in refused.stderr
    orch.ok("down", name)


def test_a_file_that_was_replaced_since_the_deployment_was_made_is_not_taken_for_the_new_one(orch: Orch) -> None:
    name, file = with_prompts(orch, "replaced")
    orch.ok("up", name)
    fresh = file.with_name("fresh")
    fresh.write_text('{"prompt": "new"}\n', encoding="utf-8")
    fresh.rename(file)
    refused = orch("bench", "--name", name)
    orch.ok("down", name)
    assert refused.returncode == 3
    assert "/run/orch-dataset/p.jsonl in the container is not the file on record" in refused.stderr
    assert "orch down, then orch up" in refused.stderr


def test_a_file_that_is_missing_is_said_before_anything_is_started(orch: Orch) -> None:
    name, file = with_prompts(orch, "missing")
    file.unlink()
    done = orch("run", name)
    assert done.returncode == 3
    assert f"bench.dataset.file: {file} does not exist" in done.stderr
    assert containers.listed(name) == []
    assert not orch.runs.exists()


def test_a_client_that_the_image_lacks_is_not_replaced_by_another(orch: Orch) -> None:
    name = orch.profile("rust", bench={"client": "vllm-rs"}, server={"env": {"STUB_PHASE_HANG": "load"}})
    done = orch("run", name)
    assert done.returncode == 3
    assert "there is no vllm-rs, neither in the vllm package nor on PATH" in done.stderr
    manifest = orch.manifest_of(name)
    assert (manifest["state"], manifest["deployment"]) == ("failed", None), "no server had to be ready for that"
    assert containers.left_after(name) == []


def test_arrivals_are_the_client_s_and_part_of_the_record(orch: Orch) -> None:
    name = orch.profile("paced", bench={"request_rate": 50, "burstiness": 4, "concurrency": None, "num_prompts": 6})
    told = orch.json("run", name)
    (row,) = told["results"]
    assert (row["state"], row["request_rate"], row["burstiness"]) == ("done", 50.0, 4.0)
    record = record_in(next(orch.run_of(name).glob("points/*/r1")))
    assert record["argv"][record["argv"].index("--burstiness") + 1] == "4"
    rising = "bench.ramp_up={strategy: linear, from: 1, to: 9}"
    done = orch("run", name, "--set", "bench.request_rate=", "--set", "bench.burstiness=", "--set", rising)
    assert done.returncode == 3
    assert "bench.ramp_up: no option --ramp-up-strategy" in done.stderr


def test_what_the_client_cannot_measure_is_said_while_the_weights_load(orch: Orch) -> None:
    name, _ = with_prompts(orch, "early")
    refused = orch("run", name, "--set", 'server.env.STUB_PHASE_HANG="load"', "--set", "health.deadline=10m")
    assert refused.returncode == 3, refused.stderr
    assert "bench.dataset.name: no dataset 'custom'; it knows random" in refused.stderr
    assert manifest_in(orch.run_of(name))["state"] == "failed"
    assert containers.left_after(name) == []
