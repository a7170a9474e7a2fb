"""`up`, `status`, `bench`, `logs`, `ps`, `down` and `run`: the whole job on a server that does as it should."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from engine.kit import containers
from engine.kit.files import manifest_in, record_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

POINTS = {"lengths": [[8, 4], [16, 4]], "concurrency": [1, 2], "num_prompts": 4, "warmup": 1, "deadline": "2m"}
GUIDE = (
    "tp,data_type,batch,prompt_tokens,completion_tokens,TOTAL_THROUGHPUT(toks/s),generate_throughput(toks/s),"
    "TTFT(ms),TPOT(ms),ITL(ms)"
)
LONG_PHASES = (
    "getting the image", "starting the container", "starting vLLM", "loading weights", "sizing the KV cache",
    "capturing graphs", "opening the port", "ready",
)  # fmt: skip


@pytest.fixture(scope="module")
def deployment(module_orch: Orch) -> Iterator[str]:
    """Bring up what the tests of this module look at."""
    name = module_orch.profile("shown", server={"flags": {"dtype": "float16"}}, bench=POINTS)
    module_orch.ok("up", name)
    yield name
    module_orch.ok("down", name)


@pytest.fixture(scope="module")
def measured(module_orch: Orch, deployment: str) -> dict[str, Any]:
    """Run a sweep against it."""
    return module_orch.json("bench", "--name", deployment)


def test_up_reports_each_phase_in_order_and_where_the_server_is(orch: Orch) -> None:
    name = orch.profile("phases", server={"env": {"STUB_STARTUP_S": "2"}})
    done = orch("up", name)
    assert done.returncode == 0, done.stderr
    found = [line.split("s  ", 1)[1] for line in done.stderr.splitlines()]
    assert [phase for line in found for phase in LONG_PHASES if line.startswith(phase)] == list(LONG_PHASES)
    port = containers.inspect(f"orch-{name}")["HostConfig"]["PortBindings"]
    assert done.stdout == f"{name} is up at http://127.0.0.1:{next(iter(port)).partition('/')[0]} (vLLM 0.32.0)\n"
    assert orch.ok("down", name) == f"{name} is down\n"
    assert containers.listed(name) == []


def test_up_a_second_time_does_nothing_and_says_so(module_orch: Orch, deployment: str) -> None:
    before = containers.only(deployment)
    done = module_orch("up", deployment, "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "healthy")
    assert f"{deployment} is up already" in done.stderr
    assert containers.only(deployment) == before


def test_up_with_another_profile_under_the_same_name_is_refused(module_orch: Orch, deployment: str) -> None:
    before = containers.only(deployment)
    done = module_orch("up", deployment, "--set", "server.flags.dtype=bfloat16")
    assert done.returncode == 75
    assert done.stderr.splitlines()[-2:] == [
        f"orch: the deployment {deployment} exists (running, until orch down)",
        f"      orch down {deployment}   or choose another name with --name",
    ]
    assert containers.only(deployment) == before


def test_status_tells_how_it_is(module_orch: Orch, deployment: str) -> None:
    told = module_orch.json("status", deployment)
    seen = containers.only(deployment)
    assert told["kind"] == "status"
    assert told["name"] == told["profile"] == deployment
    assert (told["healthy"], told["status"], told["exit_code"], told["oom_killed"]) == (True, "running", None, False)
    assert (told["model"], told["vllm_version"]) == ("/opt/models/stub", "0.32.0")
    assert seen.id.startswith(told["container"])
    assert told["held"] == "until orch down"
    text = module_orch.ok("status", deployment)
    assert "healthy      True" in text
    assert told["url"] in text


def test_ps_lists_it(module_orch: Orch, deployment: str) -> None:
    rows = [row for row in module_orch.json("ps")["deployments"] if row["name"] == deployment]
    assert len(rows) == 1
    assert (rows[0]["status"], rows[0]["owned"], rows[0]["until"]) == ("running", False, None)
    line = next(line for line in module_orch.ok("ps").splitlines() if deployment in line)
    assert "running" in line
    assert "until orch down" in line


def test_logs_are_the_servers_own(module_orch: Orch, deployment: str) -> None:
    whole = module_orch.ok("logs", deployment)
    assert "Automatically detected platform" in whole
    assert {*containers.docker("logs", "--tail", "5", f"orch-{deployment}").splitlines()} <= {*whole.splitlines()}
    assert module_orch.ok("logs", deployment, "--tail", "1").count("\n") == 1
    assert module_orch.ok("logs", deployment, "-n", "0") == ""


def test_logs_can_be_followed_to_the_end_of_the_container(orch: Orch) -> None:
    name = orch.profile("followed", server={"env": {"STUB_LOG_FLOOD_LINES_PER_S": "50"}})
    orch.ok("up", name)
    following = orch.start("logs", name, "--follow")
    while "line 20 of a log flood" not in following.out:
        assert following.process.poll() is None
    orch.ok("down", name)
    assert following.wait() == 0
    assert following.out.startswith("(APIServer pid=")


def test_bench_measures_every_point_in_order(measured: dict[str, Any], deployment: str) -> None:
    rows = measured["results"]
    asked = [(1, 8, 4), (1, 16, 4), (2, 8, 4), (2, 16, 4)]
    assert [(row["max_concurrency"], row["input_len"], row["output_len"]) for row in rows] == asked
    for row in rows:
        assert (row["state"], row["reasons"], row["completed"], row["failed"]) == ("done", None, 4, 0)
        assert row["total_output_tokens"] == 16
        assert row["total_input_tokens"] == 4 * row["input_len"]
        assert row["mean_ttft_ms"] > 0
        assert row["mean_tpot_ms"] > 0
        assert row["p99_e2el_ms"] >= row["p50_e2el_ms"] > 0
    manifest = measured["manifest"]
    assert (manifest["state"], manifest["reason"], manifest["dtype"]) == ("done", "", "float16")
    facts = manifest["deployment"]
    assert facts["name"] == deployment
    assert facts["launch"] == containers.only(deployment).launch
    assert facts["image_id"] == containers.inspect("orch-stub:dev")["Id"]
    assert facts["client_version"] == facts["vllm_version"] == "0.32.0"


def test_a_run_directory_holds_everything(measured: dict[str, Any], module_orch: Orch, deployment: str) -> None:
    path = module_orch.run_of(deployment)
    assert str(path) == measured["path"]
    assert (path / "logs" / "server.log").read_text(encoding="utf-8").startswith("(APIServer pid=")
    warmed = [record_in(record.parent) for record in path.glob("warmup/*/record.json")]
    assert {record["state"] for record in warmed} == {"done"}
    assert len(warmed) == len({row["point"] for row in measured["results"]})
    for point, repetition in measured["manifest"]["measurements"]:
        folder = path / "points" / point / f"r{repetition}"
        record = record_in(folder)
        result = json.loads((folder / "result.json").read_bytes())
        assert record["metrics"]["output_throughput"] == result["output_throughput"]
        assert "Serving Benchmark Result" in (folder / "client.log").read_text(encoding="utf-8")
        assert record["argv"][:3] == ["vllm", "bench", "serve"]
    seeds = {row["seed"] for row in measured["results"]}
    assert len(seeds) == len(measured["results"])


def test_results_are_listed_shown_and_written_as_csv(
    measured: dict[str, Any], module_orch: Orch, deployment: str
) -> None:
    run = measured["manifest"]["id"]
    listed = [row for row in module_orch.json("results", "list")["runs"] if row["id"] == run]
    assert [(row["state"], row["done"], row["planned"]) for row in listed] == [("done", 4, 4)]
    assert run in module_orch.ok("results", "list")
    assert module_orch.json("results", "show", run)["results"] == measured["results"]
    assert module_orch.json("results", "show", run[:-1])["path"] == measured["path"]
    assert "16/4" in module_orch.ok("results", "show", run)
    wide = list(csv.DictReader(io.StringIO(module_orch.ok("results", "csv", run))))
    assert [float(row["output_throughput"]) for row in wide] == [
        row["output_throughput"] for row in measured["results"]
    ]
    assert (module_orch.run_of(deployment) / "summary.csv").read_text() == module_orch.ok("results", "csv", run)
    guide = module_orch.ok("results", "csv", run, "--guide").splitlines()
    assert guide[0] == GUIDE
    assert [line.split(",")[:5] for line in guide[1:]] == [
        ["1", "float16", str(batch), str(prompt), "4"] for batch, prompt in ((1, 8), (1, 16), (2, 8), (2, 16))
    ]


def test_bench_takes_another_profile_of_the_same_server(module_orch: Orch, deployment: str) -> None:
    serving = module_orch.json("profile", "show", "--resolved", deployment)["profile"]
    other = module_orch.profile(
        "other-sweep",
        container=serving["container"],
        server=serving["server"],
        bench={"lengths": [[4, 2]], "num_prompts": 2},
    )
    told = module_orch.json("bench", other, "--name", deployment)
    assert [(row["input_len"], row["num_prompts"], row["state"]) for row in told["results"]] == [(4, 2, "done")]
    assert told["manifest"]["profile"] == other


def test_bench_refuses_a_profile_of_another_server_and_names_the_keys(module_orch: Orch, deployment: str) -> None:
    runs = sorted(module_orch.runs.glob("*"))
    done = module_orch("bench", deployment, "--name", deployment, "--set", "server.flags.dtype=bfloat16")
    assert done.returncode == 2
    assert f"orch: the deployment {deployment} is not what the profile {deployment} asks for:\n" in done.stderr
    assert "server.flags.dtype" in done.stderr
    assert "float16" in done.stderr
    assert sorted(module_orch.runs.glob("*")) == runs


def test_dry_runs_touch_no_engine(orch: Orch) -> None:
    name = orch.profile("dry")
    planned = orch.ok("plan", name)
    for command in ("up", "run"):
        assert orch.ok(command, name, "--dry-run") == planned
    assert not orch.state.exists()
    assert not orch.runs.exists()


def test_run_does_the_whole_job_and_takes_the_server_down(orch: Orch) -> None:
    name = orch.profile("whole", bench=POINTS)
    done = orch("run", name)
    assert done.returncode == 0, done.stderr
    assert containers.listed(name) == []
    path = orch.run_directory()
    manifest = manifest_in(path)
    assert (manifest["state"], manifest["reason"]) == ("done", "")
    assert manifest["created"] < manifest["ended"]
    assert path.name in done.stdout
    assert done.stderr.splitlines()[-2:] == [f"run: {path}", f"csv: {path / 'summary.csv'}"]
    assert [line.split("]")[0][-3:] for line in done.stderr.splitlines() if "[" in line] == ["1/4", "2/4", "3/4", "4/4"]
    assert "torn down" in done.stderr
    assert list((orch.state / "deployments").iterdir()) == []
    assert not list(path.rglob("*.tmp"))


THREADED = "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
"""What Python runs at its start: a driver with a second thread must not fork."""


def test_clients_that_cannot_be_forked_are_processes_and_that_is_said(orch: Orch) -> None:
    (orch.folder / "threads.pth").write_text(THREADED, encoding="utf-8")
    mount = f"{orch.folder}/threads.pth:/usr/local/lib/python3.11/dist-packages/threads.pth:ro"
    name = orch.profile("threads", container={"mounts": [mount]})
    done = orch("run", name)
    assert done.returncode == 0, done.stderr
    reason = "importing vLLM has started Python threads"
    assert done.stderr.count(f"each client is a process of its own and imports vLLM anew: {reason}\n") == 1
    assert orch.manifest_of(name)["deployment"]["client_mode"] == f"process: {reason}"
    forked = orch.profile("forked")
    assert "process of its own" not in orch("run", forked).stderr
    assert orch.manifest_of(forked)["deployment"]["client_mode"] == "fork"


def test_variables_of_the_shell_and_of_a_file_reach_the_container_and_the_record(orch: Orch) -> None:
    (orch.folder / "vars").write_text("OF_FILE='8 9'\nBOTH=loses\n", encoding="utf-8")
    if_set = {key: {"inherit": "if-set"} for key in ("UNSET_HERE", "LANG")}  # the image sets LANG
    env = {"OF_SHELL": {"inherit": True}, **if_set, "BOTH": "wins"}
    name = orch.profile("passed", container={"env_file": str(orch.folder / "vars"), "env": env})
    expected = {"OF_SHELL": "a  b", "OF_FILE": "'8 9'", "BOTH": "wins"}
    refused = orch("up", name)
    assert (refused.returncode, containers.listed(name)) == (3, [])
    assert "export OF_SHELL=" in refused.stderr
    shell = {name: value for name, value in orch.environ().items() if name not in if_set}
    orch.ok("up", name, env={**shell, "OF_SHELL": "a  b"})
    given = [line.partition("=") for line in containers.docker("exec", f"orch-{name}", "env").splitlines()]
    assert {name: value for name, _, value in given if name in {*env, *expected}} == expected
    orch.ok("bench", "--name", name)
    orch.ok("down", name)
    container = yaml.safe_load((orch.run_of(name) / "profile.yaml").read_bytes())["container"]
    unset = {key: {"inherit": False} for key in ("UNSET_HERE", "LANG")}
    assert (container["env"], container.get("env_file")) == ({**expected, **unset}, None)


def test_a_deployment_under_another_name_than_its_profiles(orch: Orch) -> None:
    name, other = orch.profile("named"), f"{orch.prefix}-other"
    assert orch.json("up", name, "--name", other)["name"] == other
    assert orch.json("status", other)["profile"] == name
    assert orch.json("bench", "--name", other)["manifest"]["profile"] == name
    assert orch.json("down", other)["ended"] == [other]
