"""E3: what people write about a container is read as docker reads it, or refused with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docker import APIClient
from samples import a_profile

from orchestrator.engine.create import create_arguments
from orchestrator.errors import EnvironmentFault
from orchestrator.plan.container import Identity, container_spec, server_argv
from orchestrator.plan.docker_run import docker_run_argv
from orchestrator.plan.weakening import weakenings
from orchestrator.profile.checking.ways.docker import WORDS
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.inherited import TAKEN_AWAY, with_values

if TYPE_CHECKING:
    from profile_folder import Folder

END = "\nserver: {model: /m}\n"


def options(**container: Any) -> list[str]:
    return docker_run_argv(container_spec(a_profile(container=container), Identity("n", "l", "/state")))


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("env: {HIP_VISIBLE_DEVICES: 0,1}", "container.env.1 — has no value"),
        ("env: {A: }", "container.env.A — has no value"),
        ("cpuset_cpus: 0, privileged", "container.privileged — has no value"),
        ("mounts: [/a:/b:ro,z]", "a comma has cut off"),
        ("mounts: [$HOME/x:/x]", "a profile reads none"),
        ("mounts: ['/a:/b:cached']", "leave it out"),
        ("read_only: true", "add tmpfs: [/tmp]"),
        ("network: none", "the node cannot reach the server"),
    ],
)
def test_what_would_be_cut_or_mean_nothing_is_refused(folder: Folder, text: str, sign: str) -> None:
    (fault,) = folder.faults_in(f"container: {{image: i, {text}}}{END}")
    assert sign in fault


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_docker_points_to_ours(folder: Folder, word: str) -> None:
    (fault,) = folder.faults_in(f"container: {{image: i, {word.replace('_', '-')}: x}}{END}")
    assert str(WORDS[word]) in fault or "did you mean" in fault


def test_numbers_stay_as_they_are_written_where_text_is_wanted(folder: Folder) -> None:
    text = "container: {image: i, user: 0010, env: {A: 1.10, B: 1e3, C: +7, D: 0x1F}, sysctls: {k: 1.0}}"
    folder.write("p.yaml", text + END)
    container = folder.load().container
    assert dict(container.env) == {"A": "1.10", "B": "1e3", "C": "+7", "D": "0x1F"}
    assert (container.user, dict(container.sysctls)) == ("0010", {"k": "1.0"})


def test_paths_are_relative_to_the_profile_or_the_home_folder(folder: Folder) -> None:
    folder.write("p.yaml", "container: {image: i, mounts: [./a:/a, ~/b:/b, cache:/c]}" + END)
    mounts = folder.load().container.mounts
    assert [mount.source for mount in mounts] == [f"{folder.path}/a", f"{Path.home()}/b", "cache"]
    assert [mount.type for mount in mounts] == ["bind", "bind", "volume"]


def test_variables_are_passed_on_as_they_are() -> None:
    profile = a_profile(container={"env": {"A": {"inherit": True}, "B": {"inherit": "if-set"}}})
    assert dict(with_values(profile, {"A": "8", "B": "9"}).container.env) == {"A": "8", "B": "9"}
    with pytest.raises(EnvironmentFault, match="passes on A"):
        with_values(profile, {})
    assert "A" in options(env={"A": {"inherit": True}})


def test_a_variable_that_is_not_set_is_taken_away_from_the_image_as_docker_does() -> None:
    profile = a_profile(container={"env": {"A": "1", "B": {"inherit": "if-set"}}})
    started = with_values(profile, {})
    assert started.container.env["B"] == TAKEN_AWAY
    spec = container_spec(started, Identity("n", "l", "/state"))
    assert (spec.taken_away, spec.inherited, dict(spec.env)) == (("B",), (), {"A": "1"})
    assert create_arguments(APIClient(version="1.43"), spec)["environment"] == ["A=1", "B"]
    assert with_values(started, {"B": "set by now"}) == started


def test_a_variable_of_a_file_stays_where_the_shell_has_none(tmp_path: Path) -> None:
    file = tmp_path / "vars"
    file.write_text("A=of the file\n")
    profile = a_profile(container={"env_file": str(file), "env": {"A": {"inherit": "if-set"}}})
    assert dict(with_values(profile, {}).container.env) == {"A": "of the file"}
    assert dict(with_values(profile, {"A": "of the shell"}).container.env) == {"A": "of the shell"}


def test_the_line_takes_a_variable_away_even_where_the_shell_has_it() -> None:
    line = options(env={"A": {"inherit": False}, "B": {"inherit": "if-set"}})
    assert line[:5] == ["env", "-u", "A", "docker", "run"]
    assert [line[at + 1] for at, word in enumerate(line) if word == "--env"] == ["B", "A"]
    assert options()[0] == "docker"


def test_what_a_started_profile_says_of_a_variable_can_be_read_again(folder: Folder) -> None:
    started = with_values(a_profile(container={"env": {"B": {"inherit": "if-set"}}}), {})
    folder.write("p.yaml", dump_profile(started))
    assert folder.load() == started


@pytest.mark.parametrize("value", ["1", "yes", "'true'", "0", "{}"])
def test_how_a_variable_is_passed_on_is_one_of_three(folder: Folder, value: str) -> None:
    (fault,) = folder.faults_in(f"container: {{image: i, env: {{A: {{inherit: {value}}}}}}}{END}")
    assert "container.env.A.inherit — must be one of true, false, if-set" in fault


def test_what_is_taken_away_may_vary_and_stands_in_the_container_s_section(folder: Folder) -> None:
    vary = "vary: {axes: {container.env.A: [{inherit: false}, x]}}\n"
    assert folder.faults_in(f"container: {{image: i}}{END}{vary}") == []
    (fault,) = folder.faults_in(f"container: {{image: i}}{END}{vary.replace('false', 'if-set')}")
    assert "varies what is told only at the start" in fault
    (fault,) = folder.faults_in("container: {image: i}\nserver: {model: m, env: {A: {inherit: false}}}\n")
    assert "write it in container.env" in fault


def test_a_file_of_variables_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "vars"
    file.write_text("# c\nA='x y'\nB\nC\n")
    profile = a_profile(container={"env_file": str(file), "env": {"D": "1"}})
    assert dict(with_values(profile, {"B": "b"}).container.env) == {"A": "'x y'", "B": "b", "D": "1"}
    file.write_text("HF_TOKEN=x\n")
    with pytest.raises(EnvironmentFault, match="looks like a secret"):
        with_values(profile, {})


def test_the_container_may_have_another_port_than_the_node() -> None:
    profile = a_profile(server={"port": 9000, "container_port": 8000})
    assert container_spec(profile, Identity("n", "l", "/s")).publish == ("127.0.0.1", 9000, 8000)
    assert "8000" in server_argv(profile)


def test_settings_that_weaken_the_isolation_are_named() -> None:
    profile = a_profile(container={"pid": "host", "userns": "host", "mounts": "/data:/d:rshared"})
    assert [line.partition(":")[0] for line in weakenings(profile.container)] == [
        "mount /data", "pid host", "userns host",
    ]  # fmt: skip
