"""Fingerprints say whether two runs were asked for the same, whatever their profiles are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import create_model
from samples import a_profile

from orchestrator.plan.fingerprints import environment_fingerprint, server_fingerprint, workload_fingerprint
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Container, Profile, Server

if TYPE_CHECKING:
    from pydantic import BaseModel

NODE = {"accelerators": [], "cpu_model": "a processor", "cpus": 8, "architecture": "x86_64"}
IMAGE = "sha256:" + "1" * 64


def all_of(profile: Profile, image: str = IMAGE, node: dict[str, Any] | None = None) -> tuple[str, str, str]:
    where = environment_fingerprint(profile, image, NODE if node is None else node)
    return workload_fingerprint(profile), server_fingerprint(profile), where


SAME = [
    a_profile(),
    a_profile(description="another"),
    a_profile(name="another"),
    a_profile(container={"image": "registry.example/another-name:0.8.5", "pull": "always"}),
    a_profile(server={"port": 8010, "host": "0.0.0.0"}),
    a_profile(server={"command": ["vllm", "serve"], "flags": {}}),
    a_profile(bench={"request_rate": ["inf"], "seed": 0, "backend": "openai", "warmup": "auto"}),
    a_profile(bench={"deadline": "5m", "stall": "1m", "restarts": 3, "repetitions": 5}),
    a_profile(objectives=["mean_ttft_ms<5"], health={"deadline": "5m"}),
]


@pytest.mark.parametrize("profile", SAME)
def test_what_decides_no_figure_changes_no_fingerprint(profile: Profile) -> None:
    assert all_of(profile) == all_of(a_profile())


def with_one_more_key(model: type[BaseModel], values: BaseModel) -> BaseModel:
    """The same section in a version that has a key more, at its default."""
    later = create_model(f"Later{model.__name__}", __base__=model, of_tomorrow=(str, "as it always was"))
    return later.model_validate(values.model_dump(exclude_defaults=True, by_alias=True))


@pytest.mark.parametrize("section", ["container", "server", "bench"])
def test_a_key_that_a_later_version_adds_changes_none_where_it_is_at_its_default(section: str) -> None:
    profile = a_profile(server={"flags": {"max-num-seqs": 4}, "env": {"A": "1"}})
    models: dict[str, type[BaseModel]] = {"container": Container, "server": Server, "bench": Bench}
    model = models[section]
    later = profile.model_copy(update={section: with_one_more_key(model, getattr(profile, section))})
    assert "of_tomorrow" in type(getattr(later, section)).model_fields
    assert all_of(later) == all_of(profile)


CHANGED: list[tuple[Profile, tuple[bool, bool, bool]]] = [
    (a_profile(bench={"lengths": [[64, 17]]}), (True, False, False)),
    (a_profile(bench={"seed": 5}), (True, False, False)),
    (a_profile(bench={"client": "vllm-rs"}), (True, False, False)),
    (a_profile(bench={"client_flags": {"top-p": 0.5}}), (True, False, False)),
    (a_profile(server={"model": "/models/other"}), (False, True, False)),
    (a_profile(server={"flags": {"max-num-seqs": 4}}), (False, True, False)),
    (a_profile(server={"env": {"NCCL_ALGO": "Ring"}}), (False, True, False)),
    (a_profile(container={"shm_size": "16g"}), (False, False, True)),
    (a_profile(container={"env": {"A": "1"}}), (False, False, True)),
]


@pytest.mark.parametrize(("profile", "changes"), CHANGED)
def test_each_thing_that_decides_figures_changes_its_own(profile: Profile, changes: tuple[bool, bool, bool]) -> None:
    pairs = zip(all_of(profile), all_of(a_profile()), strict=True)
    assert tuple(now != before for now, before in pairs) == changes


def test_another_image_or_other_hardware_is_another_environment() -> None:
    found = {
        all_of(a_profile())[2],
        all_of(a_profile(), image="sha256:" + "2" * 64)[2],
        all_of(a_profile(), node={**NODE, "cpus": 9})[2],
    }
    assert len(found) == 3
