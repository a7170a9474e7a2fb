"""A sweep that the client cannot measure, or whose prompts are not those on record, is refused before it begins."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from fake_engine import NODE, member_of
from local_container import LocalContainer
from samples import a_bench, a_client, a_profile

from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.jobs.record import make_run
from orchestrator.measuring.abilities import check_abilities, seen_dataset
from orchestrator.measuring.driver import Driver, SeenFile, Wanted
from orchestrator.measuring.resume import check_conditions
from orchestrator.node.facts import dataset_facts, node_facts
from orchestrator.runs.format.records import DatasetFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.profile.schema.bench import Bench


@pytest.fixture
def container(tmp_path: Path) -> Iterator[LocalContainer]:
    made = LocalContainer(tmp_path)
    yield made
    made.close()


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"prompt": "x"}) + "\n", encoding="utf-8")
    return path


def of_file(path: Path) -> Bench:
    return a_bench(lengths=None, dataset={"name": "custom", "file": str(path)})


def test_what_the_client_cannot_do_is_said_once_with_its_version() -> None:
    check_abilities(a_bench(), a_client())
    with pytest.raises(EnvironmentFault) as caught:
        check_abilities(a_bench(num_prompts=[1, 2], dataset={"prefix_len": 8}), a_client())
    assert caught.value.message.splitlines() == [
        "the client vllm of vLLM 0.32.0 cannot measure the dataset 'random' as asked:",
        "  bench.dataset.prefix_len: no option --random-prefix-len",
    ]
    assert "docs/how-to/datasets.md" in caught.value.hint


def test_prompts_are_recorded_as_the_client_will_read_them(prompts: Path) -> None:
    dataset = of_file(prompts).dataset
    on_node = dataset_facts(NODE, dataset)
    digest = hashlib.sha256(prompts.read_bytes()).hexdigest()
    assert on_node == DatasetFacts(
        name="custom", file=str(prompts), path="/run/orch-dataset/p.jsonl", size=16, sha256=digest
    )
    assert seen_dataset(dataset, on_node, a_client(dataset=SeenFile(digest, 16))) == on_node
    assert seen_dataset(dataset, None, a_client(dataset=SeenFile(digest, 16))) == on_node
    assert seen_dataset(a_bench().dataset, None, a_client()) is None


def test_prompts_that_were_replaced_since_the_deployment_was_made_are_refused(prompts: Path) -> None:
    dataset = of_file(prompts).dataset
    with pytest.raises(EnvironmentFault, match=r"p\.jsonl in the container is not the file on record"):
        seen_dataset(dataset, dataset_facts(NODE, dataset), a_client(dataset=SeenFile("0" * 64, 16)))


def test_a_dataset_that_is_no_file_of_the_node_has_no_facts(tmp_path: Path) -> None:
    assert dataset_facts(NODE, a_bench().dataset) is None
    with pytest.raises(EnvironmentFault, match=r"bench\.dataset\.file: .*gone\.jsonl cannot be read"):
        dataset_facts(NODE, of_file(tmp_path / "gone.jsonl").dataset)


def test_a_run_is_resumed_with_its_own_prompts_only(tmp_path: Path, prompts: Path) -> None:
    profile = a_profile(bench={"lengths": None, "dataset": {"name": "custom", "file": str(prompts)}})
    run = make_run(tmp_path / "runs", profile, NODE)
    assert run.manifest().dataset == dataset_facts(NODE, of_file(prompts).dataset)
    assert run.manifest().node == node_facts(NODE)
    check_conditions(run, NODE, profile)
    prompts.write_text("{}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"bench\.dataset\.file {prompts}: sha256 \w+ → \w+"):
        check_conditions(run, NODE, profile)


def test_the_driver_tells_what_the_prompts_are(container: LocalContainer, prompts: Path) -> None:
    driver = Driver(member_of(container), Wanted("vllm", str(prompts)), None)
    assert driver.client().dataset == SeenFile(hashlib.sha256(prompts.read_bytes()).hexdigest(), 16)
    driver.close()


def test_prompts_that_are_not_in_the_container_are_missed_at_once(container: LocalContainer, tmp_path: Path) -> None:
    driver = Driver(member_of(container), Wanted("vllm", str(tmp_path / "gone")), None)
    with pytest.raises(EnvironmentFault, match="gone cannot be read: No such file or directory") as caught:
        driver.client()
    assert "bench.dataset.file" in caught.value.hint
    driver.close()


def test_a_rust_client_that_the_image_lacks_is_never_replaced_by_another(container: LocalContainer) -> None:
    driver = Driver(member_of(container), Wanted("vllm-rs"), None)
    with pytest.raises(
        EnvironmentFault, match="there is no vllm-rs, neither in the vllm package nor on PATH"
    ) as caught:
        driver.client()
    assert "set bench.client to vllm" in caught.value.hint
    driver.close()
