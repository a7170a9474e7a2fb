"""What the image's vLLM makes of a profile's flags, by its own parsers or by its version alone."""

from __future__ import annotations

from typing import Any

from orchestrator.lint.lint import lint
from orchestrator.profile.flags import FlagProblem, not_asked, refused, remarks, warnings
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.parser import ImageParsers, Option, Parser


def option(name: str, *, kind: Any = "text", deprecated: bool = False) -> Option:
    return Option(names=(f"--{name}",), nargs=None, choices=None, kind=kind, deprecated=deprecated)


SERVE = Parser(
    problem="",
    options=(
        option("max-model-len", kind="int"),
        option("dtype"),
        option("disable-log-requests"),
        option("old", deprecated=True),
    ),
)
BENCH = Parser(problem="", options=(option("burstiness", kind="float"),))
BROKEN = Parser(problem="ImportError: no module", options=())
ASKED = ImageParsers(python="3.11.2", vllm="0.32.0", serve=SERVE, bench=BENCH)


def a_profile(image: str = "x/vllm:0.32.0", client: str = "vllm", **flags: Any) -> Profile:
    client_flags = flags.pop("client_flags", {})
    bench = {"lengths": [[8, 8]], "num_prompts": 8, "client": client, "client_flags": client_flags}
    names = {name.replace("_", "-"): value for name, value in flags.items()}
    return Profile.model_validate(
        {"name": "p", "container": {"image": image}, "server": {"model": "/m", "flags": names}, "bench": bench}
    )


def test_flags_that_the_parsers_refuse_are_found_with_what_to_write() -> None:
    profile = a_profile(
        max_model_lenn=1, max_model_len="long", swap_space=4, O=3, dtype=None, client_flags={"burstyness": 2}
    )
    assert refused(profile, ASKED) == [
        FlagProblem(
            ("server", "flags", "max-model-lenn"),
            "unknown to the image's vLLM 0.32.0; did you mean 'max-model-len'?",
            of_value=False,
        ),
        FlagProblem(("server", "flags", "max-model-len"), "is 'long', but must be a whole number", of_value=True),
        FlagProblem(
            ("server", "flags", "swap-space"),
            "unknown to the image's vLLM 0.32.0; it is gone since vLLM 0.18: leave it out",
            of_value=False,
        ),
        FlagProblem(
            ("bench", "client_flags", "burstyness"),
            "unknown to the image's vLLM 0.32.0; did you mean 'burstiness'?",
            of_value=False,
        ),
    ]


def test_a_parser_that_knows_a_flag_is_believed_more_than_the_version() -> None:
    profile = a_profile(disable_log_requests="x", old="x")
    assert refused(profile, ASKED) == []
    gone = "gone since 0.17: leave it out, requests are not logged anyway"
    assert list(remarks(profile, ASKED)) == [
        ("server.flags.disable-log-requests", f"is deprecated since vLLM 0.10.1, {gone}"),
        ("server.flags.old", "is deprecated, says the parser of vLLM 0.32.0"),
    ]


def test_without_an_answer_the_version_that_the_image_names_counts() -> None:
    profile = a_profile(disable_log_requests=True, unheard_of=1, swap_space=None)
    gone = "it is gone since vLLM 0.17 and back in 0.33: leave it out, requests are not logged anyway"
    line = f"vLLM 0.32.0 does not know it; {gone}"
    assert list(remarks(profile)) == [("server.flags.disable-log-requests", line)]
    assert warnings(profile, None) == [f"server.flags.disable-log-requests — {line}"]
    assert any(remark.text == line for remark in lint(profile))
    assert list(remarks(a_profile("x/vllm:latest", disable_log_requests=True))) == []
    assert list(remarks(a_profile("x/vllm:0.9.2", disable_log_requests=True))) == []


def test_with_an_answer_refusals_come_first() -> None:
    assert warnings(a_profile(nothing_like_it=1), ASKED) == [
        "server.flags.nothing-like-it — unknown to the image's vLLM 0.32.0"
    ]


def test_what_cannot_be_asked_is_said_and_nothing_is_called_wrong() -> None:
    parsers = ASKED.model_copy(update={"serve": BROKEN, "bench": BROKEN})
    profile = a_profile(x=1, swap_space=4, client_flags={"x": 1})
    assert refused(profile, parsers) == []
    assert list(remarks(profile, parsers)) == [
        ("server.flags.swap-space", "vLLM 0.32.0 does not know it; it is gone since vLLM 0.18: leave it out")
    ]
    assert list(not_asked(profile, parsers)) == [
        ("server.flags", "cannot be checked, vllm serve's parser cannot be built: ImportError: no module"),
        ("bench.client_flags", "cannot be checked, vllm bench serve's parser cannot be built: ImportError: no module"),
    ]
    assert any("cannot be checked" in remark.text for remark in lint(profile, parsers))


def test_the_flags_of_a_script_are_left_to_the_script() -> None:
    profile = a_profile(client="/opt/benchmark_serving.py", client_flags={"x": 1})
    assert refused(profile, ASKED) == []
    assert list(not_asked(profile, ASKED)) == [
        ("bench.client_flags", "cannot be checked, /opt/benchmark_serving.py is not vllm bench serve")
    ]
    without_bench = Profile.model_validate({"name": "p", "container": {"image": "i:1"}, "server": {"model": "m"}})
    assert list(not_asked(without_bench, ASKED)) == []
