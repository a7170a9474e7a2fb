"""What an image answers is kept by its id; what cannot be asked is said with the reason."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from fake_node import nvidia_node
from samples import a_profile, from_node

from orchestrator.engine import ImageFacts
from orchestrator.errors import EnvironmentFault
from orchestrator.images.question import MEMORY, answer_file, asking_spec, known_parsers, read_answer
from orchestrator.inside import parsers
from orchestrator.mask import Mask
from orchestrator.node.node import Node
from orchestrator.node.surroundings import held_on
from orchestrator.plan import labels
from orchestrator.plan.claims import holding
from orchestrator.plan.container import Identity
from orchestrator.profile.schema.devices import cdi_names, nodes
from orchestrator.vllm.parser import ImageParsers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARSER = {"problem": "", "options": []}
ANSWER = {"python": "3.11.2", "vllm": "0.32.0", "serve": PARSER, "bench": PARSER}
IMAGE = ImageFacts("sha256:" + "1" * 64, ())
IDENTITY = Identity("p-ask-0a1b2c3d", "0a1b2c3d", "/state/deployments/p-ask-0a1b2c3d")


def said(answer: object) -> bytes:
    return f"INFO vLLM speaks\n\n{parsers.ANSWER}{json.dumps(answer)}\nW it goes on\n".encode()


def test_the_answer_is_found_among_what_vllm_prints() -> None:
    assert read_answer("i:1", 0, said(ANSWER)).vllm == "0.32.0"


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (0, said({"python": "3.7", "vllm": None, "problem": "PackageNotFoundError('vllm')"}),
         "its python3 has no vLLM (PackageNotFoundError('vllm'))"),
        (127, b"starting\npython3: not found\n\n", "it ended with exit code 127: python3: not found"),
        (137, b"", "it ended with exit code 137: it printed nothing"),
        (None, b"INFO still importing\n", "it did not answer within 600 s"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_asked_says_why(code: int | None, output: bytes, reason: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        read_answer("i:1", code, output)
    assert caught.value.message == f"the image i:1 cannot be asked about its flags: {reason}"
    assert caught.value.hint


def test_what_is_told_of_the_output_hides_the_secrets_of_the_container() -> None:
    mask = Mask(["hunter22"])
    with pytest.raises(EnvironmentFault) as caught:
        read_answer("i:1", 1, b"KeyError: hunter22\n", mask)
    assert "hunter22" not in caught.value.message
    broken = {**ANSWER, "bench": {**PARSER, "problem": "ValueError: hunter22 is no token"}}
    assert read_answer("i:1", 0, said(broken), mask).bench.problem == "ValueError: ******** is no token"


@pytest.mark.parametrize("torn", [b"", b'{"python": "3.11', b"[]", b'{"python": "3.11"}', b"\xff"])
def test_a_torn_or_foreign_file_in_the_cache_is_no_answer(tmp_path: Path, torn: bytes) -> None:
    profile = a_profile()
    assert known_parsers(tmp_path, profile, IMAGE) is None
    path = answer_file(tmp_path, profile, IMAGE)
    path.parent.mkdir()
    path.write_bytes(json.dumps(ANSWER).encode())
    assert known_parsers(tmp_path, profile, IMAGE) == ImageParsers.model_validate(ANSWER)
    path.write_bytes(torn)
    assert known_parsers(tmp_path, profile, IMAGE) is None


@pytest.mark.parametrize(
    ("container", "server"),
    [
        ({"source": ["/opt/dtk/env.sh"]}, {}),
        ({"env": {"LD_LIBRARY_PATH": "/nowhere"}}, {}),
        ({"mounts": ["/etc:/opt/venv"]}, {}),
        ({"devices": ["/dev/null"]}, {}),
        ({"user": "65534"}, {}),
        ({}, {"env": {"PYTHONPATH": "/nowhere"}}),
    ],
)
def test_a_profile_is_not_judged_by_the_answer_to_another_s_question(
    tmp_path: Path, container: dict[str, Any], server: dict[str, Any]
) -> None:
    """What one profile sources, mounts or sets may keep an image from answering that answers another."""
    plain, other = a_profile(), a_profile(container=container, server=server)
    assert answer_file(tmp_path, other, IMAGE) != answer_file(tmp_path, plain, IMAGE)


def test_what_does_not_change_the_question_does_not_ask_again(tmp_path: Path) -> None:
    plain = a_profile()
    flags = a_profile(server={"flags": {"max-num-seqs": 8}}, bench={"concurrency": [1, 2]})
    renamed = plain.model_copy(update={"name": "another"})
    for other in (flags, renamed):
        assert answer_file(tmp_path, other, IMAGE) == answer_file(tmp_path, plain, IMAGE)


@pytest.fixture
def socket_of_an_engine(tmp_path: Path) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        yield tmp_path / "docker.sock"


def test_the_question_is_asked_with_the_profile_s_devices_and_environment_and_without_its_powers(
    socket_of_an_engine: Path,
) -> None:
    profile = a_profile(
        container={
            "devices": ["/dev/null", "/dev/no-such-device"],
            "mounts": ["/etc:/etc/of-the-node", "/no/such/folder:/x", f"{socket_of_an_engine}:/run/docker.sock"],
            "group_add": ["no-such-group"],
            "privileged": True,
            "ipc": "host",
            "security_opt": ["seccomp=unconfined"],
            "cap_add": ["SYS_ADMIN"],
            "network": "host",
            "env": {"A": "1", "TOKEN": {"from_env": "TOKEN"}},
            "source": ["/opt/dtk/env.sh"],
        },
        server={"env": {"B": "2"}},
    )
    spec = asking_spec(profile, IMAGE, IDENTITY)
    assert spec.image == IMAGE.id
    assert [device.source for device in from_node(spec.devices)] == ["/dev/null"]
    assert [(mount.source, mount.read_only) for mount in spec.mounts] == [("/etc", True), (IDENTITY.folder, True)]
    assert (spec.privileged, spec.ipc, spec.security_opt, spec.cap_add) == (False, None, (), ())
    assert (spec.network, spec.publish, spec.group_add, spec.memory, spec.secrets) == ("none", None, (), MEMORY, ())
    assert spec.env == {"A": "1", "PYTHONHASHSEED": "0"}
    assert "/opt/dtk/env.sh" in spec.command
    assert spec.command[-5:-3] == ("env", "B=2")
    assert spec.command[-3:-1] == ("python3", "-c")
    assert spec.labels[labels.LAUNCH] == IDENTITY.launch
    assert labels.PROFILE_HASH not in spec.labels, "no server of the profile runs in it"


def test_asking_bears_the_label_of_what_a_deployment_of_the_profile_would_hold() -> None:
    profile = a_profile(container={"privileged": True, "devices": ["nvidia.com/gpu=0", "/dev/no-such-card"]})
    spec = asking_spec(profile, IMAGE, IDENTITY, holding(profile))
    assert spec.labels[labels.HOLDS] == "accelerators"
    assert cdi_names(spec.devices) == ("nvidia.com/gpu=0",)
    assert nodes(spec.devices) == ()


def test_what_only_the_node_knows_is_asked_of_its_engine_and_its_kernel(tmp_path: Path) -> None:
    class Engine:
        def default_runtime(self) -> str:
            return "nvidia"

        def image_env(self, reference: str) -> dict[str, str]:
            return {"NVIDIA_VISIBLE_DEVICES": "3"} if reference == "vllm:0.8.5" else {}

    engine: Any = Engine()
    nvidia_node(tmp_path / "node", ["0000:18:00.0", "0000:2a:00.0", "0000:3a:00.0", "0000:5d:00.0"])
    bare, node = (Node(engine, tmp_path, tmp_path / name) for name in ("bare", "node"))
    assert held_on(bare, a_profile()).names == ("accelerator-3",)
    assert held_on(node, a_profile()).names == ("accelerator-pci-0000-5d-00.0",)
    assert held_on(node, a_profile(container={"holds": ["card"]})).names == ("card",)


def test_a_profile_s_own_bound_on_memory_is_kept_where_it_is_tighter() -> None:
    profile = a_profile(container={"memory": "2g", "supervise": False})
    spec = asking_spec(profile, IMAGE, IDENTITY)
    assert spec.memory == 2 * 2**30
    assert spec.entrypoint == "python3"
    assert spec.command[0] == "-IS"
