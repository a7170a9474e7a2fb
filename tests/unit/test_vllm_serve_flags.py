"""Flags that come and go: each version is told what it does not know, what will go, and what takes its place."""

from __future__ import annotations

import pytest

from orchestrator.vllm.serve_flags import SERVE_FLAGS, absence, deprecation, serve_flag, show

LOGS = "gone since vLLM 0.17 and back in 0.33: leave it out, requests are not logged anyway"


def test_each_flag_has_one_row_that_says_what_to_do() -> None:
    names = [flag.name for flag in SERVE_FLAGS]
    assert len(names) == len(set(names))
    for flag in SERVE_FLAGS:
        assert "_" not in flag.name
        assert (flag.since is None) == (flag.before == "")
        assert (flag.gone is None) == (flag.instead == "")
        assert flag.since or flag.gone
        steps = [step for step in (flag.since, flag.deprecated, flag.gone, flag.back) if step]
        assert steps == sorted(set(steps))


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("disable-log-requests", "0.8.5", None),
        ("disable-log-requests", "0.16.2", None),
        ("disable-log-requests", "0.17.0", f"is {LOGS}"),
        ("disable_log_requests", "0.32.0+cpu", f"is {LOGS}"),
        ("disable-log-requests", "0.33.0", None),
        ("runner", "0.8.5+das.opt1", "is known since vLLM 0.10.1; before: use server.flags.task"),
        ("runner", "0.10.1", None),
        ("cuda-graph-sizes", "0.8.5", "is known since vLLM 0.9; before: leave it out"),
        ("cuda-graph-sizes", "0.12.0", None),
        ("cuda-graph-sizes", "0.13.0", "is gone since vLLM 0.13: use server.flags.cudagraph-capture-sizes"),
        ("max-model-len", "0.8.5", None),
        ("runner", "0.1.dev1", None),
        ("runner", "unknown", None),
    ],
)
def test_a_version_without_a_flag_is_known(name: str, version: str, expected: str | None) -> None:
    assert absence(name, version) == expected


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("disable_log_requests", "0.10.0", None),
        ("disable_log_requests", "0.10.1", f"is deprecated since vLLM 0.10.1, {LOGS}"),
        (
            "enable-reasoning",
            "0.9.2",
            "is deprecated since vLLM 0.9, gone since 0.10: give server.flags.reasoning-parser alone",
        ),
        ("disable-log-requests", "0.33.0", None),
        ("max-model-len", "0.32.0", None),
        ("task", "unknown", None),
    ],
)
def test_a_version_that_gives_notice_is_known(name: str, version: str, expected: str | None) -> None:
    said = deprecation(name, version)
    assert said == (expected and expected.replace("gone since vLLM 0.17 and back in 0.33", "gone since 0.17"))


def test_history_tells_both_ends() -> None:
    flag = serve_flag("cuda_graph_sizes")
    assert flag is not None
    assert flag.history() == (
        "is known since vLLM 0.9; before: leave it out; "
        "it is gone since vLLM 0.13: use server.flags.cudagraph-capture-sizes"
    )
    assert serve_flag("max-model-len") is None


def test_a_version_is_shown_as_people_write_it() -> None:
    assert [show(version) for version in ((0, 17, 0), (0, 10, 1), (1, 0, 0))] == ["0.17", "0.10.1", "1.0"]
