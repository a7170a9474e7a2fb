"""Each fault of the stub's server does what its row of the table says."""

from __future__ import annotations

import http.client
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stub_process import STUB, command, eventually, stub_env

if TYPE_CHECKING:
    from stub_process import Server, Serving


LETTERS = """
class Tokenizer:
    @classmethod
    def from_file(cls, path):
        assert path == "/models/letters.json"
        return cls()

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        return type("Encoding", (), {"ids": [ord(letter) for letter in text]})
"""
"""A package `tokenizers` to which each letter is a token."""


def test_every_fault_is_in_the_table_and_in_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUB))
    faults = importlib.import_module("vllm_stub.faults")
    names = [f"STUB_{field.name.upper()}" for field in fields(faults.Faults)]
    assert re.findall(r"^\| (STUB_\w+) ", faults.__doc__ or "", re.MULTILINE) == names
    assert [f"STUB_{name.upper()}" for name in faults._PARSERS] == names  # noqa: SLF001
    assert ", ".join(faults.PHASES) in (faults.__doc__ or "")
    source = "".join(path.read_text(encoding="utf-8") for path in (STUB / "vllm_stub").glob("*.py"))
    assert [field.name for field in fields(faults.Faults) if f"faults.{field.name}" not in source] == ["log_file"]


@pytest.mark.parametrize(
    ("faults", "complaint"),
    [
        ({"FROB": 1}, "unknown variable STUB_FROB"),
        ({"ttft_ms": 1}, "unknown variable STUB_ttft_ms"),
        ({"TTFT_MS": "fast"}, "STUB_TTFT_MS=fast"),
        ({"TTFT_MS": -1}, "STUB_TTFT_MS=-1: not in [0.0, ∞]"),
        ({"FAIL_RATE": 2}, "STUB_FAIL_RATE=2: not in [0.0, 1.0]"),
        ({"FAIL_EVERY": ""}, "STUB_FAIL_EVERY="),
        ({"PHASE_HANG": "lunch"}, "not one of platform, api, engine"),
        ({"BUFFER_STREAM": "yes"}, "not one of 0, 1"),
        ({"EXIT_CODE": 3}, "STUB_EXIT_CODE does nothing without STUB_EXIT_AFTER_S or STUB_EXIT_PHASE"),
        ({"DEATH": "kill"}, "STUB_DEATH does nothing without STUB_DIE_AFTER_REQUESTS"),
        ({"LOG_TEXT": "x"}, "STUB_LOG_TEXT does nothing without STUB_LOG_PHASE"),
        ({"LOG_FILE": "/nowhere", "LOG_PHASE": "api"}, "STUB_LOG_FILE: "),
        ({"LOG_FILE": "/x", "LOG_TEXT": "x", "LOG_PHASE": "api"}, "exclude each other"),
        ({"VLLM_VERSION": "0.10.1"}, "only 0.8.x and 0.30 or newer are emulated"),
        ({"VLLM_VERSION": "latest"}, "only 0.8.x and 0.30 or newer are emulated"),
        ({"ENGINE": "v0"}, "vLLM 0.32.0 has no V0 engine"),
    ],
)
@pytest.mark.parametrize("words", [("serve", "tiny"), ("bench", "serve")])
def test_a_mistaken_fault_is_an_error_of_its_own(
    faults: dict[str, object], complaint: str, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        command(*words), env=stub_env(**faults), capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 99
    assert complaint in done.stderr


def test_startup_takes_the_time_that_it_is_given(serve: Serving) -> None:
    start = time.monotonic()
    server = serve(STARTUP_S=1)
    assert 1 <= time.monotonic() - start < 4
    assert "Loading weights took 0.40 seconds" in server.text()


def test_hangs_in_a_phase_for_good(serve: Serving) -> None:
    server = serve.start(PHASE_HANG="load")
    eventually(lambda: " 25% Completed | 1/4" in server.text(), "first shard")
    time.sleep(0.2)
    assert " 50% Completed" not in server.text()
    assert not server.healthy()
    server.process.terminate()
    assert server.wait_exit(2) == 0


def test_hangs_after_it_is_ready(serve: Serving) -> None:
    server = serve.start(PHASE_HANG="ready")
    eventually(lambda: "Application startup complete." in server.text(), "ready")
    with pytest.raises(TimeoutError):
        server.request("/health", timeout_s=0.3)


def test_exits_in_a_phase_with_the_text_as_its_last_words(serve: Serving, tmp_path: Path) -> None:
    text = "(EngineCore pid=7) torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2 GiB\n  … é"
    server = serve.start(EXIT_PHASE="memory", EXIT_CODE=7, LOG_TEXT=text)
    assert server.wait_exit() == 7
    assert server.text().endswith(f"per request: 64.00x\n{text}\n")
    file = tmp_path / "real.log"
    file.write_text("line one\nline two\n", encoding="utf-8")
    server = serve.start(EXIT_PHASE="platform", LOG_FILE=file)
    assert server.wait_exit() == 1
    assert server.text().endswith("rocm.\nline one\nline two\n")


@pytest.mark.parametrize("startup_s", [0, 60], ids=["after ready", "before ready"])
def test_exits_after_a_time(serve: Serving, startup_s: int) -> None:
    start = time.monotonic()
    server = serve.start(STARTUP_S=startup_s, EXIT_AFTER_S=0.8, EXIT_CODE=5, LOG_TEXT="farewell")
    if not startup_s:
        server.wait_healthy()
    assert server.wait_exit() == 5
    assert 0.8 <= time.monotonic() - start < 3
    assert server.text().endswith("farewell\n")


def test_prints_a_text_in_a_phase_and_goes_on(serve: Serving) -> None:
    server = serve(LOG_TEXT="WARNING: odd", LOG_PHASE="engine")
    lines = server.text().splitlines()
    assert "vLLM is using nccl" in lines[lines.index("WARNING: odd") - 1]


def test_floods_the_log(serve: Serving) -> None:
    server = serve(LOG_FLOOD_LINES_PER_S=5000)
    eventually(lambda: server.text().count(" of a log flood\n") > 2000, "2000 lines")
    assert server.complete().status == 200


def test_eats_memory_in_a_phase(serve: Serving) -> None:
    server = serve.start(EAT_MEMORY_MB=200, EAT_MEMORY_PHASE="weights", PHASE_HANG="compile")
    eventually(lambda: "torch.compile took" in server.text(), "compile phase")
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    resident = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert resident is not None
    assert int(resident[1]) > 200 * 1024


def test_leaves_a_deaf_process_in_its_own_session(serve: Serving) -> None:
    server = serve(SPAWN_CHILD=1)
    pid = int(re.findall(r"Stub child process (\d+)", server.text())[0])
    server.orphans.append(pid)
    assert os.getsid(pid) == pid
    server.process.terminate()
    assert server.wait_exit(2) == 0
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGHUP)
    time.sleep(0.1)
    state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2]
    assert state == "S"
    assert b"vllm-stub-child" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_ignores_sigterm(serve: Serving) -> None:
    server = serve(IGNORE_SIGTERM=1)
    server.process.terminate()
    time.sleep(0.3)
    assert server.healthy()


def test_answers_to_another_name(serve: Serving) -> None:
    server = serve(MODEL_ID="imposter")
    assert [model["id"] for model in server.request("/v1/models").json()["data"]] == ["imposter"]
    assert server.complete(model="tiny").status == 404


def test_first_and_further_tokens_take_their_time(serve: Serving) -> None:
    server = serve(TTFT_MS=200, TPOT_MS=20)
    start = time.monotonic()
    server.complete(max_tokens=11)
    assert 0.4 <= time.monotonic() - start < 1.5
    assert server.metric("vllm:time_to_first_token_seconds_sum") >= 0.2


def test_jitter_is_reproducible_by_its_seed(serve: Serving) -> None:
    def paces(seed: int) -> list[float]:
        server = serve(TTFT_MS=0, TPOT_MS=5, JITTER=0.3, SEED=seed)
        for _ in range(4):
            server.complete(max_tokens=2)
        (total,) = [server.metric("vllm:inter_token_latency_seconds_sum")]
        return [round(total, 6)]

    assert paces(1) == paces(1) != paces(2)


def fates(server: Server, count: int = 4) -> list[str]:
    """What became of `count` streamed completions, one after the other."""
    found = []
    for _ in range(count):
        try:
            reply = server.complete(stream=True)
        except http.client.IncompleteRead:
            found.append("cut")
            continue
        if reply.status != 200:
            found.append(str(reply.status))
        else:
            found.append("error" if "error" in reply.events()[-2] else "done")
    return found


def test_fails_every_nth_request(serve: Serving) -> None:
    server = serve(FAIL_EVERY=2)
    assert fates(server) == ["done", "500", "done", "500"]
    assert server.complete().status == 200
    assert server.complete().json()["error"]["code"] == 500


def test_fails_a_share_of_requests(serve: Serving) -> None:
    assert fates(serve(FAIL_RATE=1)) == ["500"] * 4
    some = fates(serve(FAIL_RATE=0.5, SEED=3, TTFT_MS=0, TPOT_MS=0), 40)
    assert 8 < some.count("500") < 32
    assert some == fates(serve(FAIL_RATE=0.5, SEED=3, TTFT_MS=0, TPOT_MS=0), 40)


def test_cuts_every_nth_stream_in_the_middle(serve: Serving) -> None:
    server = serve(CUT_EVERY=2)
    assert fates(server) == ["done", "cut", "done", "cut"]
    assert server.metric("vllm:generation_tokens_total") == 8 + 5 + 8 + 5
    server.complete()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        server.complete()


def test_sends_an_error_chunk_in_every_nth_stream(serve: Serving) -> None:
    server = serve(STREAM_ERROR_EVERY=2)
    assert fates(server) == ["done", "error", "done", "error"]
    server.complete()
    *chunks, error, done = server.complete(stream=True).events()
    assert (len(chunks), error["error"]["code"], done) == (4, 500, "[DONE]")
    server.complete()
    assert server.complete().status == 500


def test_ends_outputs_early(serve: Serving) -> None:
    server = serve(SHORT_OUTPUT=3)
    answer = server.complete().json()
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert server.metric("vllm:request_success_total", finished_reason="stop") == 1


@pytest.mark.parametrize("buffered", [0, 1])
def test_a_buffered_stream_comes_in_one_piece_at_its_end(serve: Serving, buffered: int) -> None:
    server = serve(BUFFER_STREAM=buffered, TPOT_MS=50)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    start = time.monotonic()
    connection.request("POST", "/v1/completions", '{"prompt":"a","max_tokens":8,"ignore_eos":true,"stream":true}')
    response = connection.getresponse()
    response.readline()
    first = time.monotonic() - start
    assert response.read().endswith(b"[DONE]\n\n")
    connection.close()
    assert (first > 0.3) == bool(buffered)


def test_requests_grow_slower_and_slower(serve: Serving) -> None:
    result = serve(DRIFT=0.5, TTFT_MS=20).bench("--num-prompts", 5, "--max-concurrency", 1, "--save-detailed").json()
    first, *_, last = result["ttfts"]
    assert first >= 0.020
    assert last >= 0.020 * (1 + 4 * 0.5)


def test_the_first_requests_are_slow(serve: Serving) -> None:
    result = (
        serve(COLD_REQUESTS=2, TTFT_MS=20).bench("--num-prompts", 4, "--max-concurrency", 1, "--save-detailed").json()
    )
    assert min(result["ttfts"][:2]) >= 0.1 > max(result["ttfts"][2:])


def test_a_first_chunk_that_is_sent_late_is_late_for_the_client_alone(serve: Serving) -> None:
    server = serve(SEND_DELAY_MS=100, TTFT_MS=10)
    result = server.bench("--num-prompts", 2, "--max-concurrency", 1).json()
    assert result["mean_ttft_ms"] >= 110
    seen = server.metric("vllm:time_to_first_token_seconds_sum") / server.metric(
        "vllm:time_to_first_token_seconds_count"
    )
    assert 0.010 <= seen < 0.100


def test_comments_may_come_before_each_token(serve: Serving) -> None:
    answer = serve(COMMENTS_PER_TOKEN=3).complete(stream=True, max_tokens=2)
    assert answer.body.count(b": ping\n\n" * 3 + b"data: {") == 2
    assert len(answer.events()) == 3


def test_prompts_can_be_counted_by_a_model_s_own_tokenizer(serve: Serving, tmp_path: Path) -> None:
    package = tmp_path / "tokenizers"
    package.mkdir()
    (package / "__init__.py").write_text(LETTERS, encoding="utf-8")
    server = serve(TOKENIZER="/models/letters.json", path=tmp_path)
    assert server.complete(prompt="abc d").json()["usage"]["prompt_tokens"] == 5
    assert server.request("/tokenize", {"prompt": "abc d"}).json()["count"] == 5


def test_hangs_after_some_requests(serve: Serving) -> None:
    server = serve(HANG_AFTER_REQUESTS=2)
    assert fates(server, 2) == ["done", "done"]
    for path in ("/health", "/metrics", "/v1/models"):
        with pytest.raises(TimeoutError):
            server.request(path, timeout_s=0.2)
    server.process.terminate()
    assert server.wait_exit(2) == 0


def test_a_hung_engine_leaves_the_rest_answering(serve: Serving) -> None:
    server = serve(HANG_AFTER_REQUESTS=1, HANG_SCOPE="completions")
    with ThreadPoolExecutor(2) as pool:
        quick, slow = pool.submit(server.complete), pool.submit(server.complete, max_tokens=500)
        assert quick.result().status == 200
        slow.cancel()
        assert server.healthy()
        before = server.metric("vllm:generation_tokens_total")
        with pytest.raises(TimeoutError):
            server.request("/v1/completions", {"prompt": "x"}, timeout_s=0.3)
        assert server.metric("vllm:generation_tokens_total") == before
        assert server.metric("vllm:num_requests_running") == 1
        server.process.kill()
        with pytest.raises(OSError, match=r"."):
            slow.result()


def test_says_nothing_of_what_it_counts_after_some_requests(serve: Serving) -> None:
    server = serve(MUTE_AFTER_REQUESTS=1)
    assert server.request("/metrics").status == 200
    server.complete()
    assert (server.request("/metrics").status, server.request("/health").status) == (500, 200)


def test_dies_with_code_0_after_some_requests(serve: Serving) -> None:
    server = serve(DIE_AFTER_REQUESTS=2, LOG_TEXT="root cause")
    assert fates(server, 2) == ["done", "done"]
    assert server.wait_exit() == 0
    assert server.text().endswith("EngineCore encountered a fatal error.\nroot cause\n")


def test_dies_as_soon_as_it_is_ready(serve: Serving) -> None:
    assert serve.start(DIE_AFTER_REQUESTS=0).wait_exit() == 0


def test_dies_by_sigkill(serve: Serving) -> None:
    server = serve(DIE_AFTER_REQUESTS=1, DEATH="kill")
    server.complete()
    assert server.wait_exit() == -signal.SIGKILL


def test_dies_like_a_real_engine(serve: Serving) -> None:
    server = serve(DIE_AFTER_REQUESTS=1, DEATH="health503", LOG_TEXT="RuntimeError: the cause")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(server.complete, max_tokens=3000, stream=True)
        eventually(lambda: server.metric("vllm:num_requests_running") == 1, "running")
        assert server.complete().status == 200
        *_, error, done = slow.result().events()
        assert (error["error"]["type"], done) == ("InternalServerError", "[DONE]")
    assert server.request("/health").status == 503
    assert server.complete().status == 500

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
        except ConnectionRefusedError:
            return True
        return False

    eventually(refused, "refused")
    assert server.process.poll() is None
    assert server.wait_exit() == 0
    text = server.text()
    assert text.index("RuntimeError: the cause") < text.index("EngineDeadError: EngineCore encountered an issue.")


@pytest.mark.parametrize(("engine", "status"), [("v1", 200), ("v0", 500)])
def test_old_versions_hide_a_dead_engine_from_health_checks(serve: Serving, engine: str, status: int) -> None:
    server = serve.start(DIE_AFTER_REQUESTS=0, DEATH="health503", VLLM_VERSION="0.8.5", ENGINE=engine)
    eventually(lambda: "output_handler failed" in server.text(), "death")
    assert server.request("/health").status == status
    assert server.complete().status == 500


@pytest.mark.parametrize(("curve", "slower"), [("linear", 2), ("knee", 4), ("cliff", 20)])
def test_latency_grows_beyond_capacity(serve: Serving, curve: str, slower: float) -> None:
    server = serve(CAPACITY=2, CURVE=curve, TTFT_MS=0, TPOT_MS=10)

    def token_s(parallel: int) -> float:
        names = "vllm:inter_token_latency_seconds_sum", "vllm:inter_token_latency_seconds_count"
        before = [server.metric(name) for name in names]
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(lambda _: server.complete(max_tokens=24), range(parallel)))
        total, count = (server.metric(name) - value for name, value in zip(names, before, strict=True))
        return total / count

    assert token_s(2) == pytest.approx(0.01)
    assert token_s(4) == pytest.approx(0.01 * slower, rel=0.5)


def test_the_stub_needs_nothing_but_the_standard_library() -> None:
    script = f"import sys; sys.path.insert(0, {str(STUB)!r}); import vllm_stub.serve, vllm_stub.client, vllm_stub.cli"
    words = [sys.executable, "-I", "-S", "-c", script]
    subprocess.run(words, check=True)
