"""The driver in the container: one client at a time, whole answers, deadlines that hold, and no client without orch.

It runs here as it does in a container, with a shorter grace.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from processes import alive, eventually, gone, program, python, started

from orchestrator.inside import driver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOTHING = python("-c", "pass")
"""A client that does nothing."""
CLIENT = "import os, sys; sys.stdout.write('out\\n'); sys.stdout.flush(); sys.stderr.write('err\\n'); "


class Driven:
    """A driver process, spoken to as orch does."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def send(self, job: str, argv: list[str], **keys: object) -> None:
        message = {
            "id": job,
            "argv": argv,
            "folder": str(self.folder / job),
            "result": "result.json",
            "mark": str(self.folder / "sent" / job),
            "deadline_s": 600,
            **keys,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer = dict(json.loads(self.process.stdout.readline()))
        for name in ("result", "log"):
            if answer.get(name) is not None:
                answer[name] = base64.b64decode(answer[name], validate=True)
        return answer

    def run(self, job: str, argv: list[str], **keys: object) -> dict[str, Any]:
        self.send(job, argv, **keys)
        return self.receive()

    def prepare(self, client: str, dataset: str | None = None, **more: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        message = {"prepare": client, "dataset": dataset, "sent": str(self.folder / "sent"), **more}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return self.receive()

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@contextlib.contextmanager
def driving(folder: Path, files: Mapping[str, str], changes: Mapping[str, str] | None = None) -> Iterator[Driven]:
    """A driver whose Python can import what these files make; its text may be changed."""
    metadata = "vllm-0.8.5+das.opt1.dist-info/METADATA"
    everything = {metadata: "Metadata-Version: 2.1\nName: vllm\nVersion: 0.8.5+das.opt1\n", **files}
    for name, text in everything.items():
        path = folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(folder / "site")}
    argv = program(driver, {"GRACE_S = 5.0": "GRACE_S = 0.2", **(changes or {})})
    with started(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        driven = Driven(process, folder)
        yield driven
        if process.poll() is None:
            driven.hang_up()
            process.wait(timeout=30)


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[Driven]:
    with driving(tmp_path, {}) as made:
        yield made


@pytest.fixture
def ready(driven: Driven) -> Driven:
    driven.receive()
    return driven


def test_it_says_first_what_it_is(driven: Driven) -> None:
    hello = driven.receive()
    assert hello["vllm"] == "0.8.5+das.opt1"
    assert hello["python"].split(".")[0] == "3"


def test_without_vllm_it_says_why_there_is_none() -> None:
    with started(program(driver, {}), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
    assert hello["vllm"] is None
    assert "PackageNotFoundError" in hello["problem"]


def test_an_answer_holds_the_result_byte_for_byte_and_everything_that_was_printed(ready: Driven) -> None:
    content = bytes(range(256)) * 300
    (ready.folder / "content").write_bytes(content)
    code = CLIENT + f"open('{ready.folder}/one/result.json', 'wb').write(open(sys.argv[1], 'rb').read()); sys.exit(3)"
    answer = ready.run("one", python("-c", code, str(ready.folder / "content")))
    assert answer.pop("wall_s") > 0
    assert answer.pop("cpu_s") > 0
    assert answer.pop("runnable_at")
    assert answer == {"id": "one", "code": 3, "timed_out": False, "result": content, "log": b"out\nerr\n"}


def test_a_client_that_leaves_no_result_has_none(ready: Driven) -> None:
    answer = ready.run("one", NOTHING)
    assert (answer["code"], answer["result"], answer["log"]) == (0, None, b"")


def test_jobs_follow_one_another_and_leave_nothing_behind(ready: Driven) -> None:
    for job in ("one", "two", "one"):
        code = "import os; print(sorted(os.listdir())); open('result.json', 'w').write('{}')"
        answer = ready.run(job, python("-c", f"import os; os.chdir({str(ready.folder / job)!r}); {code}"))
        assert (answer["id"], answer["result"]) == (job, b"{}")
        assert answer["log"] == b"['client.log']\n"
        assert not (ready.folder / job).exists()


def test_what_lies_in_the_folder_from_before_is_not_taken_for_a_result(ready: Driven) -> None:
    (ready.folder / "one").mkdir()
    (ready.folder / "one" / "result.json").write_text("old", encoding="utf-8")
    assert ready.run("one", NOTHING)["result"] is None


def test_a_client_has_no_input_and_few_threads(ready: Driven) -> None:
    code = (
        "import os, sys; print(os.environ['OMP_NUM_THREADS'], os.environ['TOKENIZERS_PARALLELISM'], [sys.stdin.read()])"
    )
    assert ready.run("one", python("-c", code))["log"] == b"1 false ['']\n"


def test_hostile_arguments_reach_the_client_untouched(ready: Driven) -> None:
    words = ["$(id)", "a b", "", "'\"\\", "\n", "é中"]
    answer = ready.run("one", python("-c", "import sys; sys.stdout.buffer.write(repr(sys.argv[1:]).encode())", *words))
    assert answer["log"].decode() == repr(words)


def test_a_command_that_is_not_there_is_code_127(ready: Driven) -> None:
    answer = ready.run("one", ["/nonexistent/vllm", "bench"])
    assert (answer["code"], answer["timed_out"], answer["result"]) == (127, False, None)
    assert answer["log"] == b"cannot start /nonexistent/vllm: No such file or directory\n"
    assert ready.run("two", NOTHING)["code"] == 0


def test_a_client_that_is_killed_has_the_signal_as_its_code(ready: Driven) -> None:
    assert ready.run("one", python("-c", "import os; os.kill(os.getpid(), 9)"))["code"] == -9


def test_a_client_is_killed_at_its_deadline(ready: Driven) -> None:
    answer = ready.run("one", ["sleep", "600"], deadline_s=0.1)
    assert (answer["timed_out"], answer["code"]) == (True, -15)
    assert ready.run("two", NOTHING)["code"] == 0


def test_where_the_kernel_does_not_tell_of_a_client_s_end_it_is_looked_for(tmp_path: Path) -> None:
    with driving(tmp_path, {}, {"os.pidfd_open(pid)": "os.no_such_call(pid)"}) as driven:
        driven.receive()
        assert driven.run("one", NOTHING)["code"] == 0
        assert driven.run("two", ["sleep", "600"], deadline_s=0.1)["code"] == -15
        driven.hang_up()
        assert driven.process.wait(timeout=30) == 0


def test_how_long_a_client_wanted_a_processor_is_seen_over_its_whole_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SAMPLE_S", 0.001)
    monkeypatch.setattr(driver, "MOST_SAMPLES", 8)
    monkeypatch.setattr(driver, "heard", lambda _: None)
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", spin], os.environ)
    runnable_at: list[list[float]] = []
    code, timed_out, cpu_s = driver.wait(pid, time.monotonic(), {"deadline_s": 60.0}, runnable_at)
    assert (code, timed_out) == (0, False)
    assert cpu_s >= 0.5
    assert 4 <= len(runnable_at) < 8, "however long it takes, there are few samples"
    assert runnable_at == sorted(runnable_at)
    assert all(runnable <= since + 0.01 for since, runnable in runnable_at)
    assert runnable_at[0][1] < 0.1 < runnable_at[-1][1]


def test_a_kernel_that_does_not_say_is_no_error() -> None:
    assert driver.runnable_s(2**22 + 1) is None


FAMILY = """
[ "$1" = deaf ] && trap '' TERM
(trap '' TERM; : > "$2.ready"; exec sleep 600) &
while [ ! -e "$2.ready" ]; do sleep 0.01; done
echo $$ $! > "$2.tmp"; mv "$2.tmp" "$2"
wait
"""
"""A client with a child that ignores SIGTERM; it writes both pids down once both are ready."""


def family(pids: Path, *, deaf_parent: bool) -> list[str]:
    return ["sh", "-c", FAMILY, "sh", "deaf" if deaf_parent else "obedient", str(pids)]


@pytest.mark.parametrize("deaf_parent", [False, True])
def test_at_its_deadline_a_client_s_whole_group_is_killed(ready: Driven, *, deaf_parent: bool) -> None:
    pids = ready.folder / "pids"
    answer = ready.run("one", family(pids, deaf_parent=deaf_parent), deadline_s=1)
    assert (answer["timed_out"], answer["code"]) == (True, -9 if deaf_parent else -15)
    parent, child = map(int, pids.read_text(encoding="utf-8").split())
    assert not alive(parent)
    eventually(lambda: not alive(child), "the child is gone")


@pytest.mark.parametrize("deaf_parent", [False, True])
def test_when_orch_is_gone_the_running_client_is_killed(ready: Driven, *, deaf_parent: bool) -> None:
    pids = ready.folder / "pids"
    ready.send("one", family(pids, deaf_parent=deaf_parent))
    eventually(pids.exists, "the client runs")
    ready.hang_up()
    assert ready.process.wait(timeout=30) == 1
    for pid in map(int, pids.read_text(encoding="utf-8").split()):
        eventually(partial(gone, pid), "the client is gone")


def test_when_orch_is_gone_an_idle_driver_ends(ready: Driven) -> None:
    ready.hang_up()
    assert ready.process.wait(timeout=30) == 0


def test_a_job_may_come_in_pieces(ready: Driven) -> None:
    assert ready.process.stdin is not None
    places = {"folder": str(ready.folder / "x"), "mark": str(ready.folder / "sent" / "x")}
    job = {"id": "x", "argv": NOTHING, **places, "result": "r", "deadline_s": 60}
    text = json.dumps({**job, "pad": "x" * 200_000}).encode() + b"\n"
    for start in range(0, len(text), 50_000):
        ready.process.stdin.write(text[start : start + 50_000])
        ready.process.stdin.flush()
    assert ready.receive()["id"] == "x"


def test_what_a_client_leaves_behind_ends_with_it(ready: Driven) -> None:
    pids = ready.folder / "pids"
    leaves = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, file=open(sys.argv[1], 'w'))"
    answer = ready.run("one", python("-W", "ignore", "-c", leaves, str(pids)))
    assert (answer["code"], answer["timed_out"]) == (0, False)
    child = int(pids.read_text(encoding="utf-8"))
    eventually(lambda: not alive(child), "the child is gone")


SERVE = """
import json, os, sys
imported_in = os.getpid()

def add_cli_args(parser):
    parser.add_argument("--backend")
    parser.add_argument("--result-dir")
    parser.add_argument("--exit")
    parser.add_argument("--dataset-name", choices=["random", "custom"])

def main(args):
    print("measured")
    print("and warned", file=sys.stderr)
    if args.exit:
        sys.exit(eval(args.exit))
    facts = {"imported_in": imported_in, "pid": os.getpid(), "leader": os.getsid(0), "input": sys.stdin.read()}
    with open(args.result_dir + "/result.json", "w") as file:
        json.dump(facts, file)
"""
PARSER = "from argparse import ArgumentParser as FlexibleArgumentParser\n"
VLLM_0_32 = {
    "vllm/__init__.py": "print('importing speaks')",
    "vllm/benchmarks/__init__.py": "",
    "vllm/benchmarks/serve.py": SERVE,
    "vllm/utils/__init__.py": "",
    "vllm/utils/argparse_utils.py": PARSER,
}
"""As much of vLLM's package as the driver looks at."""
VLLM_0_8 = {**VLLM_0_32, "vllm/utils/__init__.py": PARSER}
del VLLM_0_8["vllm/utils/argparse_utils.py"]
BENCH = ["vllm", "bench", "serve"]


@pytest.mark.parametrize("files", [VLLM_0_32, VLLM_0_8], ids=["0.32", "0.8"])
def test_prepared_it_knows_the_client_s_options_and_forks_each_client(tmp_path: Path, files: dict[str, str]) -> None:
    with driving(tmp_path, files) as driven:
        driven.receive()
        prepared = driven.prepare("vllm")
        assert prepared.pop("seconds") >= 0
        options = ["--backend", "--dataset-name", "--exit", "--help", "--result-dir", "-h"]
        assert {name: value for name, value in prepared.items() if value} == {
            "fork": True,
            "options": options,
            "datasets": ["custom", "random"],
        }
        facts = []
        for job in ("one", "two"):
            answer = driven.run(job, [*BENCH, "--result-dir", str(tmp_path / job)])
            assert (answer["code"], answer["log"]) == (0, b"measured\nand warned\n")
            facts.append(json.loads(answer["result"]))
        assert {fact["imported_in"] for fact in facts} == {driven.process.pid}
        assert len({fact["pid"] for fact in facts} - {driven.process.pid}) == 2
        assert all(fact["leader"] == fact["pid"] and fact["input"] == "" for fact in facts)


TOKENIZER = """
def get_tokenizer(path, **options):
    open(path + "/asked", "a").write(repr(sorted(options.items())))
    import tokenizer_of_the_model
"""


@pytest.mark.parametrize("loads", [True, False])
def test_what_the_tokenizer_of_a_model_imports_is_imported_once(tmp_path: Path, *, loads: bool) -> None:
    files = {**VLLM_0_32, "vllm/benchmarks/serve.py": SERVE + TOKENIZER}
    if loads:
        files["tokenizer_of_the_model.py"] = ""
    model = tmp_path / "model"
    model.mkdir()
    with driving(tmp_path, files) as driven:
        driven.receive()
        assert driven.prepare("vllm", tokenizer=str(model), trust_remote_code=True)["fork"]
        asked = "[('tokenizer_mode', 'auto'), ('trust_remote_code', True)]"
        assert (model / "asked").read_text(encoding="utf-8") == asked
        answer = driven.run("one", [*BENCH, "--exit", "'tokenizer_of_the_model' in sys.modules"])
        assert answer["code"] == int(loads)


def test_a_tokenizer_that_is_not_in_the_container_is_left_to_the_client(tmp_path: Path) -> None:
    files = {**VLLM_0_32, "vllm/benchmarks/serve.py": SERVE + TOKENIZER}
    with driving(tmp_path, files) as driven:
        driven.receive()
        assert driven.prepare("vllm", tokenizer="Qwen/Qwen3-8B")["fork"]


@pytest.fixture
def forking(tmp_path: Path) -> Iterator[Driven]:
    with driving(tmp_path, VLLM_0_32) as driven:
        driven.receive()
        driven.prepare("vllm")
        yield driven


@pytest.mark.parametrize(("end", "code"), [("0", 0), ("3", 3), ("None", 0), ("'words'", 1), ("1/0", 1)])
def test_a_forked_client_has_an_exit_code_of_its_own(forking: Driven, end: str, code: int) -> None:
    answer = forking.run("one", [*BENCH, "--exit", end])
    assert answer["code"] == code
    assert (b"ZeroDivisionError" in answer["log"]) == (end == "1/0")
    assert forking.run("two", [*BENCH, "--exit", "0"])["code"] == 0


def test_a_flag_that_the_client_does_not_know_is_code_2_with_its_own_words(forking: Driven) -> None:
    answer = forking.run("one", [*BENCH, "--nonsense", "1"])
    assert answer["code"] == 2
    assert b"unrecognized arguments: --nonsense 1" in answer["log"]


def test_a_forked_client_is_killed_at_its_deadline(forking: Driven) -> None:
    answer = forking.run("one", [*BENCH, "--exit", "__import__('time').sleep(600)"], deadline_s=0.1)
    assert (answer["timed_out"], answer["code"]) == (True, -15)


def test_a_command_that_was_not_prepared_is_a_process_of_its_own(forking: Driven) -> None:
    assert forking.run("one", python("-c", "print('mine')"))["log"] == b"mine\n"


SCRIPT = """
import json, sys
from sibling import NAME
if __name__ == "__main__":
    print(NAME, sys.argv[1:])
    sys.exit(5)
"""


def test_a_script_is_imported_once_and_run_in_each_fork(tmp_path: Path) -> None:
    files = {"scripts/benchmark_serving.py": SCRIPT, "scripts/sibling.py": "NAME = 'sibling'"}
    script = str(tmp_path / "site" / "scripts" / "benchmark_serving.py")
    with driving(tmp_path, files) as driven:
        driven.receive()
        prepared = driven.prepare(script)
        assert (prepared["fork"], prepared["options"]) == (True, None)
        (tmp_path / "site" / "scripts" / "sibling.py").unlink()
        for job in ("one", "two"):
            answer = driven.run(job, ["python3", script, "--seed", "1"])
            assert (answer["code"], answer["log"]) == (5, b"sibling ['--seed', '1']\n")


ASKING = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--backend", choices=["vllm", "openai", "openai-chat"], default="vllm")
parser.add_argument("--dataset-name", choices=["random", "sharegpt"], default="random")
parser.add_argument("--random-range-ratio", type=float, default=1.0, help="%s")
parser.add_argument("-n", "--num-prompts", type=int, help="how many")
if __name__ == "__main__":
    parser.parse_args()
"""


@pytest.mark.parametrize(("words", "spread"), [
    ("Sampled ratio of lengths, from length * range_ratio to length.", False),
    ("A symmetric range [length * (1 - range_ratio), length * (1 + range_ratio)].", True),
])  # fmt: skip
def test_a_script_is_asked_what_it_knows(tmp_path: Path, words: str, *, spread: bool) -> None:
    script = str(tmp_path / "site" / "scripts" / "serving.py")
    with driving(tmp_path, {"scripts/serving.py": ASKING % words}) as driven:
        driven.receive()
        prepared = driven.prepare(script)
        assert prepared["fork"]
        assert set(prepared["options"]) == {
            "--help", "--backend", "--dataset-name", "--random-range-ratio", "--num-prompts"
        }  # fmt: skip
        assert prepared["datasets"] == ["random", "sharegpt"]
        assert prepared["backends"] == ["vllm", "openai", "openai-chat"]
        assert prepared["spread"] is spread
        assert driven.run("one", ["python3", script, "--num-prompts", "2"])["code"] == 0
        assert driven.run("two", ["python3", script, "--nope"])["code"] == 2


GUARDED = "import socket, sys, time\nif __name__ == '__main__' and '--help' in sys.argv:\n    "
UNASKED = {
    "sleeps": ("time.sleep(600)", "it did not end when asked for its --help"),
    "connects": ("socket.create_connection(ADDRESS); time.sleep(600)", "it opened a connection when asked"),
    "looks whether it can": ("socket.socket().connect_ex(ADDRESS); time.sleep(600)", "it opened a connection"),
    "asks through asyncio": (
        "import asyncio; asyncio.run(asyncio.open_connection(*ADDRESS)); time.sleep(600)",
        "it opened a connection",
    ),
    "never stops talking": ("while True: print('x' * 100)", "it did not end"),
    "computes": ("while True: pass", "it did not end when asked for its --help"),
    "fails": ("sys.exit('no')", "its --help names no options"),
}


@pytest.mark.parametrize("case", UNASKED)
def test_a_script_that_does_not_give_its_help_holds_nothing_up_and_sends_nothing(tmp_path: Path, case: str) -> None:
    does, unasked = UNASKED[case]
    script = str(tmp_path / "site" / "client.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = GUARDED + does.replace("ADDRESS", repr(server.getsockname()))
        with driving(
            tmp_path, {"client.py": text}, {"HELP_S = 15.0": "HELP_S = 1.5", "HELP_BUSY_S = 60.0": "HELP_BUSY_S = 3.0"}
        ) as driven:
            driven.receive()
            began = time.monotonic()
            prepared = driven.prepare(script)
            assert time.monotonic() - began < 10
            assert unasked in prepared["unasked"]
            assert (prepared["fork"], prepared["options"], prepared["problem"]) == (True, None, "")
            assert driven.run("one", ["python3", script])["code"] == 0
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_script_may_look_for_its_own_address_and_then_give_its_help(tmp_path: Path) -> None:
    text = f"{GUARDED}socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))\n{ASKING % 'x'}"
    with driving(tmp_path, {"client.py": text}) as driven:
        driven.receive()
        prepared = driven.prepare(str(tmp_path / "site" / "client.py"))
        assert "--num-prompts" in prepared["options"]
        assert prepared["unasked"] == ""


def test_a_script_that_still_imports_is_waited_for(tmp_path: Path) -> None:
    text = (ASKING % "x").replace("    parser", "    while time.process_time() < 4: pass\n    parser")
    changes = {"HELP_S = 15.0": "HELP_S = 0.5", "HELP_QUIET_S = 2.0": "HELP_QUIET_S = 0.1"}
    with driving(tmp_path, {"client.py": f"import time\n{text}"}, changes) as driven:
        driven.receive()
        assert "--num-prompts" in driven.prepare(str(tmp_path / "site" / "client.py"))["options"]


def test_a_script_that_has_given_its_help_is_not_waited_for(tmp_path: Path) -> None:
    text = (ASKING % "x").replace("parser.parse_args()", "parser.print_help(); sys.stdout.flush(); time.sleep(600)")
    with driving(tmp_path, {"client.py": f"import sys, time\n{text}"}, {}) as driven:
        driven.receive()
        began = time.monotonic()
        prepared = driven.prepare(str(tmp_path / "site" / "client.py"))
        assert time.monotonic() - began < 20
        assert "--num-prompts" in prepared["options"]
        assert prepared["unasked"] == ""


@pytest.mark.parametrize(
    "text", ["print(NAME)", "if True:\n    print(NAME)", "def main(): return 1\nprint(NAME)\nmain()"]
)
def test_a_script_that_would_run_when_imported_is_not_imported(tmp_path: Path, text: str) -> None:
    ran = tmp_path / "ran"
    script = str(tmp_path / "site" / "client.py")
    whole = f"open({str(ran)!r}, 'w').close()\nNAME = __file__\n{text}\n"
    with driving(tmp_path, {"client.py": whole}) as driven:
        driven.receive()
        prepared = driven.prepare(script)
        assert prepared["fork"] is False
        assert (
            prepared["reason"]
            == prepared["unasked"]
            == ("it would run when imported, having no 'if __name__ == \"__main__\"'")
        )
        assert not ran.exists()
        assert driven.run("one", python(script))["log"] == f"{script}\n".encode()


THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
CANNOT_FORK = {
    "there is no vLLM": ({}, "ModuleNotFoundError"),
    "importing it exits": ({**VLLM_0_32, "vllm/__init__.py": "raise SystemExit(1)"}, "SystemExit"),
    "importing it starts threads": (
        {**VLLM_0_32, "vllm/__init__.py": THREAD},
        "Python threads",
    ),
    "importing it uses the devices": (
        {
            **VLLM_0_32,
            "vllm/__init__.py": "import torch",
            "torch.py": "class cuda:\n    @staticmethod\n    def is_initialized():\n        return True",
        },
        "the devices",
    ),
}


@pytest.mark.parametrize("case", CANNOT_FORK)
def test_where_forking_would_not_be_safe_each_client_is_a_process_of_its_own(tmp_path: Path, case: str) -> None:
    files, reason = CANNOT_FORK[case]
    with driving(tmp_path, files) as driven:
        driven.receive()
        prepared = driven.prepare("vllm")
        assert prepared["fork"] is False
        assert reason in prepared["reason"]
        assert driven.run("one", NOTHING)["code"] == 0


def test_it_knows_what_drivers_before_it_have_started_and_not_what_they_only_prepared(tmp_path: Path) -> None:
    for jobs, before in ((), []), (("one", "two"), []), (("two",), ["one", "two"]), ((), ["one", "two"]):
        with driving(tmp_path, VLLM_0_32) as driven:
            driven.receive()
            assert sorted(driven.prepare("vllm")["sent"]) == before
            for job in jobs:
                driven.run(job, NOTHING)


def test_importing_cannot_disturb_the_answers(tmp_path: Path) -> None:
    with driving(tmp_path, VLLM_0_32) as driven:
        driven.receive()
        assert driven.prepare("vllm")["fork"] is True
        assert driven.run("one", NOTHING)["id"] == "one"


RUST = """#!/bin/sh
case "$*" in
  --version) echo "vllm-rs 0.32.0" ;;
  "bench serve --help") cat <<'END'
Usage: vllm-rs bench serve [OPTIONS]

Options:
      --backend <BACKEND>
          The endpoint [default: openai] [possible values: vllm, openai]
      --dataset-name <DATASET_NAME>
          Dataset name [default: random] [possible values: random, custom]
      --random-input-len <RANDOM_INPUT_LEN>
          Length, mirrors --input-len [default: 1024]
  -h, --help
          Print help
END
  ;;
  *) echo "measured $*" ;;
esac
"""
"""A Rust client, as far as the driver asks it."""


def rust_client(folder: Path, name: str) -> Path:
    path = folder / name / "vllm-rs"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RUST, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_rust_client_is_found_in_the_package_and_answers_for_itself(tmp_path: Path) -> None:
    carried = rust_client(tmp_path, "site/vllm")
    with driving(tmp_path, VLLM_0_32) as driven:
        driven.receive()
        prepared = driven.prepare("vllm-rs")
        assert (prepared["program"], prepared["version"], prepared["problem"]) == (str(carried), "0.32.0", "")
        assert prepared["options"] == ["--backend", "--dataset-name", "--random-input-len"]
        assert prepared["datasets"] == ["random", "custom"]
        assert prepared["backends"] == ["vllm", "openai"]
        assert (prepared["fork"], prepared["reason"]) == (False, "it is a program of its own")
        assert driven.run("one", [str(carried), "bench", "serve"])["log"] == b"measured bench serve\n"


def test_the_rust_client_is_found_on_the_path_or_where_the_profile_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, named = rust_client(tmp_path, "bin"), rust_client(tmp_path, "mine")
    monkeypatch.setenv("PATH", str(found.parent), prepend=os.pathsep)
    with driving(tmp_path, {}) as driven:
        driven.receive()
        assert driven.prepare("vllm-rs")["program"] == str(found)
        assert driven.prepare(str(named))["program"] == str(named)


def test_a_rust_client_that_is_not_there_or_does_not_run_is_a_problem(tmp_path: Path) -> None:
    with driving(tmp_path, VLLM_0_32) as driven:
        driven.receive()
        prepared = driven.prepare("vllm-rs")
        assert (prepared["program"], prepared["options"]) == (None, None)
        assert prepared["problem"] == "there is no vllm-rs, neither in the vllm package nor on PATH"
        broken = rust_client(tmp_path, "broken")
        broken.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
        assert "returned non-zero exit status 3" in driven.prepare(str(broken))["problem"]


def test_a_client_that_is_a_file_is_known_by_what_it_holds(tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text("import json\n", encoding="utf-8")
    rust = rust_client(tmp_path, "vllm-rs")
    with driving(tmp_path, VLLM_0_32) as driven:
        driven.receive()
        assert driven.prepare("vllm")["file"] is None
        for path in (script, rust):
            held = path.read_bytes()
            assert driven.prepare(str(path))["file"] == {
                "sha256": hashlib.sha256(held).hexdigest(),
                "size": len(held),
            }
        script.unlink()
        assert driven.prepare(str(script))["file"] is None


def test_prompts_are_looked_at_where_the_client_reads_them(tmp_path: Path) -> None:
    prompts = tmp_path / "p.jsonl"
    prompts.write_bytes(b'{"prompt": "x"}\n' * 100_000)
    with driving(tmp_path, VLLM_0_32) as driven:
        driven.receive()
        told = driven.prepare("vllm", dataset=str(prompts))
        assert told["dataset"] == {"sha256": hashlib.sha256(prompts.read_bytes()).hexdigest(), "size": 1_600_000}
        assert (told["problem"], told["fork"]) == ("", True)
        assert driven.prepare("vllm", dataset=str(tmp_path))["dataset"] is None
        prompts.unlink()
        told = driven.prepare("vllm", dataset=str(prompts))
        assert told["problem"] == f"the dataset {prompts} cannot be read: No such file or directory"
