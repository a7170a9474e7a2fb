"""The stub's server behaves like vLLM's as far as orch can see."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from stub_process import STUB, command, eventually, stub_env

if TYPE_CHECKING:
    from stub_process import Serving


def test_starts_and_stops_quickly(serve: Serving) -> None:
    start = time.monotonic()
    server = serve()
    assert time.monotonic() - start < 2  # 0.2 s on an idle machine
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_exit(2) == 0
    assert "Application shutdown complete." in server.text()


def test_refuses_connections_until_it_is_ready(serve: Serving) -> None:
    server = serve.start(STARTUP_S=0.6)
    eventually(lambda: "Initializing a V1" in server.text(), "engine init")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port)).close()
    server.wait_healthy()
    assert server.request("/ping").status == 200


def test_tells_who_it_is(serve: Serving) -> None:
    server = serve("--served-model-name", "alias", "--max_model_len=2048")
    (model,) = server.request("/v1/models").json()["data"]
    assert (model["id"], model["root"], model["max_model_len"]) == ("alias", "tiny", 2048)
    assert server.request("/version").json() == {"version": "0.32.0"}
    assert server.request("/nowhere").status == 404
    assert server.complete(model="tiny").status == 404


def test_streams_one_chunk_per_token_and_the_usage(serve: Serving) -> None:
    reply = serve().complete(stream=True, stream_options={"include_usage": True})
    *chunks, usage, done = reply.events()
    assert [chunk["choices"][0]["text"] for chunk in chunks] == [f" t{n}" for n in range(1, 9)]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 7 + ["length"]
    assert usage["usage"] == {"prompt_tokens": 3, "total_tokens": 11, "completion_tokens": 8}
    assert (usage["choices"], done) == ([], "[DONE]")


def test_answers_whole_completions_and_chats(serve: Serving) -> None:
    server = serve()
    whole = server.complete().json()
    assert whole["choices"][0]["text"].split() == [f"t{n}" for n in range(1, 9)]
    messages = [{"role": "user", "content": [{"type": "text", "text": "a b"}]}, {"role": "user", "content": "c"}]
    chat = {"messages": messages, "max_completion_tokens": 2}
    answer = server.request("/v1/chat/completions", chat).json()
    assert answer["choices"][0]["message"]["content"] == " t1 t2"
    assert answer["usage"]["prompt_tokens"] == 3
    chunks = server.request("/v1/chat/completions", {**chat, "stream": True}).events()
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]] == ["", " t1", " t2"]


def test_stops_early_unless_told_to_ignore_the_end(serve: Serving) -> None:
    server = serve(TTFT_MS=0, TPOT_MS=0)
    choice = server.complete(max_tokens=300, ignore_eos=False).json()["choices"][0]
    assert (len(choice["text"].split()), choice["finish_reason"]) == (100, "stop")
    assert server.complete(max_tokens=300).json()["usage"]["completion_tokens"] == 300


def test_tokenizes_by_words(serve: Serving) -> None:
    reply = serve().request("/tokenize", {"prompt": "one two two"}).json()
    first, second, third = reply["tokens"]
    assert (reply["count"], second == third, first == second) == (3, True, False)


def test_too_long_a_request_is_clamped_by_new_and_refused_by_old_versions(serve: Serving) -> None:
    new, old = serve("--max-model-len", 10), serve("--max-model-len", 10, VLLM_VERSION="0.8.5")
    assert new.complete(max_tokens=50).json()["usage"]["completion_tokens"] == 7
    refused = old.complete(max_tokens=50)
    assert refused.status == 400
    assert "However, you requested 53 tokens" in refused.json()["message"]
    assert new.complete(prompt="x " * 10).status == 400


def test_a_request_that_is_not_json_is_a_bad_request(serve: Serving) -> None:
    server = serve()
    assert server.request("/v1/completions", {"max_tokens": 1}).status == 400
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.recv(1) == b""
    assert server.healthy()


def test_tokens_leave_at_once_also_on_a_kept_connection(serve: Serving) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", serve(TTFT_MS=5, TPOT_MS=4).port, timeout=10)
    shares = []
    for _ in range(6):
        start = time.monotonic()
        connection.request("POST", "/v1/completions", '{"prompt":"a","max_tokens":9,"ignore_eos":true,"stream":true}')
        response = connection.getresponse()
        response.readline()
        first = time.monotonic() - start
        response.read()
        shares.append(first / (time.monotonic() - start))
    connection.close()
    assert min(shares[1:]) < 0.7  # with Nagle's algorithm all tokens come when the first is acknowledged


def test_runs_no_more_sequences_than_allowed(serve: Serving) -> None:
    server = serve("--max-num-seqs", 2, TTFT_MS=500, TPOT_MS=1)
    start = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        replies = [pool.submit(server.complete) for _ in range(6)]
        eventually(lambda: server.metric("vllm:num_requests_waiting") == 4, "four waiting")
        assert server.metric("vllm:num_requests_running") == 2
        assert server.metric("vllm:kv_cache_usage_perc") > 0
    assert time.monotonic() - start > 1.5
    assert {reply.result().status for reply in replies} == {200}
    assert server.metric("vllm:num_requests_running") == 0
    assert server.metric("vllm:kv_cache_usage_perc") == 0


def test_aborts_a_request_whose_client_has_gone(serve: Serving) -> None:
    server = serve("--max-num-seqs", 1, TPOT_MS=50)
    for _ in range(2):  # one runs, one waits
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            body = b'{"prompt":"a","max_tokens":4000,"ignore_eos":true}'
            client.sendall(b"POST /v1/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            eventually(lambda: server.metric("vllm:num_requests_running") == 1, "running")
    eventually(lambda: server.metric("vllm:num_requests_running") == 0, "aborted")
    assert server.metric("vllm:num_requests_waiting") == 0


def test_counts_what_vllm_counts(serve: Serving) -> None:
    server = serve()
    for _ in range(3):
        server.complete(prompt="w " * 40)
    assert server.metric("vllm:prompt_tokens_total") == 120
    assert server.metric("vllm:generation_tokens_total") == 24
    assert server.metric("vllm:request_success_total", finished_reason="length") == 3
    assert server.metric("vllm:prefix_cache_queries_total") == 120
    assert server.metric("vllm:prefix_cache_hits_total") == 64
    assert server.metric("vllm:time_to_first_token_seconds_count") == 3
    assert server.metric("vllm:inter_token_latency_seconds_count") == 21
    assert server.metric("vllm:e2e_request_latency_seconds_bucket", le="+Inf") == 3
    assert server.metric("vllm:request_generation_tokens_sum") == 24
    assert server.metric("vllm:request_generation_tokens_count") == 3
    assert server.metric("vllm:cache_config_info", block_size="16") == 1
    assert server.metric("vllm:num_preemptions_total") == 0


def test_prefix_caching_can_be_switched_off(serve: Serving) -> None:
    server = serve("--no-enable-prefix-caching")
    for _ in range(2):
        server.complete(prompt="w " * 40)
    assert server.metric("vllm:prefix_cache_hits_total") == 0


@pytest.mark.parametrize(
    ("engine", "present", "absent"),
    [
        ("v1", "vllm:gpu_prefix_cache_hits_total", "vllm:prefix_cache_hits_total"),
        ("v0", "vllm:num_requests_running", "vllm:gpu_prefix_cache_hits_total"),
    ],
)
def test_old_engines_have_their_own_metric_names(serve: Serving, engine: str, present: str, absent: str) -> None:
    server = serve(VLLM_VERSION="0.8.5", ENGINE=engine)
    silent = "\nvllm:prompt_tokens_total{" not in server.request("/metrics").body.decode()
    assert silent == (engine == "v0")  # it shows its configuration alone before the first request
    server.complete()
    text = server.request("/metrics").body.decode()
    assert f"\n{present}{{" in text
    assert f"\n{absent}{{" not in text
    assert server.metric("vllm:gpu_cache_usage_perc") == 0
    assert server.metric("vllm:time_per_output_token_seconds_count") == 7
    assert "kv_cache_usage_perc" not in text
    assert server.request("/version").json() == {"version": "0.8.5"}


COMMON_MARKERS = (
    r"Automatically detected platform (\w+)\.",
    r"vLLM is using nccl==",
    r"Starting to load model (.+)\.\.\.",
    r"Loading safetensors checkpoint shards: +(\d+)% Completed \| (\d+)/(\d+)",
    r"Loading weights took ([\d.]+) seconds",
    r"Model loading took ([\d.]+) GiB (?:memory )?and ([\d.]+) seconds",
    r"Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x",
    r"Graph capturing finished in (\d+) secs, took ([\d.]+) GiB",
    r"init engine \(profile, create kv cache, warmup model\) took ([\d.]+) (?:s|seconds)",
    r"Starting vLLM (?:API )?server .*on http",
    r"Available routes are:",
    r"Application startup complete\.",
)


@pytest.mark.parametrize(
    ("faults", "prefix", "markers"),
    [
        (
            {},
            r"(\((APIServer|EngineCore|Worker) pid=\d+\) INFO \d\d-\d\d|INFO:  |Loading|Capturing)",
            (r"version 0\.32\.0\n", r"non-default args: ", r"Initializing a V1 LLM engine \(v", r"GPU KV cache size: "),
        ),
        (
            {"VLLM_VERSION": "0.8.5"},
            r"(INFO \d\d-\d\d|INFO:  |Loading|Capturing)",
            (r"vLLM API server version 0.8.5", r"args: Namespace", r"Initializing a V1 LLM engine \(v"),
        ),
        (
            {"VLLM_VERSION": "0.8.5", "ENGINE": "v0"},
            r"(INFO \d\d-\d\d|INFO:  |Loading|Capturing)",
            (r"Initializing a V0 LLM engine \(v", r"Memory profiling takes", r"# rocm blocks: \d+, # CPU blocks: \d+"),
        ),
    ],
    ids=["0.32.0", "0.8.5", "0.8.5 V0"],
)
def test_logs_the_phases_of_its_version(
    serve: Serving, faults: dict[str, str], prefix: str, markers: tuple[str, ...]
) -> None:
    text = serve(**faults).text()
    for marker in (*COMMON_MARKERS, *markers):
        assert re.search(marker, text), marker
    assert [line for line in text.splitlines() if not re.match(prefix, line)] == []


def test_eager_mode_captures_no_graphs(serve: Serving) -> None:
    assert "Graph capturing" not in serve("--enforce-eager").text()


def test_a_taken_port_ends_the_start(serve: Serving) -> None:
    server = serve()
    second = serve.start(port=server.port)
    assert second.wait_exit() == 1
    assert "OSError: [Errno 98] Address already in use" in second.text()
    assert "Traceback (most recent call last):" in second.text()


def test_old_versions_share_a_port_without_an_error(serve: Serving) -> None:
    server = serve(VLLM_VERSION="0.8.5")
    second = serve.start(port=server.port, VLLM_VERSION="0.8.5")
    eventually(lambda: "Application startup complete." in second.text(), "second server on the same port")


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("0.32.0", "HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '/missing/x'"),
        ("0.8.5", "ValueError: Invalid repository ID or local directory specified: '/missing/x'"),
    ],
)
def test_a_missing_model_ends_the_start(serve: Serving, version: str, text: str) -> None:
    server = serve.start(model="/missing/x", VLLM_VERSION=version)
    assert server.wait_exit() == 1
    assert text in server.text()


def test_unknown_flags_pass_unless_strict(serve: Serving) -> None:
    serve("--no-such-flag", "7", "--tensor-parallel-size", 8, "-tp", 2)
    strict = serve.start("--no-such-flag", "--max-num-seqs", 2, "--disable-log-requests", STRICT_FLAGS=1)
    assert strict.wait_exit() == 2
    assert strict.text().endswith("vllm: error: unrecognized arguments: --no-such-flag --disable-log-requests\n")
    serve("--disable-log-requests", "-tp", 2, "--speculative_config", "{}", VLLM_VERSION="0.8.5", STRICT_FLAGS=1)


def test_the_prefix_cache_can_be_reset_in_dev_mode(serve: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve().request("/reset_prefix_cache", {"x": 1}).status == 404
    monkeypatch.setenv("VLLM_SERVER_DEV_MODE", "1")
    server = serve()
    server.complete(prompt="w " * 40)
    assert server.request("/reset_prefix_cache", {"x": 1}).status == 200
    server.complete(prompt="w " * 40)
    assert server.metric("vllm:prefix_cache_hits_total") == 0


def test_the_import_paths_of_vllm_lead_to_the_stub() -> None:
    script = """if True:
        import vllm
        from vllm.benchmarks.serve import add_cli_args, main
        from vllm.entrypoints.cli.serve import make_arg_parser
        from vllm.utils import FlexibleArgumentParser as Old
        from vllm.utils.argparse_utils import FlexibleArgumentParser
        parser = FlexibleArgumentParser()
        add_cli_args(parser)
        print(vllm.__version__, Old is FlexibleArgumentParser, parser.parse_args(["--num_prompts", "3"]).num_prompts)
        print("--max-num-seqs" in make_arg_parser(FlexibleArgumentParser())._option_string_actions)
    """
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, env=stub_env(), capture_output=True, text=True, check=True)
    assert done.stdout == "0.32.0 True 3\nTrue\n"
    module = [sys.executable, "-m", "vllm.entrypoints.cli.main", "--version"]
    assert subprocess.check_output(module, env=stub_env(VLLM_VERSION="0.8.5")) == b"0.8.5\n"
    assert subprocess.run(command("frob"), env=stub_env(), capture_output=True, check=False).returncode == 2
    assert (STUB / "vllm_stub" / "VERSION").read_text(encoding="ascii") == "0.32.0\n"
