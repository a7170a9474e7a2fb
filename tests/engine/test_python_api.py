"""The jobs are a Python API: a script does the whole job, without a terminal, a command line or signals."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from engine.kit import containers

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

SCRIPT = """
import json, os, sys, threading
from orchestrator.jobs import bench, down, folders, load_profile, place, run, status, to_measure, up

def whole_job(name, told):
    with place(folders(os.environ), lambda event: told.append(event.id)) as here:
        profile = load_profile(name, here.folders.profiles)
        alone = run(here, profile)
        made = up(here, profile)
        listed, wanted = to_measure(here, None, None)
        healthy = status(here.engine, listed).healthy
        beside = bench(here, listed, wanted)
        _, ended = down(here.engine, made.name)
    return {"runs": [str(each.path) for each in (alone, beside)], "healthy": healthy, "url": made.api.url,
            "states": [each.manifest().state.value for each in (alone, beside)],
            "ended": [each.name for each in ended]}

said = {}
told = []
# No thread but the main one has signals.
thread = threading.Thread(target=lambda: said.update(whole_job(sys.argv[1], told)))
thread.start()
thread.join()
print(json.dumps({**said, "told": told}))
"""


def test_a_script_does_the_whole_job_in_a_thread_of_its_own(orch: Orch) -> None:
    name = orch.profile("scripted", server={"env": {"STUB_STARTUP_S": "1"}})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        env=orch.environ(),
        cwd=orch.folder,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert (said["states"], said["healthy"], said["ended"]) == (["done", "done"], True, [name])
    assert said["told"].count("run-opened") == 2
    assert said["told"].count("measurement-ended") == 2
    assert said["told"].count("torn-down") == 1
    assert containers.listed(name) == []
    for run in said["runs"]:
        with open(f"{run}/events.jsonl", encoding="utf-8") as journal:  # noqa: PTH123 - a text is at hand
            kinds = [json.loads(line)["event"] for line in journal]
        assert kinds.count("measurement-ended") == 1
    assert json.loads(orch.ok("results", "list", "--json"))["runs"]
