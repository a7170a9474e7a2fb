"""Promises S1, S2, S3 and S4: the container comes from the profile alone, values are arguments, secrets stay out."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_profile, from_node

from orchestrator.inside import FILES, SOURCE, entrance, program_text
from orchestrator.plan import labels
from orchestrator.plan.container import (
    SOURCE_AND_RUN,
    SOURCE_BY_TEXT,
    ContainerSpec,
    Identity,
    beside_server,
    capabilities,
    container_argv,
    container_spec,
    profile_hash,
    server_argv,
    serving_hash,
)
from orchestrator.plan.docker_run import docker_run_line
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.devices import DeviceSpec
from orchestrator.profile.schema.docker_options import DockerOptions
from orchestrator.profile.schema.values import MountSpec, UlimitSpec

if TYPE_CHECKING:
    from orchestrator.profile.schema.profile import Profile

PROFILES = Path(__file__).resolve().parents[2] / "profiles"
IDENTITY = Identity("mine", "0a1b2c3d", "/state/deployments/mine-0a1b2c3d")
SUPERVISED = ["python3", "-IS", "/run/orch/supervisor.py"]

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def spec_of(**sections: Any) -> ContainerSpec:
    return container_spec(a_profile(**sections), IDENTITY)


def test_the_guide_s_container_is_the_guide_s_command() -> None:
    spec = container_spec(load_profile("ds-671b-awq", [PROFILES]), IDENTITY)
    assert spec.image.endswith("/dcu/admin/base/vllm:0.8.5-ubuntu22.04-dtk25.04.1-rc5-das1.6-py3.10-20250711")
    assert {(mount.source, mount.read_only) for mount in spec.mounts} >= {
        ("/data", False),
        ("/opt/hyhal", True),
        ("/usr/local/hyhal", True),
    }
    assert [device.source for device in from_node(spec.devices)] == ["/dev/kfd", "/dev/mkfd", "/dev/dri"]
    assert (spec.ipc, spec.network, spec.shm_size, spec.privileged) == ("host", "host", 64 * 2**30, True)
    assert (spec.security_opt, spec.group_add) == (("seccomp=unconfined",), ("video",))


def test_prompts_of_the_node_are_mounted_read_only_in_a_fixed_folder() -> None:
    bench = {"lengths": None, "dataset": {"name": "custom", "file": "/data/set/p.jsonl"}}
    spec = spec_of(bench=bench)
    mount = MountSpec(source="/data/set/p.jsonl", target="/run/orch-dataset/p.jsonl", read_only=True)
    assert mount in spec.mounts
    assert "type=bind,source=/data/set/p.jsonl,target=/run/orch-dataset/p.jsonl,readonly" in docker_run_line(spec)
    inside = {"lengths": None, "dataset": {"name": "custom", "path": "/data/set/p.jsonl"}}
    assert len(spec_of(bench=inside).mounts) == len(spec.mounts) - 1
    assert serving_hash(a_profile(bench=inside)) == serving_hash(a_profile()) != serving_hash(a_profile(bench=bench))


def test_every_setting_of_the_container_section_reaches_the_engine() -> None:
    spec = spec_of(
        container={
            "image": "vllm:0.8.5",
            "devices": ["/dev/kfd:/dev/k:rw"],
            "gpus": ["0", 1],
            "mounts": ["/data:/data:ro"],
            "shm_size": "1G",
            "ipc": "host",
            "network": "host",
            "privileged": True,
            "security_opt": ["seccomp=unconfined"],
            "group_add": ["video", 44],
            "cap_add": ["SYS_NICE"],
            "cap_drop": ["NET_RAW"],
            "ulimits": {"memlock": -1},
            "cpuset_cpus": "0-3",
            "cpuset_mems": 0,
            "memory": "2G",
            "runtime": "dcu",
            "user": "1000:1000",
            "env": {"A": "1"},
            "supervise": False,
        }
    )
    shown = dataclasses.asdict(spec)
    assert shown.pop("labels")
    assert shown == {
        "name": "orch-mine",
        "image": "vllm:0.8.5",
        "entrypoint": "vllm",
        "command": ("serve", "/models/tiny", "--host", "127.0.0.1", "--port", "8000"),
        "env": {"A": "1"},
        "mounts": (MountSpec(source="/data", target="/data", read_only=True),),
        "devices": (DeviceSpec(source="/dev/kfd", target="/dev/k", permissions="rw"),),
        "ulimits": {"memlock": UlimitSpec(soft=-1, hard=-1)},
        "network": "host",
        "publish": None,
        "gpus": ("0", "1"),
        "shm_size": 2**30,
        "ipc": "host",
        "privileged": True,
        "security_opt": ("seccomp=unconfined",),
        "group_add": ("video", "44"),
        "cap_add": ("CAP_SYS_NICE",),
        "cap_drop": ("CAP_NET_RAW",),
        "cpuset_cpus": "0-3",
        "cpuset_mems": "0",
        "memory": 2**31,
        "runtime": "dcu",
        "user": "1000:1000",
        "options": DockerOptions(),
        "inherited": (),
        "taken_away": (),
        "secrets": (),
    }


@pytest.mark.parametrize(
    ("add", "drop", "added", "dropped"),
    [
        ((), (), (), ()),
        (("sys_nice", "CAP_IPC_LOCK", "SYS_NICE"), (), ("CAP_IPC_LOCK", "CAP_SYS_NICE"), ()),
        (("ALL", "SYS_NICE"), (), ("ALL",), ()),
        (("SYS_NICE",), ("all", "NET_RAW"), ("CAP_SYS_NICE",), ("ALL",)),
        (("NET_RAW",), ("NET_RAW", "CHOWN"), ("CAP_NET_RAW",), ("CAP_CHOWN",)),
        (("ALL",), ("NET_RAW",), ("ALL",), ("CAP_NET_RAW",)),
        (("ALL",), ("ALL",), ("ALL",), ("ALL",)),
    ],
)
def test_capabilities_are_written_as_the_docker_client_sends_them(
    add: tuple[str, ...], drop: tuple[str, ...], added: tuple[str, ...], dropped: tuple[str, ...]
) -> None:
    assert capabilities(add, drop) == (added, dropped)


def test_a_container_bears_labels_that_say_whose_it_is() -> None:
    profile = a_profile()
    found = container_spec(profile, IDENTITY).labels
    assert all(name.startswith(labels.PREFIX) for name in found)
    assert found[labels.DEPLOYMENT] == "mine"
    assert found[labels.LAUNCH] == "0a1b2c3d"
    assert found[labels.FOLDER] == "/state/deployments/mine-0a1b2c3d"
    assert found[labels.PROFILE] == "tiny"
    assert found[labels.PROFILE_HASH] == serving_hash(profile)


def test_a_supervised_container_sees_its_folder_read_only() -> None:
    assert spec_of(container={"mounts": ["/data:/data"]}).mounts == (
        MountSpec(source="/data", target="/data"),
        MountSpec(source=IDENTITY.folder, target="/run/orch", read_only=True),
    )
    assert spec_of(container={"supervise": False}).mounts == ()


@pytest.mark.parametrize("network", ["bridge", "mine"])
def test_in_a_network_of_its_own_the_server_listens_everywhere_and_is_published_where_asked(network: str) -> None:
    profile = a_profile(container={"network": network}, server={"port": 8010})
    assert server_argv(profile)[3:] == ["--host", "0.0.0.0", "--port", "8010"]
    assert container_spec(profile, IDENTITY).publish == ("127.0.0.1", 8010, 8010)


def test_on_the_node_s_network_the_server_listens_where_asked() -> None:
    profile = a_profile(container={"network": "host"}, server={"host": "10.0.0.1"})
    assert server_argv(profile)[3:] == ["--host", "10.0.0.1", "--port", "8000"]
    assert container_spec(profile, IDENTITY).publish is None


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_a_server_can_be_reached_from_this_node_alone_unless_the_profile_says_otherwise(network: str) -> None:
    profile = a_profile(container={"network": network})
    host = server_argv(profile)[4] if network == "host" else (container_spec(profile, IDENTITY).publish or ("",))[0]
    assert host == "127.0.0.1"


def test_the_server_s_command_is_what_one_would_type() -> None:
    profile = a_profile(
        container={"network": "host"},
        server={"command": ["python3", "-m", "server"], "flags": {"dtype": "float16", "trust-remote-code": True}},
    )
    assert server_argv(profile) == [
        *("python3", "-m", "server", "/models/tiny", "--host", "127.0.0.1", "--port", "8000"),
        *("--dtype", "float16", "--trust-remote-code"),
    ]


def test_supervisor_sourced_files_environment_and_server_hand_over_to_each_other() -> None:
    server = ["vllm", "serve", "/models/tiny", "--host", "0.0.0.0", "--port", "8000"]
    env = ["env", "A=1", "B=x y"]
    sourced = ["/opt/dtk/env.sh", "/b.sh", "--"]
    sections: dict[str, Any] = {"server": {"env": {"A": "1", "B": "x y", "C": None}}}
    assert container_argv(a_profile()) == [*SUPERVISED, *server]
    assert container_argv(a_profile(**sections)) == [*SUPERVISED, *env, *server]
    sections["container"] = {"source": ["/opt/dtk/env.sh", "/b.sh"]}
    assert container_argv(a_profile(**sections)) == [
        *(*SUPERVISED, "bash", "/run/orch/source.sh"), *sourced, *env, *server
    ]  # fmt: skip
    sections["container"] = {"source": ["/opt/dtk/env.sh", "/b.sh"], "supervise": False}
    assert container_argv(a_profile(**sections)) == [
        *("bash", "-c", SOURCE_AND_RUN, "orch"), *sourced, *env, *server
    ]  # fmt: skip
    assert container_argv(a_profile(container={"supervise": False})) == server


@pytest.mark.parametrize("source", [[], ["/opt/dtk/env.sh"]])
def test_no_line_of_a_program_stands_in_the_command_of_a_container(source: list[str]) -> None:
    spec = spec_of(container={"source": source}, server={"env": {"A": "1"}})
    assert all("\n" not in word and len(word) < 100 for word in (spec.entrypoint, *spec.command))


def test_the_command_runs_with_the_files_of_the_folder_alone(tmp_path: Path) -> None:
    setup, folder = tmp_path / "setup.sh", tmp_path / "run"
    setup.write_text("export SOURCED=yes\nset -- lost\n", encoding="utf-8")
    folder.mkdir()
    for file in FILES:
        text = file.read_text(encoding="ascii").replace("/run/orch", str(folder))
        (folder / file.name).write_text(text, encoding="ascii")
    (folder / "secrets.json").write_text('{"KEY": "of mine"}', encoding="utf-8")
    (folder / "json.py").write_text("raise SystemExit('the folder is not where modules come from')", encoding="utf-8")
    profile = a_profile(container={"source": [str(setup)]}, server={"env": {"A": "x y"}})
    command = ["sh", "-c", 'printf %s "$SOURCED,$A,$KEY,$1"; exit 7', "sh", "$(z)"]
    argv = [word.replace("/run/orch", str(folder)) for word in container_argv(profile, command)]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout, done.stderr) == (7, b"yes,x y,of mine,$(z)", b"")


def test_a_command_beside_the_server_gets_all_that_the_server_gets() -> None:
    driver = ["python3", "-c", "pass"]
    assert beside_server(a_profile(), driver) == driver
    sections: dict[str, Any] = {"server": {"env": {"A": "1", "KEY": {"from_env": "MINE"}}}}
    secretive = beside_server(a_profile(**sections), driver)
    assert secretive == ["python3", "-IS", "-c", program_text(entrance), "env", "A=1", *driver]
    sections["container"] = {"source": ["/opt/dtk/env.sh"], "env": {"B": "2"}}
    assert beside_server(a_profile(**sections), driver)[4:] == [
        *("bash", "-c", SOURCE_AND_RUN, "orch", "/opt/dtk/env.sh", "--", "env", "A=1"), *driver
    ]  # fmt: skip


def printed(
    tmp_path: Path, files: dict[str, str], argv: list[str], said: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Source files and become a command, as the container would: the program by its file and as text are one."""
    paths = []
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    by_file, by_text = (
        subprocess.run(
            [*shell, *paths, "--", *argv],
            capture_output=True,
            check=False,
            env={"PATH": os.environ["PATH"]},
            input=said,
        )
        for shell in (("bash", str(SOURCE)), SOURCE_BY_TEXT)
    )
    assert by_file.stdout == by_text.stdout
    assert (by_file.returncode == 0) == (by_text.returncode == 0), "with which code bash gives up is its own affair"
    return by_file


def test_sourced_files_set_the_server_s_environment_in_their_order(tmp_path: Path) -> None:
    files = {"a.sh": "export A=1 B=1", "b.sh": 'export B="$A and 2"'}
    assert printed(tmp_path, files, ["sh", "-c", 'printf %s "$A,$B"']).stdout == b"1,1 and 2"


def test_what_a_sourced_file_ends_with_does_not_matter(tmp_path: Path) -> None:
    files = {"a.sh": "export A=1\n[ -d /nonexistent ] && export A=2", "b.sh": "set -- x y; shift\nfalse"}
    run = printed(tmp_path, files, ["sh", "-c", 'printf %s "$A"'])
    assert (run.returncode, run.stdout) == (0, b"1")


def test_a_sourced_file_sees_no_arguments(tmp_path: Path) -> None:
    run = printed(tmp_path, {"a.sh": 'export SEEN="$#"'}, ["sh", "-c", 'printf %s "$SEEN"'])
    assert run.stdout == b"0"


def test_a_file_that_cannot_be_sourced_ends_the_container_and_says_so(tmp_path: Path) -> None:
    run = printed(tmp_path, {}, ["true"])
    assert run.returncode == 0
    missing = subprocess.run(
        ["bash", "-c", SOURCE_AND_RUN, "orch", "/nonexistent.sh", "--", "true"], capture_output=True, check=False
    )
    assert (missing.returncode, b"/nonexistent.sh" in missing.stderr) == (126, True)


def test_a_conversation_with_the_command_is_its_own(tmp_path: Path) -> None:
    files = {"a.sh": "echo welcome to the toolkit; read -r SWALLOWED; export SWALLOWED"}
    run = printed(tmp_path, files, ["sh", "-c", 'cat; printf %s "$SWALLOWED"'], b"message")
    assert (run.stdout, run.stderr) == (b"message", b"welcome to the toolkit\n")


def test_a_glob_that_fails_in_a_file_is_that_file_s_affair(tmp_path: Path) -> None:
    run = printed(tmp_path, {"a.sh": "shopt -s failglob\necho /nonexistent/*"}, ["echo", "reached"])
    assert (run.returncode, run.stdout) == (0, b"reached\n")


@pytest.mark.parametrize("strict", ["set -e", "set -euo pipefail", "shopt -s failglob nullglob", "set -f; IFS=:/"])
def test_options_that_a_file_leaves_behind_do_not_end_the_shell(tmp_path: Path, strict: str) -> None:
    files = {"a.sh": f"{strict}\nexport A=1", "b.sh": "false", "c.sh": "unset A\n[ -d /nonexistent ]"}
    run = printed(tmp_path, files, ["sh", "-c", 'printf %s "${A-none} $1"', "sh", "a b/*:c"])
    assert (run.returncode, run.stdout) == (0, b"none a b/*:c")


def test_a_file_that_needs_bash_has_it(tmp_path: Path) -> None:
    text = 'paths=(/a /b); [[ "${BASH_SOURCE[0]}" == */env.sh ]] && export P="${paths[*]}"; function f { :; }'
    assert printed(tmp_path, {"env.sh": text}, ["sh", "-c", 'printf %s "$P"']).stdout == b"/a /b"


@pytest.mark.parametrize("text", ["exit 3", "set -u; echo $NOBODY_SET_THIS; :"])
def test_a_file_that_ends_the_shell_is_named(tmp_path: Path, text: str) -> None:
    run = printed(tmp_path, {"a.sh": "export A=1", "b.sh": text, "c.sh": ""}, ["echo", "reached"])
    assert (run.returncode != 0, run.stdout) == (True, b"")
    assert f"orch: {tmp_path}/b.sh ended the shell that was to go on".encode() in run.stderr


def test_the_server_replaces_the_shell(tmp_path: Path) -> None:
    files = {"a.sh": "export SHELL_PID=$$"}
    assert printed(tmp_path, files, ["sh", "-c", 'test "$SHELL_PID" = $$ && printf same']).stdout == b"same"


@given(st.lists(words, max_size=4))
def test_arguments_pass_through_the_shell_untouched(argv: list[str]) -> None:
    run = subprocess.run(
        ["bash", "-c", SOURCE_AND_RUN, "orch", "--", "printf", "%s\\0", *argv], capture_output=True, check=True
    )
    assert run.stdout == b"".join(word.encode() + b"\0" for word in argv or [""])


def test_a_secret_is_a_name_in_the_container_and_never_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_AT_HOME", "hidden-canary")
    profile = a_profile(
        container={"env": {"PLAIN": "1", "FILE_TOKEN": {"from_file": "/root/token"}}},
        server={"env": {"HF_TOKEN": {"from_env": "TOKEN_AT_HOME"}}},
    )
    spec = container_spec(profile, IDENTITY)
    assert spec.secrets == ("FILE_TOKEN", "HF_TOKEN")
    assert spec.env == {"PLAIN": "1"}
    assert "hidden-canary" not in repr(spec)
    assert "HF_TOKEN" not in repr(dataclasses.replace(spec, secrets=()))


SAME_SERVER: list[dict[str, Any]] = [
    {"name": "other"},
    {"description": "something else"},
    {"health": {"deadline": 5}},
    {"bench": {"seed": 5}},
]
OTHER_SERVER: list[dict[str, Any]] = [
    {"container": {"image": "vllm:0.9.0"}},
    {"container": {"env": {"A": "1"}}},
    {"container": {"shm_size": "1G"}},
    {"server": {"model": "/models/other"}},
    {"server": {"model": "/models/tiny", "flags": {"dtype": "float16"}}},
    {"server": {"model": "/models/tiny", "port": 8001}},
]


def hashes(sections: dict[str, Any]) -> tuple[str, str]:
    profile = a_profile(**sections)
    return serving_hash(profile), profile_hash(profile)


@pytest.mark.parametrize("sections", SAME_SERVER, ids=str)
def test_what_the_server_does_not_depend_on_leaves_its_hash_alone(sections: dict[str, Any]) -> None:
    assert hashes(sections)[0] == hashes({})[0]
    assert hashes(sections)[1] != hashes({})[1]


@pytest.mark.parametrize("sections", OTHER_SERVER, ids=str)
def test_what_the_server_depends_on_changes_its_hash(sections: dict[str, Any]) -> None:
    assert hashes(sections)[0] != hashes({})[0]
    assert hashes(sections)[1] != hashes({})[1]


def test_a_hash_does_not_depend_on_the_order_of_keys() -> None:
    one: Profile = a_profile(server={"flags": {"a": 1, "b": 2}, "env": {"A": "1", "B": "2"}})
    other: Profile = a_profile(server={"env": {"B": "2", "A": "1"}, "flags": {"b": 2, "a": 1}})
    assert serving_hash(one) == serving_hash(other)
