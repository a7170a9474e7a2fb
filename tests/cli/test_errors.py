"""C1, F4: what is wrong is said exactly, with its place and what to do next; the exit code says whose fault it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from engine.kit.command import Orch

BAD = """\
extends: cpu-tiny
container:
  shmsize: 64G
  env: {FLAG: true}
server:
  port: 99999
  modle: /m
  port: 8000
bench:
  lengths: [[1]]
colour: red
"""
BAD_TOLD = """\
orch: profile 'bad' has 7 faults
{path}:3:3 container.shmsize — unknown key; did you mean 'shm_size'?
{path}:4:15 container.env.FLAG — an environment variable is text: write "1", "0", "true" or "false" in quotes
{path}:6:9 server.port — must be 65535 or less
{path}:7:3 server.modle — unknown key; did you mean 'model'?
{path}:8:3 server.port — duplicate key; first given at line 6, column 3
{path}:10:13 bench.lengths[0] — write an input and an output length, such as [512, 512]
{path}:11:1 colour — unknown key; known here: name, description, container, server, health, bench, vary, objectives, extends
      `orch profile schema` and docs/profile.md tell every key
"""  # noqa: E501 - the exact text
USAGE = "Usage: orch {0} [OPTIONS] {1}\nTry 'orch {0} --help' for help.\n\nError: {2}\n"
A_TIME = "'soon' is not a duration; write seconds or a form such as 90s, 30m or 1h30m"
A_LIFETIME = "must be longer than nothing; to end a deployment: orch down"
SEARCH = ("search", "cpu-tiny", "--slo")
RATES = (*SEARCH, "p99_ttft_ms<9", "--over", "request-rate")
A_NAME = "a name has letters, digits, '_', '.' and '-', and begins with a letter or digit"


def told(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def hidden(orch: Orch) -> Orch:
    """Give the command no engine, as none of these errors needs one."""
    orch.profiles.mkdir()
    orch.variables = {
        **orch.variables,
        "DOCKER_HOST": "unix:///no/such/engine.sock",
        "XDG_CONFIG_HOME": str(orch.folder),
    }
    return orch


@pytest.mark.parametrize("command", ["plan", "up", "run"])
def test_an_unknown_profile(hidden: Orch, command: str) -> None:
    code, out, err = told(hidden(command, "cpu-tinny"))
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "orch: unknown profile 'cpu-tinny'; did you mean 'cpu-tiny' or 'cpu-tiny-0.8.5'?"
    looked = err.splitlines()[1]
    folders = f"{hidden.profiles}, {hidden.folder}/orch/profiles, "
    assert looked.startswith(f"      looked for cpu-tinny.yaml in {folders}")
    assert err.splitlines()[2:] == [
        "      `orch profile list` shows what is there; a path holds a slash or ends in .yaml"
    ]


def test_a_profile_that_is_no_file(hidden: Orch) -> None:
    code, out, err = told(hidden("plan", "./none.yaml"))
    assert (code, out) == (2, "")
    assert err.startswith("orch: cannot read none.yaml: No such file or directory\n")


@pytest.mark.parametrize("command", ["plan", "up", "run"])
def test_a_bad_profile_gives_all_its_faults_at_once(hidden: Orch, command: str) -> None:
    path = hidden.profiles / "bad.yaml"
    path.write_text(BAD, encoding="utf-8")
    code, out, err = told(hidden(command, "bad"))
    assert (code, out) == (2, "")
    assert err == BAD_TOLD.format(path=path)
    assert not hidden.state.exists()


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("up",), ("up", "PROFILE", "Missing argument 'PROFILE'.")),
        (("up", "cpu-tiny", "--ttl", "soon"), ("up", "PROFILE", f"Invalid value for '--ttl': {A_TIME}")),
        (("up", "cpu-tiny", "--ttl", "0"), ("up", "PROFILE", f"Invalid value for '--ttl': {A_LIFETIME}")),
        (("up", "cpu-tiny", "--name", "../x"), ("up", "PROFILE", f"Invalid value for '--name': {A_NAME}")),
        (("run", "cpu-tiny", "--name", ""), ("run", "PROFILE", f"Invalid value for '--name': {A_NAME}")),
        (("plan", "cpu-tiny", "--name", "two words"), ("plan", "PROFILE", f"Invalid value for '--name': {A_NAME}")),
        (("logs", "-n", "-1"), ("logs", "[NAME]", "Invalid value for '-n' / '--tail': -1 is not in the range x>=0.")),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_meant(
    hidden: Orch, args: tuple[str, ...], problem: tuple[str, str, str]
) -> None:
    assert told(hidden(*args)) == (2, "", USAGE.format(*problem))


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("bench", "--resume", "x", "--dry-run"), "orch: --dry-run does not go with --resume"),
        (("bench", "--resume", "x", "--set", "a=1"), "orch: --set changes a profile, and --resume goes on with"),
        (("down", "x", "--all"), "orch: --all ends every deployment, x names one"),
        ((*SEARCH, "p99_ttft_ms<9", "--from", "8", "--to", "2"), "orch: --to 2 is less than --from 8"),
        ((*SEARCH, "output_throughput>5"), "orch: output_throughput>5 would let the concurrency grow without end"),
        ((*SEARCH, "p99.9_ttft_ms<5"), "orch: 'p99.9_ttft_ms' is reported only if bench.percentiles asks for 99.9"),
        ((*RATES, "--for", "2h"), "orch: each rate lasts 2h 00m, and bench.deadline ends a measurement after 5m"),
        ((*RATES, "--for", "0s"), "orch: --for must be longer than nothing"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other(hidden: Orch, args: tuple[str, ...], line: str) -> None:
    code, out, err = told(hidden(*args))
    assert (code, out) == (2, "")
    assert err.startswith(line)


@pytest.mark.parametrize("args", [("frobnicate",), ("up", "cpu-tiny", "--nope"), ("results", "nope"), ("--nope",)])
def test_an_unknown_command_or_option(hidden: Orch, args: tuple[str, ...]) -> None:
    code, out, err = told(hidden(*args))
    assert (code, out) == (2, "")
    assert "Error: No such " in err


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("server.prot=1", "--set server.prot:1:8 server.prot — unknown key; did you mean 'port'?"),
        ("server.port", "--set:1:1 — write KEY=VALUE, such as server.port=8010"),
        ("server.port=x", "--set server.port:1:13 server.port — must be a whole number"),
    ],
)
def test_an_override_that_does_not_fit(hidden: Orch, override: str, line: str) -> None:
    code, out, err = told(hidden("plan", "cpu-tiny", "--set", override))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "orch: profile 'cpu-tiny' has a fault",
        line,
        "      `orch profile schema` and docs/profile.md tell every key",
    ]


def test_a_profile_without_a_sweep_cannot_be_run(hidden: Orch) -> None:
    (hidden.profiles / "plain.yaml").write_text("container: {image: x}\nserver: {model: /m}\n", encoding="utf-8")
    assert told(hidden("run", "plain")) == (
        2,
        "",
        "orch: the profile plain has no bench section\n      Add one, or name a profile that has: orch profile list\n",
    )


def test_results_of_no_run(hidden: Orch) -> None:
    for args in (("results", "show"), ("results", "csv")):
        assert told(hidden(*args)) == (
            2,
            "",
            f"orch: there is no run yet in {hidden.runs}\n      See: orch results list\n",
        )
    code, _, err = told(hidden("results", "show", "2026"))
    assert code == 2
    assert err.startswith(f"orch: there is no run 2026 in {hidden.runs}\n")
    assert hidden.ok("results", "list") == f"no runs in {hidden.runs}\n"
    assert hidden.json("results", "list")["runs"] == []


def test_a_file_where_runs_should_go(hidden: Orch) -> None:
    hidden.runs.write_text("not a folder", encoding="utf-8")
    code, out, err = told(hidden("results", "show"))
    assert (code, out) == (2, "")
    assert err.startswith("orch: ")


@pytest.mark.parametrize("how", ["--debug", "ORCH_DEBUG"])
def test_a_traceback_only_when_asked_for(hidden: Orch, how: str) -> None:
    quiet = hidden("ps")
    assert "Traceback" not in quiet.stderr
    flags = ("--debug",) if how == "--debug" else ()
    env = {**hidden.environ(), **({"ORCH_DEBUG": "1"} if not flags else {})}
    loud = hidden(*flags, "ps", env=env)
    assert loud.returncode == quiet.returncode == 3
    assert "Traceback (most recent call last):" in loud.stderr
    assert quiet.stderr.splitlines()[0].removeprefix("orch: ") in loud.stderr
