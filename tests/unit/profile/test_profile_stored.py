"""Promise D8: what a run was begun with is read by its structure, whatever is asked of a new profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from orchestrator.plan.sweep import points
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.reading.stored import read_stored
from orchestrator.profile.schema.dataset.kinds import OtherDataset
from orchestrator.profile.schema.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.profile.reading.stored import Stored
    from orchestrator.profile.schema.bench import Bench

BENCHES: tuple[dict[str, Any], ...] = (
    {"lengths": [[8, 4]], "num_prompts": 2, "ramp_up": {"strategy": "linear", "from": 1, "to": 9}},
    {"lengths": [[8, 4]], "num_prompts": 2, "repetitions": {"auto": {"metric": "p99_ttft_ms", "width": 0.1}}},
    {"lengths": {"input": [8], "output": [4]}, "concurrency": [1, 2], "prompts_per_concurrency": 3, "warmup": 4},
    {"lengths": [[8, 4]], "num_prompts": 2, "request_rate": ["inf", 2], "burstiness": 0.5, "client": "/opt/client.py"},
    {"lengths": [[8, 4]], "num_prompts": 2, "dataset": {"range_ratio": {"input": 0.5, "output": 0}}},
    {"lengths": [[300, 4]], "num_prompts": 2, "dataset": {"name": "sonnet", "file": "/data/sonnet.txt"}},
    {"num_prompts": 2, "dataset": {"name": "sharegpt", "path": "/data/chats.json", "output_len": 4}},
    {"num_prompts": 2, "dataset": {"name": "custom", "path": "/data/a.jsonl", "skip_chat_template": True}},
    {"num_prompts": 2, "dataset": {"name": "prefix_repetition", "num_prefixes": 2}},
    {"num_prompts": 2, "dataset": {"name": "burstgpt", "path": "/data/burst.csv"}},
    {"num_prompts": 2, "dataset": {"name": "hf", "path": "a/b"}, "backend": "openai-chat", "ignore_eos": False},
    {"num_prompts": 2, "lengths": {"input": [8]}, "backend": "openai-embeddings", "endpoint": "/v2/embeddings"},
)
CONTAINERS: tuple[dict[str, Any], ...] = (
    {"gpus": 2, "devices": ["/dev/kfd", "nvidia.com/gpu=0"], "memory_swap": -1, "memory": "2g", "ulimits": {"core": 0}},
    {"gpus": "driver=nvidia,count=2", "mounts": ["/a:/b:ro", "cache:/c"], "holds": ["gpu0"], "cpus": 1.5},
    {"gpus": [0, 1], "env": {"A": 1, "B": {"from_env": "B"}, "C": {"inherit": True}}, "labels": {"a.b": 1}},
    {"extra_hosts": {"hub": "10.0.0.2"}, "sysctls": {"net.core.somaxconn": 8}, "log_driver": "local"},
)
BARE: dict[str, Any] = {"name": "p", "container": {"image": "i"}, "server": {"model": "m"}}


def read(tmp_path: Path, **sections: object) -> Stored:
    path = tmp_path / "profile.yaml"
    path.write_text(yaml.safe_dump({**BARE, **sections}), encoding="utf-8")
    return read_stored(path)


def swept(stored: Stored) -> Bench:
    assert stored.profile.bench is not None
    return stored.profile.bench


def keys_refused(stored: Stored) -> list[str]:
    return [fault.key for fault in stored.refused()]


@pytest.mark.parametrize("sections", [{"bench": bench} for bench in BENCHES] + [{"container": c} for c in CONTAINERS])
def test_every_kind_of_value_is_read_as_it_was_written_down(tmp_path: Path, sections: dict[str, Any]) -> None:
    merged = {key: {**BARE.get(key, {}), **section} for key, section in sections.items()}
    profile = Profile.model_validate({**BARE, **merged})
    (tmp_path / "profile.yaml").write_text(dump_profile(profile), encoding="utf-8")
    stored = read_stored(tmp_path / "profile.yaml")
    assert stored.profile == profile
    assert dump_profile(stored.profile) == dump_profile(profile)
    assert (stored.note(), stored.refused()) == ("", ())


@pytest.mark.parametrize("flag", ["ignore-eos", "request-rate", "backend"])
def test_a_flag_that_a_key_owns_by_now_stays_part_of_the_points(tmp_path: Path, flag: str) -> None:
    stored = read(tmp_path, bench={"lengths": [[8, 4]], "num_prompts": 2, "client_flags": {flag: 5}})
    assert [point.parameters()["client_flags"] for point in points(swept(stored))] == [{flag: 5}]
    assert stored.note() == ""
    assert keys_refused(stored) == [f"bench.client_flags.{flag}"]


def test_a_key_that_is_not_known_any_more_is_kept_aside_and_named(tmp_path: Path) -> None:
    stored = read(tmp_path, container={"image": "i", "extra": {"shm-size": "1g"}}, bench={"num_prompts": [3], "was": 1})
    assert [(aside.keys, aside.value) for aside in stored.aside] == [
        (("container", "extra"), {"shm-size": "1g"}),
        (("bench", "was"), 1),
    ]
    assert stored.note().endswith("does not know: container.extra, bench.was")
    assert (stored.profile.container.image, swept(stored).num_prompts) == ("i", (3,))
    assert set(keys_refused(stored)) >= {"container.extra", "bench.was"}


def test_a_value_of_another_type_is_kept_aside_and_what_stands_beside_it_is_read(tmp_path: Path) -> None:
    stored = read(tmp_path, container={"image": "i", "devices": [{"source": 5}, "/dev/x"], "privileged": "yes"})
    assert stored.note().endswith(": container.devices[0].target, container.devices[1], container.privileged")
    assert stored.profile.container.privileged is False


def test_a_number_that_is_out_of_bounds_by_now_is_read_and_can_be_gone_on_with(tmp_path: Path) -> None:
    stored = read(
        tmp_path, bench={"lengths": [[8, 4]], "num_prompts": 10**12, "repetitions": 5000, "deadline": 1e12, "seed": -1}
    )
    bench = swept(stored)
    assert (bench.num_prompts, bench.repetitions, bench.deadline, bench.seed) == ((10**12,), 5000, 1e12, -1)
    assert (stored.note(), stored.refused()) == ("", ())


def test_a_dataset_of_a_name_that_is_taken_for_a_slip_by_now_is_that_dataset(tmp_path: Path) -> None:
    stored = read(tmp_path, bench={"num_prompts": 2, "dataset": {"name": "randon", "path": "/data/x"}})
    assert swept(stored).dataset == OtherDataset.model_construct(name="randon", path="/data/x")
    assert "bench.dataset.name" in keys_refused(stored)


def test_a_backend_that_is_gone_still_has_points_and_their_ids(tmp_path: Path) -> None:
    stored = read(tmp_path, bench={"lengths": [[8, 4]], "num_prompts": 2, "backend": "tgi"})
    assert [point.parameters()["backend"] for point in points(swept(stored))] == ["tgi"]


@pytest.mark.parametrize(
    ("text", "reason"), [("a: [", "not YAML"), ("- a\n", "a profile is a mapping"), (None, "cannot read")]
)
def test_a_file_that_is_no_profile_is_an_empty_one_with_the_reason(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    path = tmp_path / "profile.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    stored = read_stored(path)
    assert reason in stored.unreadable
    assert reason in stored.note()
    assert (stored.profile.bench, stored.profile.objectives) == (None, ())


def test_a_key_that_stands_twice_is_named_and_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text("name: p\nname: q\ncontainer: {image: i}\nserver: {model: m}\n", encoding="utf-8")
    stored = read_stored(path)
    assert (stored.profile.name, stored.note().rpartition(": ")[2]) == ("p", "name")
    assert keys_refused(stored) == ["name"]
