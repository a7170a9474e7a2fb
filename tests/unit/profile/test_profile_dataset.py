"""The datasets of a profile: each kind with its own keys, files of the node found from the file that names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from profile_folder import GOOD

from orchestrator.profile.dump import dump_profile
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.dataset.base import FOLDER, NAMES
from orchestrator.profile.schema.dataset.hub import HubDataset, SpecBenchDataset
from orchestrator.profile.schema.dataset.kinds import (
    NAMED,
    CustomDataset,
    Dataset,
    OtherDataset,
    RandomDataset,
    ShareGptDataset,
    SonnetDataset,
)
from orchestrator.profile.schema.dataset.random import PrefixRepetitionDataset
from orchestrator.vllm.dataset import FLAGS
from orchestrator.vllm.parser import ImageParsers

if TYPE_CHECKING:
    from profile_folder import Folder

RECORDED = Path(__file__).parents[2] / "fixtures" / "vllm"
KINDS: list[tuple[dict[str, Any], type[Dataset], str | None, dict[str, Any]]] = [
    ({}, RandomDataset, None, {}),
    ({"range_ratio": 0.5, "prefix_len": 8}, RandomDataset, None, {"range_ratio": 0.5, "prefix_len": 8}),
    ({"name": "sharegpt", "file": "/d/s.json"}, ShareGptDataset, f"{FOLDER}/s.json", {}),
    ({"name": "sonnet", "path": "/d/s.txt"}, SonnetDataset, "/d/s.txt", {"prefix_len": 200}),
    (
        {"name": "prefix_repetition", "num_prefixes": 2},
        PrefixRepetitionDataset,
        None,
        {"prefix_len": 256, "suffix_len": 256, "num_prefixes": 2},
    ),
    ({"name": "custom", "file": "/d/p.jsonl"}, CustomDataset, f"{FOLDER}/p.jsonl", {}),
    (
        {"name": "custom", "path": "/d/p.jsonl", "skip_chat_template": True},
        CustomDataset,
        "/d/p.jsonl",
        {"skip_chat_template": True},
    ),
    (
        {"name": "hf", "path": "org/set", "split": "train", "stream": False},
        HubDataset,
        "org/set",
        {"split": "train", "stream": False},
    ),
    ({"name": "hf", "path": "/d/set"}, HubDataset, "/d/set", {}),
    (
        {"name": "spec_bench", "file": "/d/q.jsonl", "category": "math"},
        SpecBenchDataset,
        f"{FOLDER}/q.jsonl",
        {"category": "math"},
    ),
    ({"name": "burstgpt", "file": "/d/b.csv"}, OtherDataset, f"{FOLDER}/b.csv", {}),
]


@pytest.mark.parametrize(("keys", "kind", "path", "options"), KINDS)
def test_a_dataset_is_of_the_kind_that_its_name_says(
    keys: dict[str, Any], kind: type[Dataset], path: str | None, options: dict[str, Any]
) -> None:
    lengths = {"lengths": [[8, 4]]} if kind in (RandomDataset, SonnetDataset) else {}
    dataset = Bench.model_validate({"dataset": keys, "num_prompts": 10, **lengths}).dataset
    assert type(dataset) is kind
    assert (dataset.client_path, dataset.node_file, dataset.options()) == (path, keys.get("file"), options)


def test_every_dataset_with_keys_of_its_own_has_flags_for_them() -> None:
    assert set(NAMED) == set(FLAGS) == set(NAMES)
    shared = set(OtherDataset.model_fields) | {"output_len"}
    for name, kind in NAMED.items():
        assert set(kind.model_fields) - shared == set(FLAGS[name].options), name


def test_every_dataset_of_a_client_of_vllm_is_accepted() -> None:
    asked = [ImageParsers.model_validate_json(path.read_bytes()) for path in RECORDED.glob("*/parsers.json")]
    options = [parsers.bench.option("dataset-name") for parsers in asked]
    names = {choice for option in options if option is not None for choice in option.choices or ()}
    assert names >= {*NAMED, "hf", "burstgpt", "random-mm", "custom_audio", "speed_bench"}
    for name in names:
        file = {} if name.startswith("random") or name == "prefix_repetition" else {"path": "/d/f.jsonl"}
        lengths = {"lengths": [[8, 4]]} if name in ("random", "random-mm", "sonnet") else {}
        rerank = {"backend": "vllm-rerank", "lengths": {"input": [8]}} if name == "random-rerank" else {}
        chat = {"backend": "openai-chat"} if name in ("random-mm", "custom_image", "custom_audio") else {}
        bench = Bench.model_validate(
            {"dataset": {"name": name, **file}, "num_prompts": 10, **lengths, **rerank, **chat}
        )
        assert type(bench.dataset) is NAMED.get(name, OtherDataset)


CUSTOM = "bench: {num_prompts: 1, dataset: {name: custom, file: %s}}\n"


def file_of(folder: Folder, name: str = "p", *sets: str) -> str | None:
    bench = folder.load(name, *sets).bench
    assert bench is not None
    return bench.dataset.node_file


@pytest.mark.parametrize("name", ["a.jsonl", "./a.jsonl", "../data/a.jsonl", "prompts/a.jsonl"])
def test_a_file_is_found_from_the_profile_that_names_it(folder: Folder, name: str) -> None:
    folder.write("p.yaml", GOOD + CUSTOM % name)
    found = file_of(folder)
    assert found is not None
    assert Path(found).is_absolute()
    assert Path(found) == (folder.path / name).resolve()


def test_a_file_that_a_base_names_lies_beside_the_base(folder: Folder) -> None:
    folder.write("bases/b.yaml", GOOD + CUSTOM % "a.jsonl")
    folder.write("p.yaml", "extends: bases/b.yaml\n")
    assert file_of(folder) == str(folder.path / "bases" / "a.jsonl")
    folder.write("p.yaml", "extends: bases/b.yaml\nbench: {dataset: {file: c.jsonl}}\n")
    assert file_of(folder) == str(folder.path / "c.jsonl")


def test_a_file_on_the_command_line_is_found_from_the_current_folder(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder.write("p.yaml", GOOD + CUSTOM % "a.jsonl")
    assert file_of(folder, "p", "bench.dataset.file=c.jsonl") == str(tmp_path / "c.jsonl")
    assert file_of(folder, "p", "bench.dataset.file=/d/c.jsonl") == "/d/c.jsonl"


def dataset_of(folder: Folder, *sets: str) -> Dataset:
    bench = folder.load("p", *sets).bench
    assert bench is not None
    return bench.dataset


def test_another_dataset_replaces_the_base_s_and_the_same_one_is_laid_over_it(folder: Folder) -> None:
    folder.write("b.yaml", GOOD + "bench: {num_prompts: 1, dataset: {name: custom, file: /d/a.jsonl, output_len: 4}}\n")
    folder.write("p.yaml", "extends: b\nbench: {dataset: {output_len: 5}}\n")
    assert dataset_of(folder) == CustomDataset(name="custom", file="/d/a.jsonl", output_len=5)
    folder.write("p.yaml", "extends: b\nbench: {dataset: {name: custom, skip_chat_template: true}}\n")
    assert dataset_of(folder).node_file == "/d/a.jsonl"
    folder.write("p.yaml", "extends: b\nbench: {lengths: [[8, 4]], dataset: {name: random, prefix_len: 8}}\n")
    assert dataset_of(folder) == RandomDataset(prefix_len=8)
    sets = ["bench.lengths=", "bench.dataset={name: sharegpt, path: /d/s.json}"]
    assert dataset_of(folder, *sets) == ShareGptDataset(name="sharegpt", path="/d/s.json")
    assert dataset_of(folder, "bench.dataset.name=random") == RandomDataset(prefix_len=8)


def test_a_link_keeps_its_own_name(folder: Folder) -> None:
    folder.write("blob", "{}")
    (folder.path / "a.jsonl").symlink_to("blob")
    folder.write("p.yaml", GOOD + CUSTOM % "a.jsonl")
    assert file_of(folder) == str(folder.path / "a.jsonl")


def test_what_comes_out_can_be_run_from_anywhere(folder: Folder) -> None:
    bench = "num_prompts: 1, dataset: {name: custom, file: a.jsonl}, ramp_up: {strategy: linear, from: 1, to: 9}"
    folder.write("p.yaml", f"{GOOD}bench: {{{bench}}}\n")
    resolved = folder.load()
    elsewhere = folder.write("else/where.yaml", dump_profile(resolved))
    assert load_profile(str(elsewhere), []) == resolved


def test_a_file_of_prompts_needs_its_place_in_the_container(folder: Folder) -> None:
    text = GOOD.replace("}", f", mounts: ['/a:{FOLDER}/a.jsonl']}}", 1) + CUSTOM % "a.jsonl"
    assert folder.faults_in(text) == [
        f"p.yaml:1:36 container.mounts[0] — a mount takes the place of bench.dataset.file, {FOLDER}/a.jsonl"
    ]
