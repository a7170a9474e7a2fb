"""Promise E3: a server's command gets its model where the command reads it, or is refused with the way out."""

from __future__ import annotations

import subprocess

import pytest
from pydantic import ValidationError
from samples import a_profile

from orchestrator.lint.lint import lint
from orchestrator.plan.container import server_argv
from orchestrator.profile.flags import warnings
from orchestrator.vllm.command import command_problem, command_remark, with_model
from orchestrator.vllm.command_words import SERVER_MODULE

SHELL = 'export A=1; exec vllm serve "$@"'


@pytest.mark.parametrize(
    ("command", "added"),
    [
        (["vllm", "serve"], ["M"]),
        (["/opt/venv/bin/vllm", "serve"], ["M"]),
        (["numactl", "--cpunodebind=0", "vllm", "serve"], ["M"]),
        (["taskset", "-c", "0-7", "vllm", "serve"], ["M"]),
        (["conda", "run", "-n", "vllm", "vllm", "serve"], ["M"]),
        (["env", "-u", "A", "B=c", "nohup", "nice", "-n", "5", "ionice", "-c", "2", "vllm", "serve"], ["M"]),
        (["ltrace", "-o", "/out", "-f", "vllm", "serve"], ["M"]),
        (["exec", "vllm", "serve"], ["M"]),
        (["uv", "run", "--with", "x", "vllm", "serve"], ["M"]),
        (["uv", "run", "-m", SERVER_MODULE], ["--model", "M"]),
        (["/opt/entry.sh", "vllm", "serve"], ["M"]),
        (["vllm-rs", "serve"], ["M"]),
        (["nsys", "profile", "-o", "/out", "vllm", "serve"], ["M"]),
        (["python3", "-m", "vllm.entrypoints.cli.main", "serve"], ["M"]),
        (["python3", "-m", SERVER_MODULE], ["--model", "M"]),
        (["env", "A=b", "python", "-u", "-m", SERVER_MODULE], ["--model", "M"]),
        (["python3", f"-m{SERVER_MODULE}"], ["--model", "M"]),
        (["python", "/opt/vllm/entrypoints/openai/api_server.py"], ["--model", "M"]),
        (["bash", "-lc", SHELL], ["bash", "M"]),
        (["bash", "-lc", SHELL, "vllm"], ["M"]),
        (["bash", "-c", 'ray start --head && exec vllm serve "$@"'], ["bash", "M"]),
        (
            ["bash", "-c", 'sleep 1  # it\'s early\nA=b numactl -N 0 vllm serve \\\n  "$@" 2>&1 | tee /log'],
            ["bash", "M"],
        ),
        (["bash", "-c", 'if true; then exec vllm serve "$@"; fi'], ["bash", "M"]),
        (["bash", "-c", f'echo "$@"; python3 -m {SERVER_MODULE} "$@"'], ["bash", "--model", "M"]),
        (["/bin/bash", "--login", "-o", "pipefail", "-ec", SHELL], ["/bin/bash", "M"]),
        (["numactl", "-N", "0", "sh", "-c", f'exec python3 -m {SERVER_MODULE} "${{@}}"'], ["sh", "--model", "M"]),
        (["sh", "-c", 'exec "$@"', "x", "python3", "-m", SERVER_MODULE], ["--model", "M"]),
        (["sh", "-c", '/opt/start.sh "$@" 2>&1 | tee /log'], ["sh", "M"]),
        (["sh", "-c", 'an "unfinished script $@" \''], ["sh", "M"]),
        (["bash", "/opt/start.sh"], ["M"]),
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
        (["bash", "-lc", 'numactl -N 0 python3 "$@"'], "runs what it is given"),
        (["ray", "start", "--head"], "starts 'ray', which is no vLLM server"),
        (["/usr/local/bin/ray", "start", "--head"], "which is no vLLM server"),
        (["ray", "start", "--head", "vllm", "serve"], "starts 'ray'"),
        (["echo", "vllm", "serve"], "starts 'echo'"),
        (["sleep", "infinity"], "starts 'sleep'"),
        (["nohup", "numactl", "-N", "0", "sleep", "9"], "starts 'sleep'"),
        (["my-server", "start"], "starts 'my-server', which is no vLLM server that orch knows; write [vllm, serve]"),
        (["sglang"], "starts 'sglang'"),
        (["python3", "-m", "sglang.launch_server"], "starts 'python3 -m sglang.launch_server'"),
        (["python3", "-m", "vllm.entrypoints.openai.run_batch"], "which is no vLLM server"),
        (["python3", "-u", "-m", "http.server"], "which is no vLLM server"),
        (["vllm", "bench", "serve"], "starts 'vllm bench'"),
        (["vllm", "chat"], "starts 'vllm chat'"),
        (["vllm-rs", "bench", "serve"], "starts 'vllm-rs bench'"),
        (["bash", "vllm", "serve"], "starts 'bash vllm serve'"),
        (["python", "-m", "vllm", "serve"], "which is no vLLM server"),
        (["bash"], "'bash' would run the model as a program of its own; name the server behind it: [vllm, serve]"),
        (["bash", "-l"], "would run the model"),
        (["bash", "-c"], "would run the model"),
        (["python3", "-u"], "would run the model"),
        (["python3", "-m"], "would run the model"),
        (["python3", "-c"], "would run the model"),
        (["numactl", "-N", "0"], "would run the model"),
        (["taskset", "-c", "0-7"], "would run the model"),
        (["timeout"], "would run the model"),
        (["env", "A=b"], "would run the model"),
        (["uv", "run"], "would run the model"),
        (["nsys"], "would run the model"),
        (["ssh", "node2", "bash", "-c", SHELL], "starts 'ssh'"),
        (["bash", "-c", 'ray start --head "$@"'], "starts 'ray'"),
        (["bash", "-c", 'sleep 1; echo "$@" > /log'], "starts 'echo'"),
        (["bash", "-c", 'echo vllm serve "$@"'], "starts 'echo'"),
        (["bash", "-c", 'A=b sglang serve "$@"'], "starts 'sglang'"),
    ],
)
def test_a_command_that_cannot_be_given_a_model_is_refused_with_the_way_out(command: list[str], problem: str) -> None:
    said = command_problem(command)
    assert said is not None
    assert problem in said
    with pytest.raises(ValidationError, match=r"server\.command"):
        a_profile(server={"command": command})


@pytest.mark.parametrize(
    "command",
    [
        ["/opt/start.sh"],
        ["/opt/start.sh", "--now"],
        ["start-vllm"],
        ["./serve.py"],
        ["numactl", "--cpunodebind", "0", "/opt/start.sh"],
        ["bash", "/opt/start.sh"],
        ["bash", "-x", "start.sh"],
        ["python3", "-u", "script.py"],
        ["python3", "-W", "ignore", "-m", "my.server"],
        ["python3", "-c", "import mine; mine.main()"],
        ["uv", "run", "--python", "3.12", "serve.py"],
        ["conda", "run", "-n", "x", "--no-capture-output", "/opt/start.sh"],
        ["nsys", "profile", "-o", "/out", "/opt/start.sh"],
        ["torchrun", "--nproc-per-node", "1", "/opt/serve.py"],
        ["sh", "-c", '/opt/start.sh "$@" 2>&1 | tee /log'],
        ["sh", "-c", 'start-vllm "$@" > /log 2>&1'],
        ["sh", "-c", 'args=("$@"); /opt/start.sh "${args[0]}"'],
        ["sh", "-c", 'set -- "$@" --x; . /opt/start.sh'],
        ["sh", "-c", 'an "unfinished script "$@" \''],
        ["sh", "-c", 'exec "$@"', "x", "/opt/start.sh"],
    ],
)
def test_a_launcher_that_nobody_sees_into_is_remarked_on(command: list[str]) -> None:
    assert command_problem(command) is None
    profile = a_profile(server={"command": command})
    (said,) = [remark.text for remark in lint(profile) if remark.key == "server.command"]
    assert "is not seen to start a vLLM server; it gets the model, --host, --port and the flags" in said
    assert [line for line in warnings(profile, None) if line.startswith("server.command")] != []


@pytest.mark.parametrize(
    "command", [["vllm", "serve"], ["numactl", "-N", "0", "vllm", "serve"], ["bash", "-lc", SHELL]]
)
def test_a_server_that_is_seen_is_not_remarked_on(command: list[str]) -> None:
    assert command_remark(command) is None
    assert "server.command" not in {remark.key for remark in lint(a_profile(server={"command": command}))}


def test_a_shell_gives_its_script_the_model_and_every_flag_as_it_is() -> None:
    flags = {"x": "a b $HOME", "served-model-name": ["'", '"']}
    script = 'for word in "$@"; do printf "%s\\n" "$word"; done'
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
