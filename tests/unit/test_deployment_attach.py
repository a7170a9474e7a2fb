"""Joining what is up: only a healthy deployment that is what the profile asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine, deployed, exited, listed, node_of
from samples import a_profile
from web import VLLM, answering, free_port

from orchestrator.deployment.attach import attach, check_fit, made_from, serving, whole_log
from orchestrator.deployment.folder import PROFILE, make_deployment_folder, new_identity
from orchestrator.deployment.launch import find_up, refuse_if_up
from orchestrator.deployment.running import server_api
from orchestrator.engine import ImageFacts
from orchestrator.errors import Busy, ProfileError, ServerFailed, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.profile.schema.profile import Profile


class Engine(FakeEngine):
    """An engine with one image."""

    def image(self, reference: str) -> ImageFacts:
        return ImageFacts(reference, ())

    def inspect(self, container: str) -> dict[str, Any]:
        return {"Id": container, "Image": "sha256:1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), a_profile(), {})


def test_a_deployment_tells_the_profile_that_it_was_made_from(folder: Path) -> None:
    assert made_from(listed(folder=folder)) == a_profile()
    changed = made_from(listed(folder=folder), ("bench.seed=5", "bench.repetitions=3"))
    assert changed.bench is not None
    assert (changed.bench.seed, changed.bench.repetitions) == (5, 3)


def test_a_deployment_without_a_record_can_only_be_ended() -> None:
    with pytest.raises(UsageError, match="the deployment tiny has no record on this node") as caught:
        made_from(listed())
    assert "orch down" in caught.value.hint


def test_a_record_that_was_tampered_with_is_not_trusted(folder: Path) -> None:
    (folder / PROFILE).write_text("name: 5\nnonsense: true\n", encoding="utf-8")
    with pytest.raises(ProfileError):
        made_from(listed(folder=folder))


def test_what_a_deployment_serves_is_read_whatever_is_refused_by_now_and_fits_nothing_where_it_is_not_known(
    folder: Path,
) -> None:
    text = (folder / PROFILE).read_text(encoding="utf-8")
    (folder / PROFILE).write_text(text.replace("client_flags: {}", "client_flags: {ignore-eos: true}"), "utf-8")
    with pytest.raises(ProfileError, match="ignore-eos"):
        made_from(listed(folder=folder))
    assert serving(listed(folder=folder)).profile.server == a_profile().server
    check_fit(listed(folder=folder), a_profile())
    (folder / PROFILE).write_text(text.replace("container:\n", "container:\n  extra: {a: b}\n"), "utf-8")
    assert serving(listed(folder=folder)).profile == a_profile()
    with pytest.raises(UsageError, match=r"container\.extra: it was made with it"):
        check_fit(listed(folder=folder), a_profile())


def test_a_record_that_is_torn_serves_nothing_that_is_known(folder: Path) -> None:
    (folder / PROFILE).write_text("a: [", encoding="utf-8")
    with pytest.raises(UsageError, match="the record of the deployment tiny is not known") as caught:
        serving(listed(folder=folder))
    assert "orch down" in caught.value.hint


def test_another_sweep_fits_and_another_server_does_not(folder: Path) -> None:
    check_fit(listed(folder=folder), a_profile(bench={"seed": 5}, name="other"))
    wanted = a_profile(server={"flags": {"dtype": "float16"}}, container={"image": "vllm:0.9.0"}, name="other")
    with pytest.raises(UsageError) as caught:
        check_fit(listed(folder=folder), wanted)
    assert caught.value.message.splitlines() == [
        "the deployment tiny is not what the profile other asks for:",
        '  container.image: "vllm:0.8.5" → "vllm:0.9.0"',
        '  server.flags.dtype: nothing → "float16"',
    ]
    assert caught.value.hint.startswith("orch down tiny")


def with_prompts(name: str) -> dict[str, Any]:
    return {"bench": {"lengths": None, "dataset": {"name": "custom", "file": f"/data/{name}.jsonl"}}}


def test_prompts_of_the_node_must_have_been_mounted_when_the_deployment_was_made(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check_fit(listed(folder=folder), a_profile(**with_prompts("a")))
    assert caught.value.message.splitlines()[1:] == ["  bench.dataset.file: /data/a.jsonl is not mounted in it"]
    assert caught.value.hint == "orch down tiny   then: orch up tiny"


def test_a_deployment_with_prompts_serves_sweeps_with_these_or_none(tmp_path: Path) -> None:
    made = a_profile(**with_prompts("a"))
    folder = make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), made, {})
    check_fit(listed(folder=folder), made)
    check_fit(listed(folder=folder), a_profile())
    with pytest.raises(UsageError, match=r"/data/b\.jsonl is not mounted in it"):
        check_fit(listed(folder=folder), a_profile(**with_prompts("b")))


def served_at(port: int) -> Profile:
    return a_profile(server={"port": port, "flags": {"served-model-name": "tiny"}})


def test_a_healthy_deployment_is_joined(folder: Path) -> None:
    with answering(VLLM) as port:
        found = attach(node_of(Engine()), listed(folder=folder), served_at(port))
    assert (found.identity.name, found.identity.launch, found.member.container) == ("tiny", "0a1b2c3d", "c" * 64)
    assert (found.image.id, found.vllm_version, found.max_model_len) == ("sha256:1", "0.32.0", 2048)


def test_a_deployment_that_does_not_answer_is_not_joined(folder: Path) -> None:
    with pytest.raises(ServerFailed, match=r"the deployment tiny is not healthy \(container running\)"):
        attach(node_of(Engine()), listed(folder=folder), served_at(free_port()))


def test_a_deployment_that_has_ended_is_not_joined(folder: Path) -> None:
    with answering(VLLM) as port, pytest.raises(ServerFailed, match=r"\(container exited, exit code 137\)"):
        attach(node_of(Engine(ended=exited(137))), listed(folder=folder), served_at(port))


def test_a_deployment_whose_port_another_server_has_is_not_joined(folder: Path) -> None:
    foreign = {**VLLM, "/v1/models": {"data": [{"id": "foreign"}]}}
    with answering(foreign) as port, pytest.raises(ServerFailed, match="offers foreign, not tiny"):
        attach(node_of(Engine()), listed(folder=folder), served_at(port))


def test_the_whole_log_of_a_deployment_can_be_had(folder: Path) -> None:
    engine = Engine(output=[b"one\n", b"two\n"])
    with answering(VLLM) as port:
        found = attach(node_of(engine), listed(folder=folder), served_at(port))
    assert whole_log(found) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("host", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")],
)
def test_a_server_on_all_addresses_is_asked_on_this_node_s_own(host: str, asked: str) -> None:
    assert server_api(a_profile(server={"host": host}), {}).host == asked


def test_a_name_is_used_once(folder: Path) -> None:
    engine = Engine([deployed("tiny", folder)])
    found = find_up(engine, "tiny")
    assert found is not None
    with pytest.raises(Busy, match=r"the deployment tiny exists \(running, owner unknown\)"):
        refuse_if_up(engine, "tiny")
    assert find_up(engine, "other") is None
    refuse_if_up(engine, "other")
