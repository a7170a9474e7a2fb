"""T1 and F4: an image is asked once which flags it knows, without a pull; a killed question leaves nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from engine.kit import containers
from engine.kit.command import STUB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.kit.command import Orch
    from engine.kit.proxy import Proxy

pytestmark = pytest.mark.engine

WITHOUT_VLLM = """
import importlib.metadata, pathlib, shutil
for name in ("vllm", importlib.metadata.distribution("vllm")._path.name):
    shutil.rmtree(pathlib.Path(importlib.metadata.distribution("vllm").locate_file(name)))
"""


def test_flags_that_the_image_does_not_take_are_faults_with_their_places(orch: Orch) -> None:
    name = orch.profile(
        "wrong",
        server={"flags": {"max-model-lenn": 1, "enforce-eager": "yes", "max-num-seqs": "many", "swap-space": 4}},
        bench={"client_flags": {"burstyness": 2}},
    )
    done = orch("profile", "lint", name, "--image")
    assert done.returncode == 2, done.stderr
    path = orch.profiles / f"{name}.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    unknown = "unknown to the image's vLLM 0.32.0"
    for flag, is_value, problem in (
        ("max-model-lenn: 1", False, f"{unknown}; did you mean 'max-model-len'?"),
        ("enforce-eager: ", True, "is a switch and takes no value; write true, or null to leave it out"),
        ("max-num-seqs: many", True, "is 'many', but must be a whole number"),
        ("swap-space: 4", False, f"{unknown}; it is gone since vLLM 0.18: leave it out"),
        ("burstyness: 2", False, f"{unknown}; did you mean 'burstiness'?"),
    ):
        line = next(number for number, text in enumerate(lines, 1) if text.strip().startswith(flag))
        text = lines[line - 1]
        column = len(text) - len(text.lstrip()) + 1 + (text.lstrip().index(": ") + 2 if is_value else 0)
        section = "bench.client_flags" if flag.startswith("burst") else "server.flags"
        assert f"{path}:{line}:{column} {section}.{flag.partition(':')[0]} — {problem}\n" in done.stdout
    assert containers.listed(orch.prefix) == []


def test_an_image_is_asked_once(orch: Orch, proxied: Callable[..., Proxy]) -> None:
    name = orch.profile("once", server={"flags": {"max-num-seqs": 8}})
    assert orch("profile", "lint", name, "--image").returncode == 0
    no_containers = {**orch.environ(), "DOCKER_HOST": proxied(refuses="/containers/create").url}
    told = orch.json("profile", "lint", name, "--image", env=no_containers)
    (checked,) = told["profiles"]
    assert (checked["faults"], checked["vllm_version"], checked["not_asked"]) == ([], "0.32.0", None)


def test_a_profile_is_judged_alike_whoever_has_asked_its_image_before(orch: Orch) -> None:
    sourcing = orch.profile("sourcing", container={"source": ["/opt/missing/env.sh"]})
    said = []
    for name in (sourcing, orch.profile("plain"), sourcing):
        done = orch("profile", "lint", name, "--image")
        said.append((done.returncode, "orch: cannot source /opt/missing/env.sh" in done.stderr))
    assert said == [(3, True), (0, False), (3, True)]


def test_an_image_that_is_not_on_the_node_is_not_pulled(orch: Orch) -> None:
    name = orch.profile("away", container={"image": "no.such.registry.example/vllm:0.9.2", "pull": "always"})
    done = orch("profile", "lint", name, "--image")
    assert done.returncode == 3
    assert "the image no.such.registry.example/vllm:0.9.2 is not on this node\n  docker pull no.such" in done.stderr
    (checked,) = json.loads(orch("profile", "lint", name, "--image", "--json").stdout)["profiles"]
    assert checked["vllm_version"] is None
    assert "is not on this node" in checked["not_asked"]


@pytest.fixture
def without_vllm(orch: Orch) -> Iterator[str]:
    """An image with python3 and no vLLM."""
    image = f"{orch.prefix}-without-vllm:1"
    name = f"orch-{orch.prefix}-making"
    containers.docker("run", "--name", name, STUB, "python3", "-c", WITHOUT_VLLM)
    containers.docker("commit", name, image)
    containers.docker("rm", name)
    yield image
    containers.docker("rmi", image)


def test_an_image_without_vllm_cannot_be_asked(orch: Orch, without_vllm: str) -> None:
    name = orch.profile("none", container={"image": without_vllm})
    done = orch("profile", "lint", name, "--image")
    assert done.returncode == 3
    assert f"the image {without_vllm} cannot be asked about its flags: its python3 has no vLLM" in done.stderr
    done = orch("profile", "lint", name, "--image", "--set", "container.env.PATH=/nowhere")
    assert done.returncode == 3
    assert containers.listed(orch.prefix) == []


def test_a_parser_that_cannot_be_built_is_said_and_is_no_fault(orch: Orch) -> None:
    name = orch.profile("broken", server={"env": {"STUB_VLLM_VERSION": "0.20.0"}, "flags": {"anything": 1}})
    done = orch("profile", "lint", name, "--image")
    assert done.returncode == 0, done.stderr
    assert "server.flags — cannot be checked, vllm serve's parser cannot be built: FaultError: " in done.stdout
    done = orch("profile", "lint", name, "--image", "--set", "server.env.STUB_VLLM_VERSION=")
    assert done.returncode == 2, "what kept it from answering is not kept in the cache"


def test_an_image_is_not_asked_on_devices_that_somebody_else_holds(orch: Orch) -> None:
    held = {"holds": [f"{orch.prefix}-device"]}
    holder = orch.profile("holder", container=held)
    orch.ok("up", holder)
    done = orch("profile", "lint", orch.profile("asker", container=held), "--image")
    assert done.returncode == 3
    assert f"container.image — {orch.prefix}-device is held by" in done.stderr
    assert holder in done.stderr
    orch.ok("down", holder)
    assert orch("profile", "lint", f"{orch.prefix}-asker", "--image").returncode == 0


def test_a_start_is_warned_by_what_the_image_has_said_before(orch: Orch) -> None:
    name = orch.profile("warned", server={"flags": {"max-model-lenn": 1}})
    warning = "warning: server.flags.max-model-lenn — unknown to the image's vLLM 0.32.0; did you mean 'max-model-len'?"
    done = orch("up", name)
    assert done.returncode == 0
    assert "warning" not in done.stderr, "nobody has asked it yet, and a start does not wait for that"
    orch.ok("down", name)
    assert orch("profile", "lint", name, "--image").returncode == 2
    done = orch("up", name)
    assert done.returncode == 0
    assert warning in done.stderr
    orch.ok("down", name)


def test_killed_while_it_asks_nothing_is_left(orch: Orch) -> None:
    slow = orch.folder / "slow.sh"
    slow.write_text("sleep 600\n", encoding="utf-8")
    name = orch.profile("slow", container={"mounts": [f"{slow}:/slow.sh:ro"], "source": ["/slow.sh"]})
    for signum, code in ((9, -9), (15, 143)):
        asking = orch.start("profile", "lint", name, "--image")
        asked = containers.wait_for_running(f"{name}-ask")
        assert containers.inspect(asked.id)["HostConfig"]["NetworkMode"] == "none"
        asking.signal(signum)
        assert asking.wait() == code
        assert containers.left_after(orch.prefix) == []
