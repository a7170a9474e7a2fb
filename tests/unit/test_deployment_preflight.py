"""Before anything is made: what the node, the image or the server's context cannot give is said, all at once."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections import namedtuple
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import NODE
from processes import OF_TESTS, python
from samples import a_bench, a_profile
from unprivileged import closed_folder, ordinary_user

from orchestrator.deployment.groups import with_known_groups
from orchestrator.engine import Engine, ImageFacts
from orchestrator.errors import EnvironmentFault, ExitCode, ImageMissing, PortTaken, UsageError
from orchestrator.events import Event, unheard
from orchestrator.images.pull import ensure_image
from orchestrator.node import preflight
from orchestrator.node.preflight import check_node, check_port
from orchestrator.plan.container import Identity, container_spec
from orchestrator.plan.suits import check_context, flagged_context
from orchestrator.vllm.phases import Phase, PhaseReached

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_somebody_listens_at_is_taken(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on {host} is in use") as caught:
            check_port(host, port)
        assert f"server.port={port + 1}" in caught.value.hint
    check_port(host, port)


def test_a_server_that_would_share_its_port_is_noticed() -> None:
    with socket.socket() as vllm:
        vllm.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        vllm.bind(("127.0.0.1", 0))
        vllm.listen()
        with pytest.raises(PortTaken):
            check_port("127.0.0.1", vllm.getsockname()[1])


def test_connections_that_have_just_ended_do_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # closed from this side first: the port lingers
    check_port("127.0.0.1", port)


def test_an_address_that_is_not_this_node_s_is_an_environment_fault() -> None:
    with pytest.raises(EnvironmentFault, match=r"the server cannot listen on 192\.0\.2\.1:8000") as caught:
        check_port("192.0.2.1", 8000)
    assert not isinstance(caught.value, PortTaken)


def test_everything_that_the_node_lacks_is_said_at_once(tmp_path: Path) -> None:
    profile = a_profile(
        container={"devices": ["/dev/null", "/dev/nokfd"], "mounts": [f"{tmp_path}:/a", "/no/data:/data", "/no/hy:/hy"]}
    )
    with pytest.raises(EnvironmentFault) as caught:
        check_node(NODE, profile, tmp_path)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert caught.value.message.splitlines() == [
        "this node is not what the profile tiny asks for:",
        "  container.devices: /dev/nokfd does not exist",
        "  container.mounts: /no/data does not exist",
        "  container.mounts: /no/hy does not exist",
    ]


def test_a_node_that_has_everything_is_in_order(tmp_path: Path) -> None:
    check_node(
        NODE, a_profile(container={"devices": ["/dev/null"], "shm_size": "64G"}), tmp_path, tmp_path / "not" / "yet"
    )


def test_with_the_node_s_ipc_its_shared_memory_must_be_large_enough(tmp_path: Path) -> None:
    (tmp_path / "dev/shm").mkdir(parents=True)
    node = replace(NODE, root=tmp_path)
    size = shutil.disk_usage(tmp_path).total
    check_node(node, a_profile(container={"ipc": "host", "shm_size": size}))
    check_node(node, a_profile(container={"ipc": "host"}))
    check_node(node, a_profile(container={"shm_size": size + 1}))
    with pytest.raises(EnvironmentFault, match=r"container\.shm_size: with ipc: host it has no effect"):
        check_node(node, a_profile(container={"ipc": "host", "shm_size": size + 1}))


def test_a_disk_that_is_full_is_noticed_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LEAST_DISK", shutil.disk_usage(tmp_path).total + 1)
    with pytest.raises(EnvironmentFault, match=f"{tmp_path} has less than"):
        check_node(NODE, a_profile(), tmp_path)


def test_what_an_ordinary_user_may_not_look_at_is_left_to_the_engine_unless_orch_must_use_it() -> None:
    with closed_folder() as folder:
        file = folder / "file.jsonl"
        mounted = a_profile(container={"devices": [str(file)], "mounts": [f"{file}:/data"]})
        used = a_profile(bench={"dataset": {"name": "sonnet", "file": str(file)}})
        with ordinary_user():
            check_node(NODE, mounted)
            with pytest.raises(EnvironmentFault) as caught:
                check_node(NODE, used, folder / "runs")
    assert caught.value.message.splitlines()[1:] == [
        f"  bench.dataset.file: {file} cannot be read: Permission denied",
        f"  {folder}/runs cannot be written",
    ]


NOBODY = """
import os
from pathlib import Path
from fake_engine import NODE
from samples import a_profile
from orchestrator.node.preflight import check_node
from orchestrator.errors import EnvironmentFault
if os.getuid() == 0:
    os.setuid(65534)
try:
    check_node(NODE, a_profile(), Path("/etc/orch/runs"))
except EnvironmentFault as fault:
    print(fault.message)
"""
"""A check by a user who is not root."""


def test_a_folder_that_we_may_not_write_is_noticed_beforehand() -> None:
    env = {**os.environ, "PYTHONPATH": OF_TESTS}
    run = subprocess.run(python("-c", NOBODY), env=env, capture_output=True, text=True, check=True)
    assert "/etc/orch/runs cannot be written" in run.stdout


def test_a_point_that_needs_more_context_than_the_server_gives_is_refused() -> None:
    bench = a_bench(lengths=[[512, 512], [1024, 1025]])
    check_context(bench, None)
    check_context(bench, 2049)
    with pytest.raises(UsageError, match="1024/1025 × 4 prompts needs 2049 tokens of context, the server gives 2048"):
        check_context(bench, 2048)


def test_where_the_dataset_decides_any_context_will_do() -> None:
    check_context(a_bench(lengths=None, dataset={"name": "sharegpt", "path": "/data/s.json"}), 1)


def test_a_prompt_with_its_prefix_and_the_longest_of_lengths_that_vary_must_fit() -> None:
    check_context(a_bench(lengths=[[100, 100]], dataset={"prefix_len": 10}), 210)
    check_context(a_bench(lengths=[[100, 100]], dataset={"range_ratio": 0.5}), 300)
    with pytest.raises(UsageError, match="needs 210 tokens of context"):
        check_context(a_bench(lengths=[[100, 100]], dataset={"prefix_len": 10}), 209)
    with pytest.raises(UsageError, match="needs 300 tokens of context"):
        check_context(a_bench(lengths=[[100, 100]], dataset={"range_ratio": 0.5}), 299)


def test_prompts_that_are_not_on_the_node_are_missed_before_anything_is_started(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    profile = a_profile(bench={"lengths": None, "dataset": {"name": "custom", "file": str(file)}})
    with pytest.raises(EnvironmentFault, match=f"bench.dataset.file: {file} does not exist"):
        check_node(NODE, profile)
    file.mkdir()
    with pytest.raises(EnvironmentFault, match=f"bench.dataset.file: {file} is not a file"):
        check_node(NODE, profile)
    file.rmdir()
    file.touch()
    check_node(NODE, profile)


@pytest.mark.parametrize(
    ("flags", "length"),
    [
        ({}, None),
        ({"max-model-len": 2048}, 2048),
        ({"max_model_len": "32k"}, 32_000),
        ({"max-model-len": "auto"}, None),
        ({"max-model-len": -1}, None),
        ({"max-model-len": True}, None),
    ],
)
def test_the_context_that_the_flags_ask_for_is_known_beforehand(flags: dict[str, Any], length: int | None) -> None:
    assert flagged_context(a_profile(server={"flags": flags})) == length


FACTS = ImageFacts("sha256:1", ())


@dataclass
class Images(Engine):
    """An engine that knows images."""

    local: bool
    pulled: list[str] = field(default_factory=list)

    def image(self, reference: str) -> ImageFacts:
        if not self.local:
            raise ImageMissing(f"the image {reference} is not on this node", f"docker pull {reference}")
        return FACTS

    def pull(
        self, reference: str, deadline_s: float, progress: Callable[[str], None], platform: str | None = None
    ) -> None:
        self.pulled.append(f"{platform} {reference}" if platform else reference)
        progress(f"{deadline_s:.0f}")
        self.local = True


@pytest.mark.parametrize(
    ("pull", "local", "pulled"),
    [("missing", True, []), ("missing", False, ["vllm:0.8.5"]), ("always", True, ["vllm:0.8.5"]), ("never", True, [])],
)
def test_an_image_is_pulled_as_the_profile_says(pull: str, *, local: bool, pulled: list[str]) -> None:
    engine, told = Images(local), list[Event]()
    container = a_profile(container={"pull": pull}).container
    assert ensure_image(engine, container, 60.0, told.append) == FACTS
    assert engine.pulled == pulled
    assert told == [PhaseReached(Phase.IMAGE, detail) for detail in (container.image, *["60"] * len(pulled))]


def test_an_image_is_pulled_for_the_platform_that_the_profile_names() -> None:
    engine = Images(local=False)
    container = a_profile(container={"platform": "linux/arm64"}).container
    ensure_image(engine, container, 60.0, unheard)
    assert engine.pulled == ["linux/arm64 vllm:0.8.5"]


def test_a_volume_need_not_be_there_beforehand() -> None:
    check_node(NODE, a_profile(container={"mounts": ["weights-cache:/root/.cache"]}))


def test_an_image_that_is_never_pulled_must_be_there() -> None:
    container = a_profile(container={"pull": "never"}).container
    with pytest.raises(ImageMissing, match="is not on this node") as caught:
        ensure_image(Images(local=False), container, 60.0, unheard)
    assert "docker load" in caught.value.hint


@dataclass
class Files(Engine):
    """An engine that can read a file of an image."""

    text: bytes
    read: list[tuple[str, str]] = field(default_factory=list)

    def read_image_file(self, reference: str, path: str, labels: Mapping[str, str]) -> bytes:
        assert (labels["orch.deployment"], labels["orch.launch"]) == ("tiny", "0a1b2c3d"), "teardown and gc find it"
        self.read.append((reference, path))
        return self.text


def groups(engine: Files, *wanted: str | int) -> tuple[str, ...]:
    profile = a_profile(container={"group_add": list(wanted)})
    spec = container_spec(profile, Identity("tiny", "0a1b2c3d", "/state"))
    return with_known_groups(engine, spec).group_add


def test_a_group_that_the_image_knows_keeps_its_name() -> None:
    assert groups(Files(b"root:x:0:\nvideo:x:44:\n"), "video", 109) == ("video", "109")


def test_a_group_that_the_image_lacks_becomes_the_node_s_number() -> None:
    assert groups(Files(b"video:x:44:\n"), "root", "video") == ("0", "video")


def test_numbers_need_no_look_into_the_image() -> None:
    engine = Files(b"")
    assert groups(engine, 44, 109) == ("44", "109")
    assert groups(engine) == ()
    assert engine.read == []


def test_a_group_that_nobody_knows_is_an_environment_fault() -> None:
    with pytest.raises(EnvironmentFault, match=r"the group nosuch of container\.group_add") as caught:
        groups(Files(b""), "nosuch")
    assert "stat -c %g" in caught.value.hint
