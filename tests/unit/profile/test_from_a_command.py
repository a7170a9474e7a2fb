"""E3: each row of the how-to about commands is what orch plans, or refuses, and no word of docker is left out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from orchestrator.plan.plan import plan
from orchestrator.profile.checking.ways.lookup import way_out
from orchestrator.profile.schema.profile import Container

if TYPE_CHECKING:
    from profile_folder import Folder

    from orchestrator.plan.plan import Plan

PAGE = (Path(__file__).parents[3] / "docs/how-to/from-a-command.md").read_text(encoding="utf-8")
BASE: dict[str, dict[str, Any]] = {
    "container": {"image": "vllm/vllm-openai:v0.32.0"},
    "server": {"model": "/models/tiny"},
    "bench": {"lengths": [[64, 16]], "num_prompts": 4, "warmup": 0},
}
PLANNED = "| by hand | in a profile | planned as |"
VALUES = "| by hand | in a profile | refused |"
WORDS = "| by hand | what to do |"
HEADS = (PLANNED, VALUES, WORDS)
IMAGE_REFERENCE = re.compile(r"[a-z]+/[a-z-]+:\S+")
AS_WRITTEN = "as written"
BESIDE_THE_LINE = {"pulled before", "handed over in a file"}
"""What is planned and is no word of a command; tests by these names look at what it says."""
DOCKER_RUN = """
add-host attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-period cpu-quota
cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys device device-cgroup-rule
device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns dns-option dns-search
domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-start-period
health-timeout hostname init interactive ip ip6 ipc isolation kernel-memory label label-file link link-local-ip
log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network network-alias
no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet
read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty
ulimit use-api-socket user userns uts volume volume-driver volumes-from workdir annotation
"""
"""The options of `docker run --help`, docker 28."""
COMPOSE = """
blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count cpu_percent cpu_shares
cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname
entrypoint env_file environment expose external_links extra_hosts gpus group_add healthcheck hostname image init ipc
isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit
network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports privileged profiles pull_policy
read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt
sysctls tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir
annotations attach cpu_period cpu_quota cpu_rt_period cpu_rt_runtime extends models post_start pre_stop provider
"""
"""The keys of a service in the Compose Specification that say something about its container."""


def rows(head: str, section: str = "") -> list[tuple[str, ...]]:
    """Return the cells of every table with a head, below a heading if one is given."""
    found, within = [], False
    for line in PAGE.partition(section)[2].partition("\n## ")[0].splitlines() if section else PAGE.splitlines():
        if not line.startswith("|"):
            within = False
        elif line == head:
            within = True
        elif within and not line.startswith("|---"):
            found.append(tuple(cell.strip() for cell in line[1:-1].split(" | ")))
    return found


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def laid_over(fragment: str) -> str:
    """Return the base with the sections of a fragment over it, key by key; null takes a key away."""
    asked = yaml.safe_load(fragment)
    assert set(asked) <= set(BASE), fragment
    made = {name: {**section, **asked.get(name, {})} for name, section in BASE.items()}
    made["bench"] = {key: value for key, value in made["bench"].items() if value is not None}
    return yaml.safe_dump(made, sort_keys=False)


def planned(folder: Folder, text: str) -> Plan:
    folder.write("p.yaml", text)
    return plan(folder.load(), "p", "/state")


def commands(made: Plan) -> list[list[str]]:
    """Return every command of a plan in words."""
    benches = [item.command for item in (*made.warmups, *made.measurements)]
    return [shlex.split(line) for line in (made.docker_run.replace("\\\n", " "), made.serve, *benches)]


def has(all_words: list[list[str]], text: str) -> bool:
    """Say whether one of the commands has these words in a row."""
    words = shlex.split(text)
    return any(line[at : at + len(words)] == words for line in all_words for at in range(len(line)))


def test_every_row_of_the_page_is_tried() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith("|---")]
    tried = [row for head in HEADS for row in rows(head)]
    assert len(lines) - len([line for line in lines if line in HEADS]) == len(tried)
    assert {len(row) for row in tried} == {2, 3}


@pytest.mark.parametrize("row", rows(PLANNED), ids=lambda row: row[0])
def test_a_row_is_planned_as_it_says(folder: Folder, row: tuple[str, ...]) -> None:
    by_hand, profile, outcome = row
    (fragment,) = codes(profile)
    made = planned(folder, laid_over(fragment))
    expected = codes(outcome) + ([codes(by_hand)[0]] if outcome.startswith(AS_WRITTEN) else [])
    assert expected or outcome in BESIDE_THE_LINE, f"nothing in this row can be tried: {outcome}"
    assert [text for text in expected if not has(commands(made), text)] == []
    usual = planned(folder, laid_over("{}"))
    says_more = expected and commands(made) != commands(usual)
    assert not says_more or any(not has(commands(usual), text) for text in expected), "planned without it as well"


@pytest.mark.parametrize("row", rows(VALUES), ids=lambda row: row[0])
def test_a_row_is_refused_as_it_says(folder: Folder, row: tuple[str, ...]) -> None:
    _, profile, sentence = row
    (fragment,) = codes(profile)
    faults = folder.faults_in(laid_over(fragment))
    assert any(sentence in fault for fault in faults), faults


@pytest.mark.parametrize("row", rows(WORDS), ids=lambda row: row[1])
def test_a_word_is_refused_with_what_to_do(folder: Folder, row: tuple[str, ...]) -> None:
    by_hand, sentence = row
    assert codes(by_hand)
    for word in map(word_of, codes(by_hand)):
        (fault,) = folder.faults_in(laid_over(f"container: {{{word}: x}}"))
        assert sentence in fault, word


def test_what_is_planned_beside_the_line_is_planned(folder: Folder) -> None:
    by_outcome = {outcome: codes(profile)[0] for _, profile, outcome in rows(PLANNED) if outcome in BESIDE_THE_LINE}
    assert set(by_outcome) == BESIDE_THE_LINE
    folder.write("p.yaml", laid_over(by_outcome["pulled before"]))
    assert folder.load().container.pull == "always"
    made = planned(folder, laid_over(by_outcome["handed over in a file"]))
    assert made.spec.secrets == ("HF_TOKEN",)
    assert "HF_TOKEN" not in made.docker_run


@pytest.mark.parametrize("row", rows(PLANNED, "## The container"), ids=lambda row: row[0])
def test_docker_s_word_is_ours_or_points_to_the_key_of_its_row(row: tuple[str, ...]) -> None:
    by_hand, profile, _ = row
    asked = yaml.safe_load(codes(profile)[0])
    keys = {f"{section}.{key}" for section, keys in asked.items() for key in keys} or {"leave it out"}
    for code in codes(by_hand):
        word = word_of(code).replace("-", "_")
        if not IMAGE_REFERENCE.fullmatch(code) and word not in Container.model_fields:
            told = str(way_out("unknown key", ("container", word)) or "")
            assert any(key in told for key in keys), f"{code}: {told!r} names none of {sorted(keys)}"


def test_no_option_of_docker_and_no_key_of_compose_is_left_out() -> None:
    shown = {word_of(code) for table in (PLANNED, WORDS) for row in rows(table) for code in codes(row[0])}
    assert sorted({*DOCKER_RUN.split(), *COMPOSE.split()} - shown) == []


def test_no_key_of_the_container_is_left_out() -> None:
    shown = {key for _, profile, _ in rows(PLANNED) for key in yaml.safe_load(codes(profile)[0]).get("container", ())}
    assert sorted(set(Container.model_fields) - shown) == ["holds", "supervise"]


def word_of(code: str) -> str:
    """Return the option or the key that a piece of a command or of a compose file begins with."""
    return re.split(r"[\s:=]", code.lstrip("-"), maxsplit=1)[0]


EXAMPLES = re.findall(r"```sh\n(.*?)```\s+```yaml\n(.*?)```", PAGE, re.DOTALL)
SHORT = {"-v": "--mount", "-e": "--env", "-p": "--publish"}
ALONE = {"-d", "--rm", "--ignore-eos"}
NOT_OURS = {"-d", "--rm", "--name"}


@pytest.mark.parametrize(("by_hand", "profile"), EXAMPLES, ids=["dcu", "nvidia"])
def test_a_whole_command_is_planned_option_by_option(folder: Folder, by_hand: str, profile: str) -> None:
    made = planned(folder, profile + "health: {deadline: 1h}\n")
    run, serve, *benches = commands(made)
    docker, bench = (shlex.split(line) for line in by_hand.replace("\\\n", " ").strip().splitlines())
    image = docker.index(made.spec.image)
    for option, value in pairs(docker[2:image]):
        if option not in NOT_OURS:
            assert has([run], shlex.join(in_full(option, value))), (option, value)
    inner = docker[image + 1 :]
    script = inner[2] if inner[0] == "bash" else shlex.join(inner)
    for step in script.split("; "):
        verb, _, rest = step.partition(" ")
        if verb == "source":
            assert has([run], f"{rest} -- env")
        elif verb == "export":
            assert has([run], f"env {rest}")
        else:
            begun = serve[: serve.index("--host")]
            assert shlex.split(step)[: len(begun)] == begun
            flags = pairs(shlex.split(step)[len(begun) :])
            assert [pair for pair in flags if not has([serve], shlex.join(filter(None, pair)))] == []
    for option, value in pairs(bench[3:]):
        number = float(value) if option == "--request-rate" else value
        assert has(benches, shlex.join(filter(None, (option, str(number))))), (option, value)


def pairs(words: list[str]) -> list[tuple[str, str]]:
    """Return options with their values; one that stands alone has none."""
    found: list[tuple[str, str]] = []
    for word in words:
        if word.startswith("-"):
            found.append((word, ""))
        else:
            found[-1] = (found[-1][0], word)
    return found


def in_full(option: str, value: str) -> list[str]:
    """Return an option as the planned line spells it."""
    if option == "-v":
        source, target, *read_only = value.split(":")
        value = ",".join(["type=bind", f"source={source}", f"target={target}", *["readonly" for _ in read_only]])
    if option == "-p":
        value = f"0.0.0.0:{value}"
    if option == "--shm-size":
        value = str(int(value.removesuffix("g")) << 30)
    if option == "--device":
        value = f"{value}:{value}:rwm"
    if option == "--cap-add":
        value = f"CAP_{value}"
    if option == "--ulimit":
        value = f"{value}:{value.partition('=')[2]}"
    return [SHORT.get(option, option), value]
