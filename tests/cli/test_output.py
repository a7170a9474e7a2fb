"""C2: data on standard output, everything else on standard error; JSON is JSON everywhere; colours are for people."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from engine.kit.command import EXECUTABLE
from engine.kit.terminal import COLOUR, CONTROL, in_terminal
from samples import a_manifest, a_profile

from orchestrator.runs.directory import create_run
from orchestrator.runs.format.records import RunState

if TYPE_CHECKING:
    from engine.kit.command import Orch

TWO_SERVERS = ("--set", "vary.axes.server.flags.max-num-seqs=[2, 32]")
REPORTS = {
    ("plan", "cpu-tiny"): "plan",
    ("plan", "ds-671b-awq"): "plan",
    ("plan", "cpu-tiny", *TWO_SERVERS): "study-plan",
    ("up", "cpu-tiny", "--dry-run"): "plan",
    ("run", "cpu-tiny", "--dry-run"): "plan",
    ("profile", "list"): "profiles",
    ("profile", "show", "cpu-tiny"): "profile",
    ("profile", "show", "--resolved", "ds-671b-awq"): "profile",
    ("profile", "lint", "cpu-tiny", "ds-671b-awq"): "lint",
    ("results", "list"): "runs",
}
"""Commands that report without an engine, and what their JSON is called."""
TABLES = (("profile", "list"), ("results", "list"), ("profile", "lint", "ds-671b-awq"), ("plan", "cpu-tiny"))


@pytest.mark.parametrize("args", REPORTS, ids=" ".join)
def test_json_is_json_also_in_a_terminal_with_forced_colours(args: tuple[str, ...], orch: Orch) -> None:
    piped = orch(*args, "--json")
    assert piped.returncode == 0, piped.stderr
    document = json.loads(piped.stdout)
    assert (document["schema_version"], document["kind"]) == (2, REPORTS[args])
    assert list(document)[:2] == ["schema_version", "kind"]
    shown = in_terminal(orch, *args, "--json", errors=False, FORCE_COLOR="1", CLICOLOR_FORCE="1")
    assert json.loads(shown.text) == document
    assert shown.code == 0


def test_the_plan_of_a_study_tells_what_varies_how_often_a_server_starts_and_each_command(orch: Orch) -> None:
    lines = orch.ok("plan", "cpu-tiny", *TWO_SERVERS).splitlines()
    assert lines[2:5] == [
        "# Study: 2 server starts, in this order",
        "# 1. max-num-seqs=2: 4 measurements",
        "# 2. max-num-seqs=32: 4 measurements",
    ]
    assert lines[5].startswith("# Estimated time of all: about 11m ")
    assert [line for line in lines if line.startswith("# ----")] == [
        "# ---- Server 1 of 2: max-num-seqs=2",
        "# ---- Server 2 of 2: max-num-seqs=32",
    ]
    told = orch.json("plan", "cpu-tiny", *TWO_SERVERS)
    assert [item["serve"] in lines for item in told["variants"]] == [True, True]
    assert "--max-num-seqs 32" in told["variants"][1]["serve"]
    assert told["estimate_s"]["total"] == sum(item["estimate_s"]["total"] for item in told["variants"])


def test_remarks_are_made_on_every_server_of_a_study_each_once(orch: Orch) -> None:
    told = orch.ok("profile", "lint", "cpu-tiny", *TWO_SERVERS).splitlines()
    assert len(set(told)) == len(told)
    assert [line for line in told if "2 is less than the 4 requests in flight" in line]


def test_the_schema_is_json(orch: Orch) -> None:
    assert json.loads(orch.ok("profile", "schema"))["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("args", TABLES, ids=" ".join)
def test_a_pipe_gets_no_control_characters_even_if_colours_are_forced(args: tuple[str, ...], orch: Orch) -> None:
    env = {**orch.environ(), "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}
    done = orch(*args, env=env)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout == orch.ok(*args)


@pytest.mark.parametrize("args", TABLES, ids=" ".join)
def test_no_color_means_no_colour(args: tuple[str, ...], orch: Orch) -> None:
    assert not COLOUR.search(in_terminal(orch, *args, NO_COLOR="1", FORCE_COLOR="1").text)


@pytest.mark.parametrize("args", TABLES, ids=" ".join)
def test_a_dumb_terminal_gets_plain_text(args: tuple[str, ...], orch: Orch) -> None:
    assert "\x1b" not in in_terminal(orch, *args, TERM="dumb").text


def test_an_empty_no_color_does_not_count(orch: Orch) -> None:
    plain = in_terminal(orch, "profile", "list").text
    assert in_terminal(orch, "profile", "list", NO_COLOR="").text == plain


def test_a_narrow_terminal_loses_no_word(orch: Orch) -> None:
    shown = CONTROL.sub("", in_terminal(orch, "profile", "list", width=60).text)
    assert "…" not in shown
    joined = "".join(shown.split())
    for row in orch.json("profile", "list")["profiles"]:
        assert row["name"] in joined


def test_remarks_do_not_mix_with_data(orch: Orch) -> None:
    done = orch("profile", "show", "cpu-tiny")
    assert done.stderr.startswith("# /")
    assert done.stdout.startswith("# yaml-language-server")
    assert orch("plan", "cpu-tiny").stderr == ""
    assert orch("plan", "cpu-tiny", "--json").stderr == ""


@pytest.mark.parametrize(
    "args",
    [
        ("profile", "schema"), ("profile", "list"), ("profile", "list", "--json"), ("plan", "ds-671b-awq"),
        ("plan", "ds-671b-awq", "--json"), ("results", "list"), ("--help",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_reader_that_goes_away_ends_it_like_any_other_program(args: tuple[str, ...], orch: Orch) -> None:
    with subprocess.Popen(
        [EXECUTABLE, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=orch.environ(),
        cwd=orch.folder,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")


def test_a_full_disk_at_standard_output_is_an_error(orch: Orch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [EXECUTABLE, "profile", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=orch.environ(),
            cwd=orch.folder,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "fault of orch itself" not in done.stderr


def test_a_plan_says_how_often_points_are_measured_where_the_results_decide(orch: Orch) -> None:
    sets = ("--set", "bench.repetitions.auto.width=0.1", "--set", "bench.lengths=[[64, 16]]")
    text = orch.ok("plan", "cpu-tiny", *sets)
    assert "5 to 10 times, until its mean output_throughput is known to ±10 %; the first 5 are listed" in text
    document = orch.json("plan", "cpu-tiny", *sets)
    assert [item["repetition"] for item in document["measurements"]] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    estimate = document["estimate_s"]
    assert 0.9 * estimate["measuring"] < estimate["further"] < estimate["measuring"], "five more, without warm-ups"
    assert "times, until" not in orch.ok("plan", "cpu-tiny")


def test_a_number_of_repetitions_that_is_none_is_told_what_there_is(orch: Orch) -> None:
    done = orch("plan", "cpu-tiny", "--set", "bench.repetitions=often")
    assert done.returncode == 2
    assert "must be a whole number, or auto" in done.stderr


def test_a_run_that_came_to_nothing_says_why_and_its_table_has_a_header(orch: Orch) -> None:
    orch.runs.mkdir()
    manifest = a_manifest(state=RunState.FAILED, reason="the server exited\n  cause: out-of-memory")
    run = create_run(orch.runs, a_profile(), manifest).path.name
    shown = orch("results", "show", run)
    assert shown.returncode == 0
    assert shown.stderr.startswith("failed: the server exited\n  cause: out-of-memory\nrun: ")
    table = orch("results", "csv", run)
    (header,) = table.stdout.splitlines()
    assert header.startswith("run,profile,point,repetition,state,")
    assert table.stderr == "failed: the server exited\n  cause: out-of-memory\n"
