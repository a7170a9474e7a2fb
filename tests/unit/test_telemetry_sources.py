"""Promise V7: A source that fails while a server is measured is a gap, and changes no number."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_cards
import pytest
from fake_cards import CONTAINER, address
from test_telemetry_host import PAGE, SECOND

from orchestrator.telemetry import sources
from orchestrator.telemetry.format import FILE
from orchestrator.telemetry.samples import GAPS
from orchestrator.telemetry.sources import recorded, sources_of
from orchestrator.telemetry.timeline import Timeline, read_timeline
from orchestrator.vllm.counters import sample_totals

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine with eight DCUs, their tool, and a container; its sources are read ten times a second."""
    monkeypatch.setattr(sources, "FAST_S", 0.1)
    root = tmp_path / "machine"
    fake_cards.proc(root)
    fake_cards.cards(root)
    fake_cards.tool(root, fake_cards.hy_smi())
    for name, content in SECOND.items():
        fake_cards.write(root / f"sys/fs/cgroup/docker/{CONTAINER}" / name, content)
    return root


def watched(tmp_path: Path, machine: Path, meanwhile: Callable[[], object] = lambda: None) -> Timeline:
    """Return what is recorded while something happens to the machine."""
    with recorded(tmp_path, CONTAINER, lambda: sample_totals(PAGE), machine, 0.3):
        time.sleep(0.6)
        meanwhile()
        time.sleep(1.2)
    return read_timeline(tmp_path / FILE)


def numbers(timeline: Timeline) -> dict[tuple[str, str, str], set[Any]]:
    """Return all values of each figure that this fake machine does not change by itself."""
    found: dict[tuple[str, str, str], set[Any]] = {}
    for series in timeline.series:
        for place, column in enumerate(series.columns if series.kind != "clock" else ()):
            values = {row.readings[place].value for row in series.rows} - {None}
            if values:
                found.setdefault((series.source, series.subject, column.name), set()).update(values)
    return found


def test_a_machine_with_eight_cards_has_six_sources_and_every_card_is_known_by_its_address(
    tmp_path: Path, machine: Path
) -> None:
    timeline = watched(tmp_path, machine)
    assert {series.source for series in timeline.series} == {"proc", "cgroup", "vllm", "sysfs", "hy-smi", "clock"}
    assert timeline.subjects("device") == tuple(address(number) for number in range(8))
    assert timeline.holes == ()


TROUBLES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a card vanishes": (lambda root: shutil.rmtree(root / "sys/bus/pci/devices" / address(2)), "sysfs", "removed"),
    "a card's files are garbled": (
        lambda root: fake_cards.write(root / "sys/bus/pci/devices" / address(2) / "gpu_busy_percent", "??"),
        "sysfs",
        "garbled",
    ),
    "the tool vanishes": (lambda root: (root / "opt/hyhal/bin/hy-smi").unlink(), "hy-smi", "not-started"),
    "the tool garbles": (lambda root: fake_cards.tool(root, "head -c 500 /dev/urandom"), "hy-smi", "refused"),
    "the tool crashes": (lambda root: fake_cards.tool(root, "kill -SEGV $$"), "hy-smi", "refused"),
    "the container's group vanishes": (
        lambda root: shutil.rmtree(root / f"sys/fs/cgroup/docker/{CONTAINER}"),
        "cgroup",
        "no-container",
    ),
    "the machine's times vanish": (lambda root: (root / "proc/stat").unlink(), "proc", "no-kernel-file"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_source_that_fails_is_a_gap_with_its_reason_and_no_number_changes(
    tmp_path: Path, machine: Path, trouble: str
) -> None:
    (tmp_path / "quiet").mkdir()
    (tmp_path / "troubled").mkdir()
    quiet = numbers(watched(tmp_path / "quiet", machine))
    happen, source, reason = TROUBLES[trouble]
    timeline = watched(tmp_path / "troubled", machine, lambda: happen(machine))
    assert {(hole.source, hole.id) for hole in timeline.holes} == {(source, reason)}
    assert reason in GAPS
    troubled = numbers(timeline)
    assert troubled == {figure: quiet[figure] for figure in troubled}
    assert set(quiet) - set(troubled) == set()


def test_a_tool_that_hangs_is_killed_and_ends_no_recording_late(tmp_path: Path, machine: Path) -> None:
    fake_cards.tool(machine, "sleep 60")
    with recorded(tmp_path, CONTAINER, lambda: sample_totals(PAGE), machine, 0.3):
        time.sleep(1.0)
        ended = time.monotonic()
    assert time.monotonic() - ended < 2.5
    assert subprocess.run(["pgrep", "-f", str(machine)], stdout=subprocess.PIPE, check=False).stdout == b""


def test_never_two_tools_run_at_once(tmp_path: Path) -> None:
    busy, log = tmp_path / "busy", tmp_path / "log"
    script = f"if mkdir {busy}; then sleep 0.3; rmdir {busy}; else echo twice >> {log}; fi"
    fake_cards.cards(tmp_path, 1)
    fake_cards.write(tmp_path / "sys/bus/pci/devices/0000:03:00.0/vendor", "0x1002")
    fake_cards.write(tmp_path / "sys/bus/pci/devices/0000:03:00.0/device", "0x740f")
    for name in ("opt/hyhal/bin/hy-smi", "opt/rocm/bin/amd-smi"):
        fake_cards.tool(tmp_path, script, name)
    found = [
        each for each in sources_of(CONTAINER, lambda: None, lambda: False, tmp_path) if each.name.endswith("-smi")
    ]
    threads = [threading.Thread(target=each.read) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert not log.exists()


def test_a_server_that_no_longer_answers_is_a_gap(tmp_path: Path, machine: Path) -> None:
    pages = iter([sample_totals(PAGE)] * 3)
    with recorded(tmp_path, CONTAINER, lambda: next(pages, None), machine, 10.0):
        time.sleep(1.0)
    assert [(hole.source, hole.id) for hole in read_timeline(tmp_path / FILE).holes] == [("vllm", "no-answer")]


@pytest.mark.parametrize(("vendor", "tool"), [("0x1d94", "hy-smi"), ("0x1002", "amd-smi")])
def test_a_machine_without_its_vendor_s_tool_says_so_and_is_sampled_from_files(
    tmp_path: Path, vendor: str, tool: str
) -> None:
    fake_cards.cards(tmp_path, 1, vendor)
    found = {source.name: source for source in sources_of(CONTAINER, lambda: None, lambda: False, tmp_path)}
    assert set(found) == {"proc", "cgroup", "vllm", "sysfs", tool}
    assert [gap.id for gap in found[tool].read().gaps] == ["no-tool"]


def test_a_machine_of_nvidia_without_driver_and_binding_says_which_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    fake_cards.cards(tmp_path, 1, "0x10de")
    found = {source.name: source for source in sources_of(CONTAINER, lambda: None, lambda: False, tmp_path)}
    assert found["nvidia-smi"].read().gaps == ()  # as long as it is not known that the library is missing
    assert [gap.id for gap in found["nvml"].read().gaps] == ["no-binding"]
    assert [gap.id for gap in found["nvidia-smi"].read().gaps] == ["no-tool"]


def test_an_accelerator_of_a_vendor_that_is_not_sampled_is_a_gap(tmp_path: Path) -> None:
    fake_cards.write(tmp_path / "dev/davinci0", "")
    found = {source.name: source for source in sources_of(CONTAINER, lambda: None, lambda: False, tmp_path)}
    assert [gap.id for gap in found["Ascend"].read().gaps] == ["no-sampler"]


def test_a_machine_that_cannot_be_looked_at_harms_nobody(tmp_path: Path) -> None:
    machine = tmp_path / "machine"
    (machine / "sys/bus/pci/devices/0000:00:00.0").mkdir(parents=True)
    (machine / "sys/bus/pci/devices/0000:00:00.0/vendor").write_bytes(b"\xff\xfe")
    with recorded(tmp_path, CONTAINER, lambda: None, machine):
        time.sleep(0.2)
    assert [(hole.source, hole.id) for hole in read_timeline(tmp_path / FILE).holes] == [("telemetry", "broken")]


def test_a_machine_without_accelerators_has_no_source_of_them(tmp_path: Path) -> None:
    fake_cards.proc(tmp_path)
    assert [source.name for source in sources_of(CONTAINER, lambda: None, lambda: False, tmp_path)] == [
        "proc",
        "cgroup",
        "vllm",
    ]


def test_the_binding_of_nvml_is_imported_only_where_there_is_a_card_of_nvidia() -> None:
    code = "import sys, orchestrator.telemetry.sources; sys.exit('pynvml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
