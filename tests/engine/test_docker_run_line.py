"""C3: the `docker run` line that orch prints makes the container that orch makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import STUB, answers_at

from orchestrator.engine import connect
from orchestrator.plan import labels
from orchestrator.plan.container import BY_HAND, Identity, container_spec
from orchestrator.plan.plan import plan
from orchestrator.profile.inherited import with_values
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.profile import Container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kit.command import Orch

    from orchestrator.profile.schema.profile import Profile

pytestmark = pytest.mark.engine

SHIPPED = Path(__file__).parents[2] / "profiles"
ODD = "odd, naïve \"dir\" 'x' $(y) 目录"
SECCOMP = '{"defaultAction": "SCMP_ACT_ALLOW",\n  "comment": "é <all> & 目录", "syscalls": []}'

OF_THE_MOMENT = {
    "Id", "Created", "Config.Hostname", "GraphDriver.Data",
    "State.Pid", "State.StartedAt", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath",
    "NetworkSettings.SandboxID", "NetworkSettings.SandboxKey", "NetworkSettings.EndpointID",
    "NetworkSettings.IPAddress", "NetworkSettings.MacAddress", "NetworkSettings.Networks.bridge.EndpointID",
    "NetworkSettings.Networks.bridge.IPAddress", "NetworkSettings.Networks.bridge.MacAddress",
}  # fmt: skip
"""What differs between two containers from the very same request."""
OF_THE_VERB = {"Config.AttachStdout", "Config.AttachStderr"}
"""`docker create` attaches where `docker run --detach` does not."""
SETS = {"Mounts", "Env", "Ulimits"}
"""Lists whose order means nothing; the docker client gives the last two another order each time."""

CASES: dict[str, dict[str, Any]] = {
    "nothing asked for": {},
    "devices": {"devices": ["/dev/null", "/dev/fuse:/dev/fuse2:rw", "/dev/zero:/dev/zero:r"]},
    "devices that this node lacks": {"devices": ["/dev/kfd", "/dev/mkfd", "/dev/dri"]},
    "ulimits": {"ulimits": {"stack": 67108864, "memlock": -1, "nofile": {"soft": 1024, "hard": 4096}}},
    "capabilities": {"cap_add": ["SYS_PTRACE", "SYS_NICE"], "cap_drop": ["NET_RAW", "MKNOD"]},
    "capabilities as the engine calls them": {"cap_add": ["CAP_SYS_NICE"], "cap_drop": ["CAP_NET_RAW"]},
    "capabilities in small letters": {"cap_add": ["sys_nice"], "cap_drop": ["all"]},
    "one capability twice": {"cap_add": ["SYS_NICE", "CAP_SYS_NICE", "NET_RAW"], "cap_drop": ["NET_RAW"]},
    "groups": {"group_add": ["video", 44]},
    "processors": {"cpuset_cpus": "0-1", "cpuset_mems": 0},
    "memory": {"memory": "512m", "shm_size": "1.5G"},
    "variables": {"env": {"A": "x  y", "EMPTY": "", "LINES_": "a\nb\r\n", "HOSTILE": "$(x) `y` \"z\" 'é' \\", "N": 16}},
    "ipc of the node": {"ipc": "host"},
    "ipc of its own": {"ipc": "shareable"},
    "network of the node": {"network": "host"},
    "a network by name": {"network": "{network}"},
    "no system call filter": {"security_opt": ["seccomp=unconfined", "no-new-privileges"]},
    "a system call filter in a file": {"security_opt": ["seccomp={folder}/seccomp.json"]},
    "a system call filter, written in the old way": {"security_opt": ["seccomp:{folder}/seccomp.json"]},
    "security modules": {"security_opt": ["apparmor=unconfined", "label=disable", "no-new-privileges=true"]},
    "writable system paths": {"security_opt": ["systempaths=unconfined"]},
    "privileged": {"privileged": True, "devices": ["/dev/kfd"], "group_add": ["video"]},
    "all gpus": {"gpus": "all"},
    "two gpus": {"gpus": 2},
    "gpus by id": {"gpus": [0, "GPU-3a5f"]},
    "gpus as docker's option names them": {"gpus": "device=0,2"},
    "gpus of a driver": {"gpus": "driver=nvidia,count=2"},
    "gpus with capabilities": {"gpus": "all,capabilities=utility"},
    "gpus by id, with capabilities and options": {
        "gpus": {
            "driver": "nvidia",
            "device_ids": [0, 1],
            "capabilities": ["compute", "utility"],
            "options": {"a": "b,c", "d": 'e"f', "g": ""},
        }
    },
    "gpus of a driver that is not asked for a count": {"gpus": "driver=nvidia"},
    "devices by their CDI names": {"devices": ["nvidia.com/gpu=0", "/dev/null:r", "amd.com/gpu=all"]},
    "devices by their CDI names beside gpus": {"devices": ["nvidia.com/gpu=0"], "gpus": 1},
    "a folder of devices": {"devices": ["/dev/net/", "//dev/./null:/dev/n"]},
    "a runtime": {"runtime": "runc"},
    "a folder to start in": {"workdir": "/srv"},
    "names and name servers": {
        "hostname": "box",
        "domainname": "lab",
        "extra_hosts": ["hub=10.0.0.2"],
        "dns": "10.0.0.3",
        "dns_search": ["lab"],
        "dns_options": "ndots:2",
    },
    "namespaces": {"pid": "host", "uts": "host", "cgroupns": "host"},
    "limits": {
        "cpus": 1.5,
        "cpu_shares": 512,
        "pids_limit": 4096,
        "memory": "1g",
        "memory_swap": "2g",
        "memory_reservation": "512m",
        "oom_score_adj": 100,
    },
    "settings of the kernel": {"sysctls": {"net.core.somaxconn": 1024}, "device_cgroup_rules": "c 226:* rwm"},
    "a log of bounded size": {"log_driver": "json-file", "log_options": {"max-size": "10m", "max-file": 3}},
    "read-only": {"read_only": True, "tmpfs": ["/tmp:size=64m", "/run/x"]},
    "labels": {"labels": ["team=inference"]},
    "the node's users": {"userns": "host", "cgroup_parent": "/orch-c3"},
    "memory on a node with cgroup v1": {"memory": "1g", "memory_swappiness": 10, "oom_kill_disable": True},
    "a platform": {"platform": "linux/amd64"},
    "a file of variables": {"env_file": "{folder}/vars", "env": {"A": "wins"}},
    "variables that are passed on": {"env": {"PATH": {"inherit": True}}},
    "variables that are passed on if they are set": {"env": {name: {"inherit": "if-set"} for name in ("PATH", "LANG")}},
    "variables that are taken away from the image": {"env": {"LANG": {"inherit": False}}},
    "a file of variables beside one that is not set": {
        "env_file": "{folder}/vars",
        "env": {"A": {"inherit": "if-set"}, "LANG": {"inherit": "if-set"}},
    },
    "a labelled and a propagated mount": {"mounts": ["{folder}:/a:ro,z", "{folder}:/b:rslave"]},
    "a user": {"user": "1000:1000"},
    "sourced files": {"source": ["/opt/dtk/env.sh", "/opt/it's $(me)/env.sh"]},
    "no supervisor": {"supervise": False},
    "names that are held": {"holds": ["b", "a"]},
    "mounts": {
        "mounts": [
            "{folder}:/data:ro",
            {"source": "{folder}/{odd}", "target": "/{odd}"},
            {"source": "{folder}/seccomp.json", "target": "/etc/a file,b", "read_only": True},
            {"source": "{folder}/two\nlines", "target": "/two\nlines"},
        ]
    },
}
SHELL = {"variables that are taken away from the image": {"LANG": "of the shell"}}
"""By case: what the shell sets; the image sets LANG."""
NO_CASE = {
    "image": "all cases have it: the stub's",
    "pull": "says what happens before the container is made, and the line leaves that to docker",
}
"""Keys of the container that none of the cases is about, and why."""
FILLED_IN = {f"Config.Labels.{labels.PROFILE_HASH}"}
"""What differs where docker's client and orch each fill in variables: the line knows the profile without them."""
HOSTS = ("127.0.0.1", "0.0.0.0", "::1", "::")
FLAGS = {"speculative_config": {"method": "mtp", "n": 3}, "x": '$(x) "y"\n', "list": ["a b", -1], "off": False}


@pytest.fixture(scope="module")
def network(module_orch: Orch) -> Iterator[str]:
    name = f"{module_orch.prefix}-net"
    containers.docker("network", "create", name)
    yield name
    containers.docker("network", "rm", name)


@pytest.mark.parametrize("case", CASES)
def test_the_line_makes_the_same_container(
    case: str, orch: Orch, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANG", raising=False)
    for variable, value in SHELL.get(case, {}).items():
        monkeypatch.setenv(variable, value)
    (orch.folder / ODD).mkdir()
    (orch.folder / "two\nlines").mkdir()
    (orch.folder / "seccomp.json").write_text(SECCOMP, encoding="utf-8")
    (orch.folder / "vars").write_text("A=loses\nB='x y' \n# C=1\nPATH\nORCH_C3_UNSET\n", encoding="utf-8")
    words = {"folder": str(orch.folder), "odd": ODD, "network": network}
    name = orch.profile("c3", container=filled(CASES[case], words), server={"flags": FLAGS})
    assert_same(orch, load_profile(name, (orch.profiles,)))


@pytest.mark.parametrize("host", HOSTS)
def test_the_line_publishes_the_same_port(host: str, orch: Orch) -> None:
    name = orch.profile("c3", server={"host": host, "port": 20001})
    assert_same(orch, load_profile(name, (orch.profiles,)))


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("[!_]*.yaml")))
def test_the_line_of_a_shipped_profile_makes_the_same_container(name: str, orch: Orch) -> None:
    mounts = load_profile(name, (SHIPPED,)).container.mounts
    here = [{**mount.model_dump(), "source": str(orch.folder)} for mount in mounts]
    sets = (f"container.image={STUB}", f"container.mounts={json.dumps(here)}")
    assert_same(orch, load_profile(name, (SHIPPED,), sets))


def test_every_key_of_the_container_has_a_case() -> None:
    tried = {key for case in CASES.values() for key in case}
    assert sorted(set(Container.model_fields) - NO_CASE.keys()) == sorted(tried)


def test_the_pasted_line_runs_what_orch_runs(orch: Orch) -> None:
    name = orch.profile(
        "pasted",
        container={"env": {"GREETING": "it's $(me)"}, "shm_size": "64m", "cap_add": ["CAP_SYS_NICE"]},
        server={"flags": FLAGS, "env": {"MINE": "a b"}},
    )
    orch.ok("up", name)
    launch = containers.only(name).launch
    ours = json.dumps(containers.inspect(f"orch-{name}")).replace(launch, BY_HAND)
    orch.ok("down", name)
    text = orch.ok("plan", name)
    paste = text[text.index("mkdir -p") : text.index("\n\n# Server")]
    subprocess.run(["bash", "-euc", paste], check=True, capture_output=True, timeout=120)
    by_hand = containers.inspect(f"orch-{name}")
    assert differences(by_hand, json.loads(ours), OF_THE_MOMENT) == []
    planned = orch.json("plan", name)
    assert paste == "\n".join([*planned["before_docker_run"], planned["docker_run"]])
    answers_at(planned["profile"]["server"]["port"])
    assert "owner unknown" in orch.ok("ps")
    assert name not in orch.ok("gc")
    assert orch.ok("down", name) == f"{name} is down\n"


def assert_same(orch: Orch, profile: Profile) -> None:
    """Compare what the printed line and orch itself create for one identity."""
    name = f"{orch.prefix}-c3"
    folder = orch.state / "deployments" / f"{name}-{BY_HAND}"
    folder.mkdir(parents=True)
    line = plan(profile, name, str(folder)).docker_run
    verb = "docker run --detach"
    assert verb in line.splitlines()[0]
    done = subprocess.run(
        ["bash", "-c", line.replace(verb, "docker create", 1)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_hand = containers.inspect(f"orch-{name}")
    containers.docker("rm", "--force", f"orch-{name}")
    started = with_values(profile, os.environ)
    engine = connect(os.environ)
    try:
        ours = containers.inspect(engine.create(container_spec(started, Identity(name, BY_HAND, str(folder)))))
    finally:
        engine.close()
        shutil.rmtree(folder)
        containers.remove(containers.listed(name))
    ignored = OF_THE_MOMENT | OF_THE_VERB | (set() if started is profile else FILLED_IN)
    ignored -= {"Config.Hostname"} if profile.container.hostname else set()
    assert differences(by_hand, ours, ignored) == []


def differences(by_hand: dict[str, Any], ours: dict[str, Any], ignored: set[str]) -> list[str]:
    """Return a line for each path at which two answers of `docker inspect` differ."""
    one, other = dict(leaves(said(by_hand))), dict(leaves(said(ours)))
    return [
        f"{path}: the line {one.get(path)!r}, orch {other.get(path)!r}"
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path) and not any(path == name or path.startswith(f"{name}.") for name in ignored)
    ]


def said(value: Any) -> Any:
    """Return a value with all that means "not said" (null, empty text, list, mapping) as one, and sets in one order.

    Of a variable that is given twice, its last value is the one that a process gets; a name alone takes away the
    image's value, and none that is given.
    """
    if isinstance(value, dict):
        kept = {key: said(item) for key, item in value.items()}
        if isinstance(kept.get("Env"), list):
            names_first = sorted(kept["Env"], key=lambda variable: "=" in variable)
            kept["Env"] = list({variable.partition("=")[0]: variable for variable in names_first}.values())
        for key in SETS & kept.keys():
            kept[key] = sorted(kept[key] or [], key=json.dumps)
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [said(item) for item in value] or None
    return None if value == "" else value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of everything in a tree that is not itself a mapping."""
    if not isinstance(value, dict):
        yield path, value
        return
    for key, item in value.items():
        yield from leaves(item, f"{path}.{key}" if path else key)


def filled(value: Any, words: dict[str, str]) -> Any:
    """Return a case with the folder of this test and its like put in."""
    if isinstance(value, dict):
        return {key: filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, words) for item in value]
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(f"{{{word}}}", text)
    return value
