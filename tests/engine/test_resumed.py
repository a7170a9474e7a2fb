"""D1, D2, D3: a run that was killed goes on with exactly what is missing, and ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import STUB
from engine.kit.containers import docker
from engine.kit.files import manifest_in, record_in
from engine.kit.moments import assert_whole
from engine.kit.together import together

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch, Started

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

KILLS, SIDE_BY_SIDE = 50, 5
POINTS = {"lengths": [[8, 2], [8, 3], [8, 4], [8, 5], [8, 6], [8, 7]], "num_prompts": 2, "warmup": 0, "repetitions": 2}


def test_fifty_kills_while_writing_and_each_run_still_comes_out_whole(orch: Orch) -> None:
    """Each lane kills one run again and again, wherever it stands, and lets it go on until it is done."""
    done = together(lambda lane: kill_until_done(orch, lane), range(SIDE_BY_SIDE), SIDE_BY_SIDE)
    assert sum(kills for kills, _ in done.values()) >= KILLS
    whole = orch.profile("whole", bench=POINTS)
    orch.ok("run", whole)
    expected = summary(orch.run_of(whole))
    for _, folder in done.values():
        assert summary(folder) == expected


def kill_until_done(orch: Orch, lane: int) -> tuple[int, Path]:
    name = orch.profile(f"lane{lane}", bench=POINTS)
    orch.ok("up", name)
    chance, kills = random.Random(lane), 0
    started = orch.start("bench", "--name", name)
    while not list(orch.runs.glob(f"*-{name}-????")):
        assert started.process.poll() is None, started.err
        time.sleep(0.02)
    folder = orch.run_of(name)
    while kills < KILLS // SIDE_BY_SIDE:
        wait_for_news(folder, started)
        time.sleep(chance.uniform(0.0, 0.15))
        started.kill()
        kills += 1
        assert_whole(folder)
        before = finished(folder)
        started = orch.start("bench", "--resume", folder.name)
        while started.process.poll() is None and not (finished(folder) - before):
            time.sleep(0.02)
        if started.process.poll() is not None:
            assert started.process.returncode == 0, started.err
            drop_one(folder)
            started = orch.start("bench", "--resume", folder.name)
    started.wait()
    orch.ok("bench", "--resume", folder.name)
    assert_whole(folder)
    orch.ok("down", name)
    return kills, folder


def wait_for_news(folder: Path, started: Started) -> None:
    """Wait until the run writes something, so that kills fall among writes."""
    seen = written(folder)
    while started.process.poll() is None and written(folder) == seen:
        time.sleep(0.01)


def written(folder: Path) -> dict[Path, bytes]:
    """Return the records as they are; a folder that is set aside while they are looked at begins the look anew."""
    while True:
        try:
            return {path: path.read_bytes() for path in folder.rglob("record.json")}
        except FileNotFoundError:
            continue


TAKEN_BACK = {"came": "interrupted", "cause": {"id": "orch-killed", "fields": {}}}


def drop_one(folder: Path) -> None:
    """Take one finished measurement back, so that there is something to go on with."""
    victim = min(folder.glob("points/*/r1"))
    record = json.loads((victim / "record.json").read_bytes())
    (victim / "record.json").write_text(json.dumps({**record, "outcome": TAKEN_BACK}))


def finished(folder: Path) -> set[tuple[str, str]]:
    taken = {path: raw for path, raw in written(folder).items() if path.match("points/*/r?/record.json")}
    records = map(json.loads, taken.values())
    return {
        (record["point"], record["started"])
        for record in records
        if (record["outcome"] or {}).get("came") == "measured"
    }


def summary(folder: Path) -> list[tuple[Any, ...]]:
    """Return what a run did, without what differs from time to time: nothing missing, nothing twice."""
    manifest = manifest_in(folder)
    assert manifest["state"] == "done", manifest
    rows, seeds = [], []
    for point, repetition in manifest["measurements"]:
        record = record_in(folder / "points" / point / f"r{repetition}")
        metrics = record["metrics"]
        rows.append((point, repetition, record["state"], metrics["completed"], metrics["total_output_tokens"]))
        seeds.append(record["seed"])
    assert len(set(seeds)) == len(seeds), "no two send the same prompts, not even what is taken again"
    return rows


def test_resume_starts_a_server_only_if_one_is_missing(orch: Orch) -> None:
    name = orch.profile("alone", server={"env": {"STUB_TPOT_MS": "100"}}, bench=POINTS)
    started = orch.start("run", name)
    started.wait_for("[3/12]")
    started.kill()
    folder = orch.run_of(name)
    assert 2 <= len(finished(folder)) < 12
    before = finished(folder)
    done = orch("bench", "--resume", folder.name)
    assert done.returncode == 0, done.stderr
    assert "starting the container" in done.stderr
    assert "torn down" in done.stderr
    assert before <= finished(folder)
    assert len(finished(folder)) == 12
    again = orch("bench", "--resume", folder.name)
    assert (again.returncode, "nothing is missing" in again.stderr) == (0, True)


def test_resume_refuses_other_conditions_and_says_which(orch: Orch) -> None:
    name = orch.profile("changed", bench=POINTS)
    orch.ok("run", name)
    folder = orch.run_of(name)
    refused = orch("bench", name, "--resume", folder.name, "--set", "server.flags.max-num-seqs=4")
    assert refused.returncode == 2
    assert "server.flags.max-num-seqs: nothing → 4" in refused.stderr
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["members"][0]["image_id"] = "sha256:another"
    manifest["node"]["accelerators"] = ["Hygon 0x6320 0000:01:00.0"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused = orch("bench", "--resume", folder.name)
    assert refused.returncode == 2
    assert "image orch-stub:dev: sha256:another → sha256:" in refused.stderr
    assert "node.accelerators: " in refused.stderr


def test_a_deployment_of_another_image_by_the_same_tag_is_refused(orch: Orch) -> None:
    tag = f"orch-stub:{orch.prefix}"
    docker("tag", STUB, tag)
    basis = docker("create", STUB).strip()
    try:
        name = orch.profile("moved", container={"image": tag}, server={"env": {"STUB_TPOT_MS": "100"}}, bench=POINTS)
        started = orch.start("run", name)
        started.wait_for("[3/12]")
        started.kill()
        folder = orch.run_of(name)
        before = finished(folder)
        assert containers.left_after(name) == []
        docker("commit", "--change", "LABEL another=image", basis, tag)
        orch.ok("up", name)
        docker("tag", STUB, tag)
        refused = orch("bench", "--resume", folder.name)
        assert refused.returncode == 2
        assert f"image {tag}: sha256:" in refused.stderr
        orch.ok("down", name)
        assert finished(folder) == before
        orch.ok("bench", "--resume", folder.name)
        assert len(finished(folder)) == 12
    finally:
        docker("rm", basis)
        docker("rmi", "--force", tag)


def test_a_torn_record_is_not_trusted_and_measured_again(orch: Orch) -> None:
    name = orch.profile("torn", bench=POINTS)
    orch.ok("run", name)
    folder = orch.run_of(name)
    victim = min(folder.glob("points/*/r2"))
    (victim / "record.json").write_bytes((victim / "record.json").read_bytes()[:100])
    shown = orch("results", "show", folder.name)
    assert "not trusted: " in shown.stderr
    assert "is torn" in shown.stderr
    orch.ok("bench", "--resume", folder.name)
    assert (victim.parent / "r2.attempt-1" / "record.json").stat().st_size == 100
    assert len(finished(folder)) == 12


def test_a_run_of_the_past_goes_on_unless_its_profile_is_refused_by_now_and_that_is_said_first(orch: Orch) -> None:
    name = orch.profile("past", bench=POINTS)
    orch.ok("run", name)
    folder = orch.run_of(name)
    text = (folder / "profile.yaml").read_text(encoding="utf-8")
    for changed, told in (
        (text.replace("client_flags: {}", "client_flags: {ignore-eos: true}"), "'ignore-eos' is set by bench"),
        (text.replace("container:\n", "container:\n  extra: {shm-size: 1g}\n"), "container.extra — unknown key"),
        (text.replace("- 8\n    - 7\n", "- 8\n    - 9\n").replace("  - - 8\n    - 7\n", ""), "does not come to"),
    ):
        assert changed != text
        (folder / "profile.yaml").write_text(changed, encoding="utf-8")
        assert orch("bench", "--resume", folder.name).returncode == 0, "it is complete"
        for victim in folder.glob("points/*/r2/record.json"):
            victim.rename(victim.with_suffix(".kept"))
        refused = orch("bench", "--resume", folder.name)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
        for victim in folder.glob("points/*/r2/record.kept"):
            victim.rename(victim.with_suffix(".json"))
        orch.ok("results", "show", folder.name)
    (folder / "profile.yaml").write_text(re.sub(r"\bstall: .*", "stall: 1000000000000.0", text), encoding="utf-8")
    min(folder.glob("points/*/r2/record.json")).unlink()
    done = orch("bench", "--resume", folder.name)
    assert (done.returncode, "torn down" in done.stderr) == (0, True), done.stderr
    assert len(finished(folder)) == 12
