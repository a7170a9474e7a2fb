"""Promise V7: A vendor's tool that hangs, garbles or vanishes is killed with all it started, and is a gap."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import fake_cards
import pytest
from fake_cards import address

from orchestrator.accelerators.tools import TOOLS
from orchestrator.telemetry.samples import GAPS
from orchestrator.telemetry.tools import ToolLane, ask, found

HYGON = TOOLS["Hygon"][0]


def lane(root: Path, script: str, longest_s: float = 5.0) -> ToolLane:
    return ToolLane(HYGON, str(fake_cards.tool(root, script)), lambda: False, longest_s)


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text(encoding="ascii").rpartition(") ")[2][0] != "Z"


def test_figures_are_said_of_pci_addresses(tmp_path: Path) -> None:
    look = lane(tmp_path, fake_cards.hy_smi(2)).read()
    said = {
        sample.subject: {column.name: each.value for column, each in sample.figures.items()} for sample in look.samples
    }
    assert set(said) == {address(0), address(1)}
    assert said[address(1)]["busy"] == 1.5
    assert said[address(1)]["power"] == 120.0
    assert look.gaps == ()


def test_a_card_without_an_address_is_a_gap_and_never_taken_for_another(tmp_path: Path) -> None:
    script = fake_cards.hy_smi(2).replace(f"HCU[1]\t: PCI Bus: {address(1)}", "HCU[1]\t: PCI Bus: N/A")
    look = lane(tmp_path, script).read()
    assert [sample.subject for sample in look.samples] == [address(0)]
    assert [(gap.id, gap.subject) for gap in look.gaps] == [("card-unnamed", "hy-smi 1")]


@pytest.mark.parametrize(
    ("script", "gap"),
    [
        ("sleep 60", "timeout"),
        ("trap '' TERM INT HUP; while :; do sleep 1; done", "timeout"),
        ("exec >&- 2>&-; sleep 60", "timeout"),
        ("yes HCU", "too-long"),
        ("echo 'Segmentation fault'; exit 139", "refused"),
        ("head -c 3000 /dev/urandom", "refused"),
        ("exit 0", "refused"),
        ("echo 'amdgpu driver not loaded'; exit 206", "no-driver"),
        ('echo \'{"card0": {"PCI Bus"\'', "refused"),
    ],
)
def test_a_tool_that_fails_is_a_gap_with_its_reason(tmp_path: Path, script: str, gap: str) -> None:
    begun = time.monotonic()
    look = lane(tmp_path, script, longest_s=1.0).read()
    assert [each.id for each in look.gaps] == [gap]
    assert look.samples == ()
    assert time.monotonic() - begun < 5.0
    assert gap in GAPS


def test_a_tool_that_vanishes_is_a_gap_and_counts_again_when_it_is_back(tmp_path: Path) -> None:
    script = fake_cards.hy_smi(1)
    asked = lane(tmp_path, script)
    assert asked.read().samples
    (tmp_path / "opt/hyhal/bin/hy-smi").unlink()
    assert [gap.id for gap in asked.read().gaps] == ["not-started"]
    fake_cards.tool(tmp_path, script)
    assert asked.read().samples


def test_what_a_tool_has_started_is_killed_with_it(tmp_path: Path) -> None:
    note = tmp_path / "child"
    path = fake_cards.tool(tmp_path, f"sleep 300 & echo $! > {note}; sleep 300")
    assert ask([str(path)], lambda: False, 1.0).gap is not None
    child = int(note.read_text(encoding="ascii"))
    end = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(child)


def test_a_tool_that_hangs_ends_also_when_orch_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    path = fake_cards.tool(tmp_path, f"echo $$ > {note}; sleep 300")
    code = f"from orchestrator.telemetry.tools import ask; ask([{str(path)!r}], lambda: False, 1.0)"
    with subprocess.Popen([sys.executable, "-c", code]) as orch:
        end = time.monotonic() + 30
        while not (note.exists() and note.read_text(encoding="ascii").strip()) and time.monotonic() < end:
            time.sleep(0.01)
        orch.kill()
    tool = int(note.read_text(encoding="ascii"))
    while is_alive(tool) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(tool)


def test_a_tool_is_reaped(tmp_path: Path) -> None:
    path = fake_cards.tool(tmp_path, "echo $$ > " + str(tmp_path / "pid"))
    ask([str(path)], lambda: False)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text(encoding='ascii').strip()}").exists()


def test_the_end_of_a_recording_ends_a_tool_at_once(tmp_path: Path) -> None:
    path = fake_cards.tool(tmp_path, "sleep 60")
    begun = time.monotonic()
    ask([str(path)], lambda: time.monotonic() - begun > 0.3, 30.0)
    assert time.monotonic() - begun < 3.0


def test_a_tool_that_cannot_be_killed_is_never_started_beside_itself(tmp_path: Path) -> None:
    asked = lane(tmp_path, fake_cards.hy_smi(1))
    left = subprocess.Popen(["sleep", "60"])
    asked._left = left  # noqa: SLF001 - a process that ignores SIGKILL cannot be made
    assert [gap.id for gap in asked.read().gaps] == ["still-running"]
    left.kill()
    os.waitid(os.P_PID, left.pid, os.WEXITED | os.WNOWAIT)
    assert asked.read().samples


def test_no_serial_number_is_recorded(tmp_path: Path) -> None:
    look = lane(tmp_path, "echo 'broken card SN: 01-77AB-9 --> OAM ID: 1'").read()
    assert [gap.id for gap in look.gaps] == ["refused"]
    assert "77AB" not in look.gaps[0].detail


def test_a_question_that_a_tool_does_not_know_is_not_asked_again(tmp_path: Path) -> None:
    log = tmp_path / "asked"
    script = (
        f'echo "$*" >> {log}\ncase "$*" in\n'
        '*clocks_event_reasons*) echo "Field \\"clocks_event_reasons.active\\" is not a valid field to query." ;;\n'
        "*) echo '00000000:3B:00.0, 70.1, 300.0, 5, 1, 100, 16384, 40, 1500, 800, 0x4' ;;\nesac"
    )
    tool = TOOLS["NVIDIA"][0]
    asked = ToolLane(tool, str(fake_cards.tool(tmp_path, script, "bin/nvidia-smi")), lambda: False)
    looks = [asked.read() for _ in range(4)]
    assert [gap.id for gap in looks[0].gaps] == ["refused"]
    assert all(look.samples and not look.gaps for look in looks[1:])
    assert log.read_text(encoding="utf-8").count("clocks_event_reasons") == 1


def test_no_question_changes_a_card_or_lists_processes() -> None:
    arguments = [
        word
        for tools in TOOLS.values()
        for tool in tools
        for each in (*tool.figures, tool.cards)
        if each
        for word in each.arguments
    ]
    assert arguments
    forbidden = ("set", "reset", "unload", "pid", "process", "compute-apps", "showbw", "util")
    flags = [word.partition("=")[0] for word in arguments]
    assert [word for word in flags if word == "-q" or any(part in word for part in forbidden)] == []


def test_a_tool_is_found_in_the_folders_of_its_driver(tmp_path: Path) -> None:
    assert found(HYGON, tmp_path) is None
    path = fake_cards.tool(tmp_path, "exit 0", "usr/local/hyhal/bin/hy-smi")
    assert found(HYGON, tmp_path) == str(path)
