"""D2, D3, D7, T2: a study starts each server once, goes on after one that fails, and is resumed after a signal."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import PATIENCE_S
from engine.kit.files import manifest_in, record_in
from engine.kit.moments import assert_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.kit.command import Orch, Started

pytestmark = pytest.mark.engine

SEQS, DEATH, TPOT = "server.flags.max-num-seqs", "server.env.STUB_EXIT_PHASE", "server.env.STUB_TPOT_MS"


def manifests(folders: list[Path]) -> list[dict[str, Any]]:
    return [manifest_in(folder) for folder in folders]


def states(folders: list[Path]) -> list[str]:
    return [manifest["state"] for manifest in manifests(folders)]


def served_with(folder: Path) -> str:
    return str(manifest_in(folder)["deployment"]["docker_run"])


def test_each_server_is_started_once_and_one_table_shows_what_varied(orch: Orch) -> None:
    vary = {"axes": {SEQS: [2, 4], "server.env.A": ["x", "y"]}, "exclude": [{SEQS: 4, "server.env.A": "y"}]}
    name = orch.profile("two", vary=vary)
    planned = orch.json("plan", name)
    assert (planned["kind"], planned["server_starts"], planned["measurements"]) == ("study-plan", 3, 3)
    assert "# Study: 3 server starts, in this order" in orch.ok("run", name, "--dry-run")
    done = orch("run", name)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("torn down") == 3
    folders = orch.study_of(name)
    expected = [{SEQS: "2", "server.env.A": "x"}, {SEQS: "2", "server.env.A": "y"}, {SEQS: "4", "server.env.A": "x"}]
    told = manifests(folders)
    assert [item["varied"] for item in told] == expected
    assert len({item["deployment"]["container"] for item in told}) == 3
    for item, folder in zip(expected, folders, strict=True):
        assert f"env A={item['server.env.A']} vllm" in served_with(folder)
        assert f"--max-num-seqs {item[SEQS]} " in f"{served_with(folder)} "
    study = told[0]["study"]
    assert [item["id"] for item in told] == [f"{study}-0{number}" for number in (1, 2, 3)]
    heading, _, *rows = [line.split() for line in done.stdout.splitlines()[1:] if line.strip()]
    assert heading[:3] == ["max-num-seqs", "A", "batch"]
    assert [row[:3] for row in rows[:3]] == [["2", "x", "2"], ["2", "y", "2"], ["4", "x", "2"]]
    assert [row[:4] for row in rows[3:] if "against" in row] == [
        ["max-num-seqs=2", "A=y", "against", "max-num-seqs=2"], ["max-num-seqs=4", "A=x", "against", "max-num-seqs=2"],
    ]  # fmt: skip
    for meant in (study, study[:-2], None):
        assert orch.ok("results", "show", *filter(None, [meant])) == done.stdout
    shown = orch.json("results", "show", study)
    assert (shown["kind"], shown["study"], shown["varied"]) == ("study", study, [SEQS, "server.env.A"])
    assert [run["results"][0][SEQS] for run in shown["runs"]] == ["2", "2", "4"]
    wide = list(csv.DictReader(io.StringIO(orch.ok("results", "csv", study))))
    assert [(row[SEQS], row["server.env.A"], row["run"], row["state"]) for row in wide] == [
        (item[SEQS], item["server.env.A"], folder.name, "done") for item, folder in zip(expected, folders, strict=True)
    ]
    listed = orch.json("results", "list")["runs"]
    assert [(row["study"], row["varied"]) for row in listed] == [(study, item) for item in expected]
    alone = orch.json("results", "show", folders[2].name)
    assert (alone["kind"], alone["manifest"]["id"]) == ("run", folders[2].name)


def test_a_study_says_of_each_server_how_closely_the_means_are_known(orch: Orch) -> None:
    shown = orch.ok("run", orch.profile("means", bench={"repetitions": 2}, vary={"axes": {SEQS: [2, 4]}}))
    said = [line for line in shown.splitlines() if "(95% confidence interval of the mean, 2 repetitions" in line]
    assert [line.partition(": ")[0] for line in said] == ["max-num-seqs=2", "max-num-seqs=4"]


def test_a_run_of_a_study_can_be_made_again_from_its_own_profile(orch: Orch) -> None:
    name = orch.profile("again", vary={"axes": {SEQS: [2, 4]}})
    orch.ok("run", name)
    _, second = orch.study_of(name)
    told = orch.json("run", second / "profile.yaml")
    assert told["kind"] == "run"
    assert "--max-num-seqs 4" in told["manifest"]["deployment"]["docker_run"]


def test_a_server_that_dies_at_its_start_does_not_end_the_others(orch: Orch) -> None:
    name = orch.profile(
        "dies", vary={"axes": {DEATH: [None, "memory", None], SEQS: [2, 3, 4]}, "linked": [[DEATH, SEQS]]}
    )
    done = orch("run", name, "--json")
    assert done.returncode == 1
    folders = orch.study_of(name)
    assert states(folders) == ["done", "failed", "done"]
    assert "exited with code 1" in manifests(folders)[1]["reason"]
    assert "exited with code 1" in done.stderr
    assert (
        f"STUB_EXIT_PHASE=memory max-num-seqs=3:\n  failed: {manifests(folders)[1]['reason'].splitlines()[0]}"
        in done.stderr
    )
    told = json.loads(done.stdout)
    assert [len(run["results"]) for run in told["runs"]] == [1, 0, 1]
    wide = list(csv.DictReader(io.StringIO(orch.ok("results", "csv", told["study"]))))
    assert [(row[SEQS], row[DEATH], row["state"]) for row in wide] == [
        ("2", "", "done"),
        ("3", "memory", "failed"),
        ("4", "", "done"),
    ]
    again = orch("bench", "--resume", told["study"])
    assert again.returncode == 1
    assert "server 1 of 1: STUB_EXIT_PHASE=memory max-num-seqs=3" in again.stderr
    assert states(folders) == ["done", "failed", "done"]
    assert containers.listed(name) == []


def test_an_image_that_is_missing_does_not_end_the_others(orch: Orch) -> None:
    name = orch.profile("image", vary={"axes": {"container.image": ["orch-absent:none", "orch-stub:dev"]}})
    done = orch("run", name)
    assert done.returncode == 1
    folders = orch.study_of(name)
    assert states(folders) == ["failed", "done"]
    assert manifests(folders)[0]["reason"] == "the image orch-absent:none is not on this node"


@pytest.mark.parametrize(
    ("number", "cause"), [(signal.SIGTERM, "orch received SIGTERM"), (signal.SIGKILL, "orch was killed")]
)
def test_a_signal_in_the_second_run_leaves_nothing_and_resume_takes_the_rest(
    number: signal.Signals, cause: str, orch: Orch
) -> None:
    bench = {"lengths": [[8, 1], [8, 64]], "num_prompts": 2, "warmup": 0}
    name = orch.profile("cut", bench=bench, vary={"axes": {TPOT: ["1", "200", "2"]}})
    started = orch.start("run", name)
    started.wait_for("server 2 of 3")
    wait_until(started, lambda: len(done_records(orch.study_of(name)[1])) == 1)
    folders = orch.study_of(name)
    listed = orch.json("results", "list")["runs"]
    assert [row["state"] for row in listed] == ["done", "running", "planned"], "looking ends nothing"
    started.signal(number)
    started.wait()
    assert containers.left_after(orch.prefix) == []
    study = listed[0]["study"]
    orch.ok("results", "show", study)
    told = manifests(folders)
    assert [item["state"] for item in told] == ["done", "interrupted", "interrupted"]
    assert [item["reason"] for item in told[1:]] == [
        cause,
        cause if number is signal.SIGKILL else f"not begun: {cause}",
    ]
    assert (f"go on with it: orch bench --resume {study}" in started.err) == (number is not signal.SIGKILL)
    finished = {path: path.stat().st_mtime_ns for folder in folders for path in done_records(folder)}
    assert len(finished) == 3
    resumed = orch.json("bench", "--resume", study)
    assert states(folders) == ["done"] * 3
    assert [len(run["results"]) for run in resumed["runs"]] == [2, 2, 2]
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    for folder in folders:
        assert_whole(folder)
    again = orch("bench", name, "--resume", study)
    assert (again.returncode, "nothing is missing" in again.stderr) == (0, True)
    for values, told_of in (("['1']", f"is of 3 servers, the profile {name} of 1"), ("[1, 9, 2]", 'MS: "200" → "9"')):
        refused = orch("bench", name, "--resume", study, "--set", f"vary.axes.{TPOT}={values}")
        assert (refused.returncode, told_of in refused.stderr) == (2, True), refused.stderr


def wait_until(started: Started, happened: Callable[[], bool]) -> None:
    """Wait until something has happened while a command goes on."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert started.process.poll() is None, started.err
        assert time.monotonic() < end, started.err
        time.sleep(0.05)


def done_records(folder: Path) -> list[Path]:
    found = folder.glob("points/*/r?/record.json")
    return [path for path in found if record_in(path.parent)["state"] == "done"]


def test_up_and_bench_want_one_server(orch: Orch) -> None:
    name = orch.profile("many", vary={"axes": {SEQS: [2, 4]}})
    for command in ("up", "bench"):
        refused = orch(command, name)
        assert refused.returncode == 2
        assert f"the profile {name} varies: it comes to 2 servers" in refused.stderr
        assert f"orch run PROFILE   One of them: --set vary= --set {SEQS}=…" in refused.stderr
    one = orch.profile("one", server={"flags": {"max-num-seqs": 2}})
    orch.ok("up", one)
    refused = orch("bench", "--name", one, "--set", f"vary.axes.{SEQS}=[2, 4]")
    assert (refused.returncode, "comes to 2 servers" in refused.stderr) == (2, True)
    orch.ok("down", one)
    orch.ok("up", name, "--set", f"vary.axes.{SEQS}=[2]")
    orch.ok("bench", name, "--name", name, "--set", f"vary.axes.{SEQS}=[2]")
    orch.ok("down", name)


def test_a_search_goes_over_each_server(orch: Orch) -> None:
    name = orch.profile(
        "search",
        server={"env": {"STUB_CAPACITY": "2", "STUB_TTFT_MS": "20"}},
        bench={"lengths": [[8, 2]], "prompts_per_concurrency": 4, "num_prompts": None, "warmup": 0},
        vary={"axes": {"server.env.STUB_TPOT_MS": ["1", "400"], DEATH: [None, None, "memory"]}},
    )
    options = ("--slo", "p90_tpot_ms<200", "--to", "2", "--repetitions", "1")
    done = orch("search", name, *options, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["kind"] == "search-study"
    assert [(row["varied"][TPOT], row["varied"][DEATH], row["state"]) for row in told["variants"]] == [
        ("1", None, "done"),
        ("1", "memory", "failed"),
        ("400", None, "done"),
        ("400", "memory", "failed"),
    ]
    assert [row["found"] and row["found"]["capacity"] for row in told["variants"]] == [2, None, None, None]
    assert told["variants"][0]["found"]["goodput"] > 0
    shown = orch("search", name, *options, "--set", f"vary.axes.{DEATH}=")
    assert shown.returncode == 0
    assert shown.stdout.split("\n")[1].split() == ["STUB_TPOT_MS", "concurrency", "goodput", "statement"]
    assert "the highest concurrency that meets the objectives is 2" in shown.stdout
    assert "but 2 of 2 measurements at concurrency 2 are SUSPECT (" in shown.stdout, "they are too short"
    assert "not even the lowest concurrency that was tried meets the objectives" in shown.stdout
