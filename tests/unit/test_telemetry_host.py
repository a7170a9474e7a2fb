"""The machine, the container and the server are sampled from small files and one page; what is missing is never 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_cards
import pytest
from fake_cards import CONTAINER, write

from orchestrator.telemetry import container, host
from orchestrator.telemetry.container import Container
from orchestrator.telemetry.host import Host
from orchestrator.telemetry.samples import Look
from orchestrator.telemetry.server import read_server
from orchestrator.vllm.counters import sample_totals


def said(look: Look, kind: str, subject: str = "") -> dict[str, Any]:
    (found,) = [sample for sample in look.samples if (sample.kind, sample.subject) == (kind, subject)]
    return {column.name: each.value for column, each in found.figures.items()}


def test_the_first_reading_has_no_shares_of_time_and_the_second_has_those_since(tmp_path: Path) -> None:
    fake_cards.proc(tmp_path)
    source = Host(tmp_path)
    first = said(source.read(), "host")
    assert (first["busy"], first["cpu_pressure_some"]) == (None, None)
    fake_cards.proc(tmp_path, ticks=100)
    look = source.read()
    second = said(look, "host")
    assert second["busy"] == 25.0
    assert second["cpus"] == 4.0
    assert (said(look, "numa", "0")["busy"], said(look, "numa", "1")["busy"]) == (50.0, 0.0)
    assert (said(look, "numa", "0")["memory_free"], said(look, "numa", "1")["memory_free"]) == (102400.0, 103424.0)


def test_memory_disks_and_network_are_those_of_the_machine_itself(tmp_path: Path) -> None:
    fake_cards.proc(tmp_path)
    found = said(Host(tmp_path).read(), "host")
    assert (found["memory_total"], found["memory_available"]) == (1024000.0, 409600.0)
    assert (found["disk_read"], found["disk_written"]) == (16 * 512.0, 32 * 512.0)
    assert (found["network_received"], found["network_sent"]) == (70.0, 30.0)


def test_single_cores_are_recorded_as_means_over_a_longer_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CORES_S", 0.0)
    fake_cards.proc(tmp_path)
    source = Host(tmp_path)
    source.read()
    fake_cards.proc(tmp_path, ticks=50)
    assert said(source.read(), "core") == {"cpu0": 100, "cpu1": 0, "cpu2": 0, "cpu3": 0}


def test_a_kernel_that_does_not_say_something_leaves_it_absent(tmp_path: Path) -> None:
    fake_cards.proc(tmp_path)
    for name in ("pressure/cpu", "pressure/io", "pressure/memory", "diskstats", "net/dev", "meminfo"):
        (tmp_path / "proc" / name).unlink()
    source = Host(tmp_path)
    source.read()
    found = said(source.read(), "host")
    assert {name for name, value in found.items() if value is not None} == {"cpus"}


@pytest.mark.parametrize("content", ["", "cpu", "cpu a b c d e f g h", "intr 5"])
def test_a_garbled_file_of_times_is_a_gap(tmp_path: Path, content: str) -> None:
    write(tmp_path / "proc/stat", content)
    look = Host(tmp_path).read()
    assert [gap.id for gap in look.gaps] == ["no-kernel-file"]


def test_counters_that_go_back_give_no_share(tmp_path: Path) -> None:
    fake_cards.proc(tmp_path, ticks=100)
    source = Host(tmp_path)
    source.read()
    fake_cards.proc(tmp_path)
    assert said(source.read(), "host")["busy"] is None


SECOND = {
    "cpu.stat": "usage_usec 2500000\nnr_periods 9\nnr_throttled 3\nthrottled_usec 40000",
    "memory.current": 7000,
    "memory.max": "max",
    "memory.stat": "anon 10\nfile 300",
    "memory.events": "low 0\noom_kill 1",
    "pids.current": 42,
}
FIRST = {
    "cpuacct/{place}/cpuacct.usage": 2500000000,
    "cpu/{place}/cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_time 40000000",
    "memory/{place}/memory.usage_in_bytes": 7000,
    "memory/{place}/memory.limit_in_bytes": 9223372036854771712,
    "memory/{place}/memory.stat": "cache 5\ntotal_cache 300",
    "memory/{place}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1",
    "pids/{place}/pids.current": 42,
}
USED = {
    "cpu_time": 2.5,
    "cpu_throttled": 0.04,
    "periods_throttled": 3.0,
    "memory": 7000.0,
    "memory_limit": None,
    "page_cache": 300.0,
    "oom_kills": 1.0,
    "pids": 42.0,
}


@pytest.mark.parametrize(
    "place", [f"docker/{CONTAINER}", f"system.slice/docker-{CONTAINER}.scope", f"kube/docker/{CONTAINER}"]
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_container_is_read_from_its_group_of_either_version(tmp_path: Path, place: str, version: int) -> None:
    files = FIRST if version == 1 else {f"{place}/{name}": content for name, content in SECOND.items()}
    for name, content in files.items():
        write(tmp_path / "sys/fs/cgroup" / name.format(place=place), content)
    assert said(Container(CONTAINER, tmp_path).read(), "container") == pytest.approx(USED)


def test_a_container_that_is_gone_is_a_gap_and_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "SEARCH_S", 0.0)
    source = Container(CONTAINER, tmp_path)
    assert [gap.id for gap in source.read().gaps] == ["no-container"]
    for name, content in SECOND.items():
        write(tmp_path / f"sys/fs/cgroup/docker/{CONTAINER}" / name, content)
    assert said(source.read(), "container")["pids"] == 42.0


PAGE = """# HELP vllm:num_requests_running x
vllm:num_requests_running{model_name="m"} 3.0
vllm:num_requests_waiting{model_name="m"} 1.0
vllm:kv_cache_usage_perc{model_name="m"} 0.25
vllm:generation_tokens_total{model_name="m"} 512.0
vllm:prefix_cache_queries_total{model_name="m"} 100.0
"""


def test_a_server_is_read_from_its_page_under_the_names_of_the_house() -> None:
    found = said(read_server(lambda: sample_totals(PAGE)), "server")
    assert (found["running"], found["waiting"], found["kv_cache_usage"]) == (3.0, 1.0, 0.25)
    assert (found["generation_tokens"], found["prompt_tokens"], found["prefix_cache_queries"]) == (512.0, 0.0, 100.0)
    assert {found[name] for name in ("drafts", "draft_tokens", "accepted_tokens", "prefix_cache_hits")} == {None}


@pytest.mark.parametrize("page", [None, {}, {"process_cpu_seconds_total": 1.0}])
def test_a_server_that_does_not_answer_is_a_gap(page: dict[str, float] | None) -> None:
    look = read_server(lambda: page)
    assert (look.samples, [gap.id for gap in look.gaps]) == ((), ["no-answer"])
