"""Promise E3: a flag is one flag in whatever form a profile and its bases name it; what is said twice is a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.errors import ProfileError
from orchestrator.lint.lint import lint
from orchestrator.plan.container import server_argv
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

BENCH = "bench: {lengths: [[8, 8]], num_prompts: 8}\n"
HEAD = f"container: {{image: 'vllm:0.8.5'}}\n{BENCH}"


def argv_of(tmp_path: Path, base: str, child: str, *sets: str) -> list[str]:
    (tmp_path / "base.yaml").write_text(f"{HEAD}server: {{model: m, flags: {base}}}\n", encoding="utf-8")
    (tmp_path / "child.yaml").write_text(f"extends: base\nserver: {{flags: {child}}}\n", encoding="utf-8")
    return server_argv(load_profile("child", [tmp_path], sets))[7:]


@pytest.mark.parametrize(
    ("base", "child", "argv"),
    [
        ("{tp: 8}", "{tensor-parallel-size: 4}", ["--tensor-parallel-size", "4"]),
        ("{tensor_parallel_size: 8}", "{--tp: 4}", ["-tp", "4"]),
        ("{tp: 8, dtype: half}", "{tensor-parallel-size: null}", ["--dtype", "half"]),
        ("{enable-prefix-caching: true}", "{no-enable-prefix-caching: true}", ["--no-enable-prefix-caching"]),
        ("{O3: true}", "{O: 1}", ["-O", "1"]),
        (
            "{cc.mode: 3, cc.cudagraph_mode: NONE}",
            "{O: {mode: 1}}",
            ["--compilation-config", '{"mode":1,"cudagraph_mode":"NONE"}'],
        ),
        ("{O: 3}", "{O: {mode: 1}}", ["--compilation-config", '{"mode":1}']),
        ("{device-memory-utilization: 0.5}", "{gpu-memory-utilization: 0.9}", ["--gpu-memory-utilization", "0.9"]),
        ("{hf-overrides: {a: 1, b: 2}}", "{hf_overrides: {b: 3}}", ["--hf_overrides", '{"a":1,"b":3}']),
        ("{hf-overrides: {a: 1, b: 2}}", "{hf-overrides.b: 3}", ["--hf-overrides", '{"a":1,"b":3}']),
        ("{hf-overrides.a: 1, hf_overrides.b: 2}", "{hf_overrides: {b: 3}}", ["--hf-overrides", '{"b":3,"a":1}']),
        ("{hf-overrides: {a: {x: 1, y: 2}}}", "{hf-overrides.a.y: 3}", ["--hf-overrides", '{"a":{"x":1,"y":3}}']),
        ("{hf-overrides.a.x: 1}", "{hf-overrides.a: 5}", ["--hf-overrides", '{"a":5}']),
        ("{hf-overrides.a: 5}", "{hf-overrides.a.x: 1}", ["--hf-overrides", '{"a":{"x":1}}']),
        ("{hf-overrides.a: 5}", "{hf-overrides: null}", []),
        ("{hf-overrides.a: 5}", "{hf-overrides: null, hf-overrides.b: 1}", ["--hf-overrides", '{"b":1}']),
        ("{hf-overrides.a: 5}", "{hf-overrides.a: null}", ["--hf-overrides", '{"a":null}']),
        ("{hf-overrides: '{\"a\": 1}'}", "{hf-overrides.a: 2}", ["--hf-overrides", '{"a":2}']),
        ("{hf-overrides: text}", "{hf-overrides.a: 2}", ["--hf-overrides", '{"a":2}']),
        ("{sc.l: [a]}", "{sc.l+: b}", ["--speculative-config", '{"l":["a","b"]}']),
        ("{cc.x: 1}", "{compilation-config.x: 2}", ["--compilation-config", '{"x":2}']),
        ("{cc.x: 1, cc.y: 1}", "{compilation_config.x: 2}", ["--compilation_config", '{"x":2,"y":1}']),
    ],
)
def test_what_a_profile_says_of_a_flag_wins_over_its_base_in_whatever_form(
    tmp_path: Path, base: str, child: str, argv: list[str]
) -> None:
    assert argv_of(tmp_path, base, child) == argv


def test_an_override_finds_the_flag_in_whatever_form(tmp_path: Path) -> None:
    given = argv_of(
        tmp_path, "{tp: 8, cc: {a: 1}}", "{}", "server.flags.--tensor_parallel_size=2", "server.flags.cc.a=3"
    )
    assert given == ["--tensor_parallel_size", "2", "--compilation-config", '{"a":3}']


TWICE: list[tuple[dict[str, Any], str]] = [
    ({"tp": 1, "tensor-parallel-size": 1}, "'tensor-parallel-size' and 'tp' are the same flag"),
    ({"max_num_seqs": 1, "--max-num-seqs": 1}, "'--max-num-seqs' and 'max_num_seqs' are the same flag"),
    ({"no-enable-lora": True, "enable-lora": True}, "'enable-lora' and 'no-enable-lora' are the same flag"),
    ({"O3": True, "O": 2}, "'O' and 'O3' are the same flag"),
    ({"O": {"a": 1}, "cc": {"b": 1}}, "'cc' and 'O' are the same flag"),
    ({"cc": {"a": 1}, "cc.a": 2}, "'cc.a' gives 'a' a value for the second time"),
    ({"cc.a": 1, "compilation-config.a": 1}, "'compilation-config.a' gives 'a' a value for the second time"),
    ({"cc.a": 1, "cc.a.b": 1}, "'cc.a.b' needs a mapping at 'a', which is given another value"),
    ({"cc.a.b": {"c": 1}, "cc.a": {"b": {"c": 2}}}, "'cc.a' gives 'c' a value for the second time"),
    ({"cc.a": 1, "cc.a+": 1}, "'cc.a+' adds to 'a', which is given another value than a list"),
    ({"cc": 3, "cc.a": 1}, "'cc.a' is a key of 'cc', whose value is no mapping"),
    ({"cc..a": 1}, "'cc..a' has an empty key between or after its dots"),
    ({"cc.": 1}, "'cc.' has an empty key between or after its dots"),
    ({"--port": 1}, "'--port' is set by server.port"),
    ({"O3": 2}, "'O3' says it all and takes no value"),
    ({"no-enable-lora": False}, "'no-enable-lora' says it all and takes no value"),
    ({"served-model-name": []}, "'served-model-name' wants at least one value; null leaves the flag out"),
    ({"middleware": []}, "'middleware' wants at least one value"),
    ({"x": [-0.5, 1]}, "'-0.5' in the list of 'x' would be taken for another flag"),
    ({"served_model_name": ["a", "-b"]}, "'-b' in the list of 'served_model_name' would be taken for another flag"),
    ({"ssl-certfile": "/c"}, "'ssl-certfile' is not for orch: orch and the benchmark client speak http"),
    ({"ssl_keyfile": "/c"}, "leave TLS to a proxy before it"),
    ({"headless": True}, "a headless server has no API"),
    ({"asc": 0}, "a headless server has no API"),
    ({"uds": "/s"}, "not through a socket file"),
    ({"grpc": True}, "orch checks the server and measures it over http"),
    ({"h": True}, "it prints a text and ends"),
    ({"model-tag": "/n"}, "'model-tag' is set by server.model"),
    ({"por": 9001}, "'por' is short for 'port', which is set by server.port"),
    ({"ho": "::"}, "'ho' is short for 'host', which is set by server.host"),
    (
        {"served-model-name": "chat coder"},
        'and a text is one of them; write [chat, coder], or ["chat coder"] if it is one',
    ),
    ({"logits-processors": "a.b:C d.e:F"}, "write [a.b:C, d.e:F]"),
]


def a_profile(flags: dict[str, Any], image: str = "vllm:0.8.5", **server: Any) -> Profile:
    bench = {"lengths": [[8, 8]], "num_prompts": 700, "repetitions": 2}
    whole = {"model": "/m", "flags": flags, **server}
    return Profile.model_validate({"name": "p", "container": {"image": image}, "server": whole, "bench": bench})


@pytest.mark.parametrize(("flags", "problem"), TWICE, ids=lambda value: str(value)[:40])
def test_what_cannot_be_said_of_a_flag_is_refused_with_the_way_out(flags: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=r"server\.flags") as caught:
        a_profile(flags)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "flags",
    [
        {"headless": False, "ssl-certfile": None, "api-server-count": 2, "no-grpc": True},
        {"middleware": ["a", "-b"], "x": [-1, 2], "allowed-origins": []},
        {"cc": None, "cc.a": 1, "cc.b+": [1], "cc.b": [0]},
        {"x": "--"},
        {"served-model-name": ["chat coder"], "chat-template": "a b", "hosted": 1},
        {"lora-modules": '{"name": "a", "path": "/b c"}'},
    ],
)
def test_what_does_no_harm_is_taken(flags: dict[str, Any]) -> None:
    assert a_profile(flags).server.flags == flags


REMARKS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("vllm:0.8.5", {"trust-remote-code": "yes"}, ["trust-remote-code: is a switch and takes no value; write true, or null to leave it out"]),
    ("vllm:latest-1", {"enforce_eager": "yes"}, []),
    ("vllm:0.33.0", {"enforce_eager": "yes"}, ["enforce_eager: is a switch and takes no value; write true, or null to leave it out"]),
    ("vllm:0.8.5", {"trust-remote-code": False}, ["trust-remote-code: has no form --no-trust-remote-code; null leaves the flag out"]),
    ("vllm:0.33.0", {"trust-remote-code": False}, []),
    ("vllm:0.8.5", {"max-model-len": 1e5}, ["max-model-len: is '100000.0', but must be a whole number, or one such as 8k; write 100000"]),
    ("x:1", {"max-num-seqs": 1e5}, ["max-num-seqs: is '100000.0', but must be a whole number; write 100000"]),
    ("x:1", {"max-num-seqs": "1k"}, ["max-num-seqs: is '1k', but must be a whole number"]),
    ("vllm:0.8.5", {"max-num-batched-tokens": "8k"}, ["max-num-batched-tokens: is '8k', but must be a whole number"]),
    ("vllm:0.14.1", {"max-num-batched-tokens": "8k", "max-model-len": "auto"}, []),
    ("x:1", {"chat-template": ""}, ["chat-template: is an empty text, which the server is given; null leaves it out"]),
    ("x:1", {"chat-template": "/t/${http_proxy}"}, ["chat-template: has a $ variable in it, which no shell reads: it is passed on as it stands; write its value"]),
    ("x:1", {"hf-overrides": {"a": ["$B"]}}, ["hf-overrides: has a $ variable in it, which no shell reads: it is passed on as it stands; write its value"]),
    ("x:1", {"chat-template": "5$ and $(date +%s)"}, []),
    ("x:1", {"chat-template": "$(TEMPLATE)"}, ["chat-template: has a $ variable in it, which no shell reads: it is passed on as it stands; write its value"]),
    ("x:1", {"max-num-seqs": True}, ["max-num-seqs: needs a value"]),
    ("x:1", {"max-num-seqs": [1, 2]}, ["max-num-seqs: takes one value, not 2"]),
    ("x:1", {"speculative-config": "{a: 1}"}, ["speculative-config: is not JSON; write it as a mapping"]),
    ("x:1", {"tp.x": 1}, ["tp.x: is '{\"x\":1}', but must be a whole number"]),
    ("vllm:0.11.2", {"ep": True}, ["ep: vLLM 0.11.2 has no -ep, which 0.14.1 has; write enable-expert-parallel"]),
    ("vllm:0.14.1", {"ep": True}, []),
    ("vllm:0.8.5", {"sc": {"a": 1}}, []),
    ("x:1", {"config": "/c.yaml"}, ["config: orch does not see what this file says; flags in server.flags win over it, and are checked"]),
    ("x:1", {"root_path": "/v"}, ["root_path: is for a proxy before the server; orch and the client ask without it"]),
    ("x:1", {"r": 1, "nnodes": 2}, ["r: orch starts one node's server alone; another rank than 0 has no API"]),
    ("x:1", {"r": 0}, []),
    ("x:1", {"O": "fast"}, ["O: is 'fast', but -O takes a level from 0 to 3; JSON is for compilation-config"]),
    ("vllm:0.11.2", {"O": '{"level": 3}'}, []),
    ("vllm:0.14.1", {"O": '{"level": 3}'}, ["O: is '{\"level\": 3}', but -O takes a level from 0 to 3; JSON is for compilation-config"]),
    ("vllm:0.11.2", {"O": True}, ["O: is 'true', but -O takes a level from 0 to 3; JSON is for compilation-config"]),
    ("vllm:0.14.1", {"O3": True}, []),
    ("x:1", {"O.x": 1}, []),
    ("x:1", {"tensor_par": 2}, ["tensor_par: may be an abbreviation of tensor-parallel-size, as which orch does not know it; write the name in full"]),
    ("x:1", {"of-a-vendor": 2}, []),
    ("x:1", {"chat-template": "--"}, ["chat-template: is '--', which the parser drops where its Python is older than 3.13"]),
]  # fmt: skip


@pytest.mark.parametrize(("image", "flags", "expected"), REMARKS, ids=lambda value: str(value)[:40])
def test_what_a_server_would_refuse_or_mistake_is_remarked_on_offline(
    image: str, flags: dict[str, Any], expected: list[str]
) -> None:
    remarks = [f"{remark.key}: {remark.text}" for remark in lint(a_profile(flags, image))]
    assert [line for line in remarks if line.startswith("server.")] == [f"server.flags.{line}" for line in expected]


def test_a_shell_s_variable_in_the_model_or_the_environment_is_remarked_on_without_its_value() -> None:
    profile = a_profile({}, env={"http_proxy": "${HTTP_PROXY}"}, model="/m/$NAME")
    told = {remark.key: remark.text for remark in lint(profile) if "$ variable" in remark.text}
    assert told.keys() == {"server.model", "server.env.http_proxy"}
    assert not any("HTTP_PROXY" in text or "NAME" in text for text in told.values())


@pytest.mark.parametrize("spelling", ["tp", "-tp", "--tp", "tensor_parallel_size", "--tensor-parallel-size"])
@pytest.mark.parametrize("value", [4, "4"])
def test_what_looks_a_flag_up_finds_every_form_of_it(spelling: str, value: object) -> None:
    (shm,) = [remark.text for remark in lint(a_profile({spelling: value})) if remark.key == "container.shm_size"]
    assert shm.startswith("4 workers")


CLIENT: list[tuple[dict[str, Any], str]] = [
    ({"random-input": 300}, "'random-input' is short for 'random-input-len', which is set by bench.lengths"),
    ({"random_out": 30}, "'random_out' is short for 'random-output-len'"),
    ({"max-conc": 3}, "'max-conc' is short for 'max-concurrency', which is set by bench.concurrency"),
    ({"dataset": "/c.json"}, "'dataset' is short for 'dataset-name', which is set by bench.dataset.name"),
    ({"num-prompt": 30}, "'num-prompt' is short for 'num-prompts', which is set by bench.num_prompts"),
    ({"ready-check-timeout-sec": 1}, "is set by orch itself; leave it out"),
    ({"goodput": {"ttft": 300, "e2el": 4000}}, 'no mapping; write a list of them: ["ttft:300", "e2el:4000"]'),
    ({"goodput": "ttft:300,tpot:40"}, 'each one word: ["ttft:200", "tpot:50"]'),
    ({"goodput": ["ttft:300", "tpot:40 e2el:9"]}, "each one word"),
    ({"goodput": 300}, "each one word"),
    ({"header": {"X-Team": "a"}}, 'no mapping; write a list of them: ["X-Team=a"]'),
    ({"lora-modules": "chat coder"}, "write [chat, coder]"),
]


@pytest.mark.parametrize(("flags", "problem"), CLIENT, ids=lambda value: str(value)[:40])
def test_a_flag_of_the_client_that_says_what_a_key_says_or_not_what_it_seems_is_refused(
    flags: dict[str, Any], problem: str
) -> None:
    bench = {"lengths": [[8, 8]], "num_prompts": 700, "client_flags": flags}
    whole = {"name": "p", "container": {"image": "vllm:0.32.0"}, "server": {"model": "/m"}, "bench": bench}
    with pytest.raises(ValueError, match=r"bench\.client_flags") as caught:
        Profile.model_validate(whole)
    assert problem in str(caught.value)


def test_flags_of_the_client_that_begin_like_no_other_are_taken() -> None:
    flags = {"goodput": ["ttft:300", "tpot:4.5"], "header": "A=b c", "top-k": 4, "tokenizer": "/t", "label": "x"}
    bench = {"lengths": [[8, 8]], "num_prompts": 700, "client_flags": flags}
    whole = {"name": "p", "container": {"image": "vllm:0.32.0"}, "server": {"model": "/m"}, "bench": bench}
    made = Profile.model_validate(whole).bench
    assert made is not None
    assert made.client_flags == flags


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("{served-model-name: 4.70}", ["--served-model-name", "4.70"]),
        ("{served-model-name: [4.70, +3, 2.5]}", ["--served-model-name", "4.70", "+3", "2.5"]),
        ("{revision: 8e2, of-a-vendor: 7E1}", ["--revision", "8e2", "--of-a-vendor", "7E1"]),
        ("{gpu-memory-utilization: 0.80}", ["--gpu-memory-utilization", "0.8"]),
        ("{hf-overrides: {rope_theta: 5e5}}", ["--hf-overrides", '{"rope_theta":500000.0}']),
        ("{hf-overrides.rope_theta: 5e5}", ["--hf-overrides", '{"rope_theta":500000.0}']),
    ],
)
def test_a_number_is_passed_on_as_it_is_written_where_a_flag_takes_text(
    tmp_path: Path, written: str, argv: list[str]
) -> None:
    assert argv_of(tmp_path, "{}", written) == argv


@pytest.mark.parametrize("number", [2.5, 3, 1e-05, 1e16, 2.5e-07, 12345678901234567890])
def test_a_number_of_a_flag_of_any_kind_is_the_same_after_it_was_dumped(tmp_path: Path, number: float) -> None:
    profile = a_profile({"of-a-vendor": number, "served-model-name": [number, "b"]})
    (tmp_path / "p.yaml").write_text(dump_profile(profile), encoding="utf-8")
    assert load_profile("p", [tmp_path]).server.flags == profile.server.flags


def test_a_text_that_is_a_number_beyond_all_measure_is_one_fault_with_the_way_out(tmp_path: Path) -> None:
    text = f"{HEAD}server: {{model: m, flags: {{revision: 6e54321}}}}\n"
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profile("p", [tmp_path])
    (_, fault) = str(caught.value).splitlines()
    assert fault.endswith("server.flags.revision — the number is too large; put text, such as a revision, in quotes")
