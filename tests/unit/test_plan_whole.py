"""C3: the whole plan is pure, complete, and honest about what it guesses."""

from __future__ import annotations

import math
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from samples import a_bench, a_point, a_profile

from orchestrator.inside import SOURCE, SUPERVISOR
from orchestrator.plan.container import server_argv
from orchestrator.plan.docker_run import docker_run_line
from orchestrator.plan.estimate import CLIENT_START_S, UNKNOWN_OUTPUT, estimate, point_seconds
from orchestrator.plan.plan import plan
from orchestrator.plan.sweep import sweep, warmups
from orchestrator.plan.variants import Variant
from orchestrator.profile.reading.load import load_profile
from orchestrator.report.plans import plan_lines
from orchestrator.vllm.client import LATEST
from orchestrator.workload.arrival import RampUp

PROFILES = Path(__file__).resolve().parents[2] / "profiles"


def test_the_plan_of_the_guide_holds_everything_that_will_run() -> None:
    profile = load_profile("ds-671b-awq", [PROFILES])
    made = plan(profile, "mine", "/state/mine-by-hand")
    assert profile.bench is not None
    assert made.docker_run == docker_run_line(made.spec)
    assert shlex.split(made.serve) == server_argv(profile)
    assert [item.measurement for item in made.measurements] == list(sweep(profile.bench))
    assert [item.measurement for item in made.warmups] == list(warmups(profile.bench))
    assert (made.vllm_version, made.assumed) == ("0.8.5", False)
    assert all("--endpoint-type openai-comp" in item.command for item in made.measurements)
    assert any(line.startswith("privileged: ") for line in made.weakenings)
    assert made.spec.name == "orch-mine"


@pytest.mark.parametrize("source", [[], ["/opt/dtk/env.sh"]])
def test_the_printed_folder_is_made_with_the_programs_of_the_command_whatever_its_name_is(
    tmp_path: Path, source: list[str]
) -> None:
    profile, folder = a_profile(container={"source": source}), tmp_path / "it's a blank" / "mine-by-hand"
    made = plan(profile, "mine", str(folder))
    text = "\n".join(plan_lines(profile, [(Variant(profile, {}), made)], []))
    lines = text[text.index("# Container\n") : text.index("docker run ")]
    assert lines.splitlines()[1:] == list(made.before_docker_run)
    assert len(made.before_docker_run) == 2
    subprocess.run(["sh", "-euc", f"umask 077\n{lines}"], check=True, cwd=tmp_path)
    programs = (SUPERVISOR, SOURCE) if source else (SUPERVISOR,)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        file.name: file.read_bytes() for file in programs
    }
    seen = {oct(stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.iterdir())}
    assert seen == {"0o755", "0o644"}, "any user of the container can read them"
    words = shlex.split(made.docker_run)
    assert any(f"source={folder}" in word for word in words)
    assert {f"/run/orch/{file.name}" for file in programs} == {word for word in words if word.startswith("/run/orch/")}


def test_without_the_supervisor_there_is_no_folder_to_make() -> None:
    profile = a_profile(container={"supervise": False, "source": ["/opt/dtk/env.sh"]})
    made = plan(profile, "mine", "/state")
    assert made.before_docker_run == ()
    assert "/run/orch" not in made.docker_run
    lines = plan_lines(profile, [(Variant(profile, {}), made)], [])
    assert not any(line.startswith(("mkdir", "install")) for line in lines)


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("[!_]*.yaml")))
def test_the_printed_line_of_a_shipped_profile_can_be_read(name: str) -> None:
    """Each line is an option or the short command; no program stands in it."""
    made = plan(load_profile(name, [PROFILES]), name, "/state")
    first, *options, last = made.docker_run.split(" \\\n  ")
    assert first == "docker run --detach"
    assert all(line.startswith("--") for line in options)
    assert "\n" not in made.docker_run.replace("\\\n", "")
    assert " python3 -IS " not in last
    assert " -IS /run/orch/supervisor.py " in last


def test_a_plan_is_the_same_every_time() -> None:
    profile = load_profile("ds-671b-awq", [PROFILES])
    assert plan(profile, "mine", "/state") == plan(profile, "mine", "/state")


def test_a_version_that_the_image_does_not_name_is_a_guess() -> None:
    made = plan(a_profile(container={"image": "mine:latest"}), "mine", "/state")
    assert (made.vllm_version, made.assumed) == (LATEST, True)


def test_a_profile_without_a_sweep_has_a_plan_without_measurements() -> None:
    made = plan(a_profile().model_copy(update={"bench": None}), "mine", "/state")
    assert (made.warmups, made.measurements) == ((), ())
    assert (made.estimate.start_s, made.estimate.total_s) == (None, 0.0)
    assert plan(a_profile(bench={"warmup": 0}), "mine", "/state").warmups == ()


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("[!_]*.yaml")))
def test_every_shipped_profile_has_a_plan(name: str) -> None:
    made = plan(load_profile(name, [PROFILES]), name, "/state")
    assert made.measurements
    assert made.estimate.total_s > 0
    assert made.flags == (), "it has flags that its vLLM does not know, or not for long"


def test_flags_that_the_image_s_version_does_not_know_are_in_the_plan() -> None:
    profile = a_profile(container={"image": "vllm:0.17.0"}, server={"flags": {"disable-log-requests": True}})
    line = (
        "server.flags.disable-log-requests — vLLM 0.17.0 does not know it; it is gone since vLLM 0.17 and back in "
        "0.33: leave it out, requests are not logged anyway"
    )
    made = plan(profile, "mine", "/state")
    assert made.flags == (line,)
    assert f"# - {line}" in plan_lines(profile, [(Variant(profile, {}), made)], [])


@pytest.mark.parametrize(
    ("server", "key"),
    [
        ({"model": "/models/$NAME"}, "server.model"),
        ({"model": "$(MODEL_PATH)"}, "server.model"),
        ({"flags": {"chat-template": "${TEMPLATE:-/t.jinja}"}}, "server.flags.chat-template"),
        ({"env": {"HF_HOME": "$HOME/hub"}}, "server.env.HF_HOME"),
        ({"flags": {"config": "/srv/vllm.yaml"}}, "server.flags.config"),
    ],
)
def test_what_a_server_s_part_may_be_mistaken_for_is_in_the_plan(server: dict[str, object], key: str) -> None:
    profile = a_profile(server=server)
    lines = plan_lines(profile, [(Variant(profile, {}), plan(profile, "mine", "/state"))], [])
    shown = lines[lines.index("# Values that are not what they seem") + 1]
    assert shown.startswith(f"# - {key} — ")
    usual = a_profile()
    assert not any(
        "seem" in line for line in plan_lines(usual, [(Variant(usual, {}), plan(usual, "mine", "/state"))], [])
    )


def test_the_start_takes_as_long_as_the_profile_expects() -> None:
    profile = a_profile(health={"expected": {"image": 5, "weights": "1m"}})
    assert estimate(profile).start_s == 65
    assert estimate(a_profile()).start_s is None


def test_each_measurement_and_each_warm_up_start_a_client() -> None:
    assert estimate(a_profile(bench={"repetitions": 3, "warmup": 4})).clients_s == pytest.approx(7 * CLIENT_START_S)
    assert estimate(a_profile(bench={"repetitions": 3, "warmup": 0})).clients_s == pytest.approx(6 * CLIENT_START_S)


def test_a_point_is_as_many_waves_as_its_concurrency_makes_of_its_prompts() -> None:
    bench = a_bench(estimate={"ttft": 2.0, "tpot": 0.5})
    wave = 2.0 + 15 * 0.5
    assert point_seconds(a_point(), bench) == wave
    assert point_seconds(a_point(max_concurrency=4), bench) == 2 * wave
    assert point_seconds(a_point(max_concurrency=3), bench) == 3 * wave
    assert point_seconds(a_point(max_concurrency=99), bench) == wave


def test_a_request_rate_stretches_a_point() -> None:
    bench = a_bench(estimate={"ttft": 0.001, "tpot": 0.001})
    assert point_seconds(a_point(request_rate=0.5), bench) == 16.0


@pytest.mark.parametrize(
    ("strategy", "mean_gap_s"), [("linear", math.log(4.0) / 6.0), ("exponential", (0.5 - 0.125) / math.log(4.0))]
)
def test_a_rate_that_rises_stretches_a_point_by_its_mean_gap(strategy: str, mean_gap_s: float) -> None:
    rising = RampUp.model_validate({"strategy": strategy, "from": 2, "to": 8})
    bench = a_bench(estimate={"ttft": 0.001, "tpot": 0.001})
    many = 10_000
    seconds = point_seconds(a_point(num_prompts=many, ramp_up=rising), bench)
    assert seconds == pytest.approx(many * mean_gap_s)
    steps = (index / many for index in range(many))
    rates = [2 + 6 * step if strategy == "linear" else 2 * 4**step for step in steps]
    assert seconds == pytest.approx(sum(1 / rate for rate in rates), rel=1e-3)


def test_where_the_dataset_decides_the_output_is_a_guess() -> None:
    bench = a_bench(estimate={"ttft": 1.0, "tpot": 1.0})
    assert point_seconds(a_point(input_len=None, output_len=None), bench) == float(UNKNOWN_OUTPUT)


def test_the_parts_add_up() -> None:
    guessed = estimate(a_profile(health={"expected": {"image": 5}}))
    assert guessed.total_s == 5 + guessed.clients_s + guessed.measuring_s
    assert estimate(a_profile()).total_s == guessed.clients_s + guessed.measuring_s
