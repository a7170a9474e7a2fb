"""Promise E3: a server's command gets its model where the command reads it, or is refused with the way out."""

from __future__ import annotations

import subprocess

import pytest
from pydantic import ValidationError
from samples import a_profile

from orchestrator.plan.container import server_argv
from orchestrator.vllm.command import SERVER_MODULE, command_problem, with_model

SHELL = 'export A=1; exec vllm serve "$@"'


@pytest.mark.parametrize(
    ("command", "added"),
    [
        (["vllm", "serve"], ["M"]),
        (["/opt/venv/bin/vllm", "serve"], ["M"]),
        (["numactl", "--cpunodebind=0", "vllm", "serve"], ["M"]),
        (["taskset", "-c", "0-7", "vllm", "serve"], ["M"]),
        (["conda", "run", "-n", "vllm", "vllm", "serve"], ["M"]),
        (["nsys", "profile", "-o", "/out", "vllm", "serve"], ["M"]),
        (["python3", "-m", "vllm.entrypoints.cli.main", "serve"], ["M"]),
        (["python3", "-m", SERVER_MODULE], ["--model", "M"]),
        (["env", "A=b", "python", "-u", "-m", SERVER_MODULE], ["--model", "M"]),
        (["python3", f"-m{SERVER_MODULE}"], ["--model", "M"]),
        (["python", "/opt/vllm/entrypoints/openai/api_server.py"], ["--model", "M"]),
        (["bash", "-lc", SHELL], ["bash", "M"]),
        (["bash", "-lc", SHELL, "vllm"], ["M"]),
        (["/bin/bash", "--login", "-o", "pipefail", "-ec", SHELL], ["/bin/bash", "M"]),
        (["numactl", "-N", "0", "sh", "-c", f'exec python3 -m {SERVER_MODULE} "${{@}}"'], ["sh", "--model", "M"]),
        (["sh", "-c", 'exec "$@"', "x", "python3", "-m", SERVER_MODULE], ["--model", "M"]),
        (["sh", "-c", '/opt/start.sh "$@" 2>&1 | tee /log'], ["sh", "M"]),
        (["sh", "-c", 'an "unfinished script $@" \''], ["sh", "M"]),
        (["bash", "/opt/start.sh"], ["M"]),
        (["bash", "-l"], ["M"]),
        (["/opt/start.sh"], ["M"]),
        (["python3", "-m", "my.server"], ["M"]),
    ],
)
def test_the_model_stands_where_the_command_reads_it(command: list[str], added: list[str]) -> None:
    if "unfinished" not in " ".join(command):
        assert command_problem(command) is None
    assert with_model(command, "M") == [*command, *added]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["vllm"], "write [vllm, serve]"),
        (["numactl", "/opt/bin/vllm"], "write [vllm, serve]"),
        (["vllm", "serve", "/m"], "holds '/m' already"),
        (["vllm", "serve", "--model", "/m"], "holds '/m' already"),
        (["python3", "-m", SERVER_MODULE, "--model=/m"], "holds '--model=/m' already"),
        (["vllm", "serve", "--port", "9000"], "move flags to server.flags"),
        (["python3", "-m", "vllm.entrypoints.api_server"], f"use {SERVER_MODULE}"),
        (["bash", "-lc", "exec vllm serve"], "does not pass on the model"),
        (["bash", "-lc", "exec vllm serve /m"], "does not pass on the model"),
        (["bash", "-lc", "exec vllm serve $@"], "would split values"),
        (["bash", "-lc", 'exec vllm serve "$*"'], "would split values"),
        (["bash", "-lc", 'vllm serve "$0" "$@"'], "holds '$0' already"),
        (["bash", "-lc", 'vllm serve /m "$@"'], "holds '/m' already"),
        (["bash", "-lc", 'vllm serve "$@" --port 9000'], "move flags to server.flags"),
        (["bash", "-lc", SHELL, "vllm", "/m"], "holds '/m' already"),
        (["bash", "-lc", 'echo "$@"; vllm serve'], 'does not get "$@"'),
        (["vllm serve"], "holds 'vllm serve' as one word; write [vllm, serve]"),
        (["numactl -N 1 vllm serve"], "write [numactl, -N, 1, vllm, serve]"),
        (["python3", "-m vllm.entrypoints.openai.api_server"], "as one word"),
        (["su", "-c", 'vllm serve "$@"'], "a script is for bash -c"),
        (["bash", "-lc", '. /env.sh; exec "$@"'], "runs what it is given"),
    ],
)
def test_a_command_that_cannot_be_given_a_model_is_refused_with_the_way_out(command: list[str], problem: str) -> None:
    said = command_problem(command)
    assert said is not None
    assert problem in said
    with pytest.raises(ValidationError, match=r"server\.command"):
        a_profile(server={"command": command})


def test_a_shell_gives_its_script_the_model_and_every_flag_as_it_is() -> None:
    flags = {"x": "a b $HOME", "served-model-name": ["'", '"']}
    script = 'printf "%s\\n" "$@"'
    argv = server_argv(a_profile(server={"command": ["bash", "-c", script], "flags": flags}))
    printed = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.splitlines()
    assert printed == argv[4:]
    assert printed[0] == "/models/tiny"
    assert printed[-5:] == ["-x", "a b $HOME", "--served-model-name", "'", '"']


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["NCCL_DEBUG=INFO", "vllm", "serve"], "'NCCL_DEBUG=INFO', a variable, which no shell sets here; write it in"),
        (["taskset -c 4-7", "vllm", "serve"], "as one word; write [taskset, -c, 4-7]"),
        (["bash", "-c", 'vllm serve "$@" &'], "the container with it; write 'vllm serve \"$@\"'"),
        (["sh", "-c", 'nohup vllm serve "$@" >/o 2>&1 & '], "write 'vllm serve \"$@\" >/o 2>&1'"),
    ],
)
def test_what_only_a_shell_would_read_so_is_refused_with_the_way_out(command: list[str], problem: str) -> None:
    with pytest.raises(ValidationError, match=r"server\.command") as caught:
        a_profile(server={"command": command})
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        ["env", "NCCL_DEBUG=INFO", "vllm", "serve"],
        ["bash", "-c", 'vllm serve "$@" & wait'],
        ["bash", "-c", 'sleep 1 && vllm serve "$@"'],
        ["bash", "-c", 'NCCL_DEBUG=INFO vllm serve "$@"'],
    ],
)
def test_what_starts_a_server_though_it_looks_alike_is_taken(command: list[str]) -> None:
    assert a_profile(server={"command": command}).server.command == tuple(command)
