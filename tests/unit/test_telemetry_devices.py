"""Promise V7: Cards are sampled from files alone; what one lacks is absent, what it garbles is a gap."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_cards
import pytest
from fake_cards import CONTAINER, VRAM, address

from orchestrator.accelerators.nvml import Nvml, NvmlAbsentError
from orchestrator.accelerators.sysfs import files_of, read_card, read_metrics
from orchestrator.metrics.readings import ABSENT, Quality, Reading
from orchestrator.telemetry.devices import Cards, Nvidia
from orchestrator.telemetry.samples import GAPS, Look, Sample


def named(sample: Sample) -> dict[str, Any]:
    return {column.name: each.value for column, each in sample.figures.items()}


def figures(root: Path, number: int = 0) -> dict[str, Reading]:
    return read_card(files_of(root / "sys/bus/pci/devices" / address(number)))[0]


def test_a_card_is_read_by_its_address_in_the_units_that_are_recorded(tmp_path: Path) -> None:
    cards = fake_cards.cards(tmp_path)
    look = Cards(cards, CONTAINER, tmp_path).read()
    first = next(sample for sample in look.samples if sample.subject == cards[3])
    assert named(first) == {
        "busy": 30.0,
        "memory_busy": 3.0,
        "memory_used": 2207747.0,
        "memory_total": float(VRAM),
        "power": pytest.approx(90.000003),
        "power_cap": 400.0,
        "temperature_edge": pytest.approx(46.003),
        "temperature_junction": 52.0,
        "temperature_memory": 48.0,
        "clock_core": 1500.0,
        "clock_memory": 1800.0,
        "perf": "auto",
    }
    assert look.gaps == ()


def test_a_card_with_hardly_any_file_has_absent_figures_and_no_gap(tmp_path: Path) -> None:
    folder = tmp_path / "sys/bus/pci/devices" / address(0)
    fake_cards.write(folder / "gpu_busy_percent", 7)
    found, faults = read_card(files_of(folder))
    assert found["busy"] == Reading(7.0)
    assert {found[name] for name in ("memory_used", "memory_total", "memory_busy", "perf")} == {ABSENT}
    assert faults == []


def test_the_power_that_a_card_has_under_its_other_name_is_read(tmp_path: Path) -> None:
    fake_cards.cards(tmp_path, 1)
    sensors = tmp_path / "sys/bus/pci/devices" / address(0) / "hwmon/hwmon3"
    (sensors / "power1_average").rename(sensors / "power1_input")
    assert figures(tmp_path)["power"].value == 90.0


def test_power_under_load_that_no_card_can_have_is_marked(tmp_path: Path) -> None:
    fake_cards.cards(tmp_path, 8)
    folder = tmp_path / "sys/bus/pci/devices" / address(7)
    fake_cards.write(folder / "hwmon/hwmon10/power1_average", 8_000_000)
    assert figures(tmp_path, 7)["power"] == Reading(8.0, Quality.IMPLAUSIBLE)
    fake_cards.write(folder / "gpu_busy_percent", 0)
    assert figures(tmp_path, 7)["power"] == Reading(8.0)


@pytest.mark.parametrize("content", ["", "N/A", "-", "0x", "ff\0", "1 2"])
def test_a_garbled_file_gives_no_figure_and_never_0(tmp_path: Path, content: str) -> None:
    fake_cards.cards(tmp_path, 1)
    file = tmp_path / "sys/bus/pci/devices" / address(0) / "gpu_busy_percent"
    file.write_text(content, encoding="ascii")
    found, faults = read_card(files_of(file.parent))
    assert found["busy"] == ABSENT
    assert [fault.id for fault in faults] == (["garbled"] if content else [])


def test_what_is_no_file_makes_nobody_wait(tmp_path: Path) -> None:
    cards = fake_cards.cards(tmp_path, 1)
    file = tmp_path / "sys/bus/pci/devices" / address(0) / "gpu_busy_percent"
    file.unlink()
    os.mkfifo(file)
    begun = time.monotonic()
    look = Cards(cards, CONTAINER, tmp_path).read()
    assert time.monotonic() - begun < 1.0
    assert named(look.samples[0])["busy"] is None


def test_a_card_that_goes_is_a_gap_and_the_others_are_read_on(tmp_path: Path) -> None:
    cards = fake_cards.cards(tmp_path, 2)
    source = Cards(cards, CONTAINER, tmp_path)
    source.read()
    shutil.rmtree(tmp_path / "sys/bus/pci/devices" / cards[0])
    look = source.read()
    assert [(gap.id, gap.subject) for gap in look.gaps] == [("removed", cards[0])]
    assert [sample.subject for sample in look.samples] == [cards[1]]
    assert {gap.id for gap in look.gaps} <= set(GAPS)


def test_an_energy_counter_and_throttling_are_read_where_the_table_of_metrics_has_them() -> None:
    assert read_metrics(fake_cards.metrics(energy=2**16 * 500, status=1 << 33)) == {
        "energy": Reading(500.0),
        "throttle": Reading("thermal"),
    }
    assert read_metrics(fake_cards.metrics(energy=0, status=2**64 - 1)) == {"energy": ABSENT, "throttle": ABSENT}
    assert read_metrics(fake_cards.metrics(energy=2**64 - 1, content=1)) == {"energy": ABSENT, "throttle": ABSENT}
    for table in (b"", b"\1", fake_cards.metrics(energy=5, content=8), fake_cards.metrics(energy=5)[:90]):
        assert read_metrics(table) == {"energy": ABSENT, "throttle": ABSENT}


def others(look: Look) -> dict[str, tuple[Any, Any]]:
    found = [(sample.subject, named(sample)) for sample in look.samples]
    return {card: (each["others"], each["others_memory"]) for card, each in found if "others" in each}


def test_processes_beside_the_container_s_are_counted_by_card(tmp_path: Path) -> None:
    cards = fake_cards.cards(tmp_path, 3)
    fake_cards.process(tmp_path, 100, {0: 5000, 1: 5000}, CONTAINER)
    fake_cards.process(tmp_path, 200, {1: 700})
    fake_cards.process(tmp_path, 300, {})  # a monitor that has opened KFD
    assert others(Cards(cards, CONTAINER, tmp_path).read()) == {
        cards[0]: (0.0, 0.0),
        cards[1]: (1.0, 700.0),
        cards[2]: (0.0, 0.0),
    }


def test_a_process_that_cannot_be_placed_leaves_the_figure_absent(tmp_path: Path) -> None:
    cards = fake_cards.cards(tmp_path, 1)
    fake_cards.process(tmp_path, 100, {0: 5000})
    shutil.rmtree(tmp_path / "proc/100")
    assert others(Cards(cards, CONTAINER, tmp_path).read()) == {cards[0]: (None, None)}


def test_a_kernel_without_kfd_says_nothing_of_processes(tmp_path: Path) -> None:
    cards = fake_cards.cards(tmp_path, 1)
    shutil.rmtree(tmp_path / "sys/class/kfd")
    assert others(Cards(cards, CONTAINER, tmp_path).read()) == {}


class FakeNvml:
    """NVML's binding, with two cards of which the second is lost, of a driver before 535."""

    class NVMLError(Exception):
        pass

    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    def __init__(self, *, initialises: bool = True) -> None:
        self.initialises = initialises
        self.ended = False

    def nvmlInit(self) -> None:  # noqa: N802 - its own name
        if not self.initialises:
            raise self.NVMLError("NVML Shared Library Not Found")

    def __getattr__(self, name: str) -> Any:
        told: dict[str, Any] = {
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": self._handle,
            "nvmlDeviceGetPciInfo": lambda _: SimpleNamespace(busId=b"00000000:3B:00.0"),
            "nvmlDeviceGetPowerUsage": lambda _: 312_500,
            "nvmlDeviceGetEnforcedPowerLimit": lambda _: 700_000,
            "nvmlDeviceGetTotalEnergyConsumption": lambda _: 4_000_000,
            "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=91, memory=40),
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=5 * 2**30, total=80 * 2**30),
            "nvmlDeviceGetTemperature": lambda *_: 61,
            "nvmlDeviceGetClockInfo": lambda _, kind: {1: 1980, 2: 2619}[kind],
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _: 0x4,
            "nvmlDeviceGetComputeRunningProcesses": lambda _: [SimpleNamespace(pid=7, usedGpuMemory=None)],
            "nvmlShutdown": self._end,
        }
        if name not in told:
            raise AttributeError(name)
        return told[name]

    def _handle(self, index: int) -> int:
        if index:
            raise self.NVMLError("GPU is lost")
        return index

    def _end(self) -> None:
        self.ended = True


def test_cards_of_nvidia_are_read_through_the_library_and_a_lost_one_is_a_gap(tmp_path: Path) -> None:
    module = FakeNvml()
    fake_cards.write(tmp_path / "proc/7/cgroup", "0::/user.slice")
    source = Nvidia(CONTAINER, tmp_path, lambda: Nvml(module))
    look = source.read()
    assert named(look.samples[0]) == {
        "power": 312.5,
        "power_cap": 700.0,
        "energy": 4000.0,
        "busy": 91,
        "memory_busy": 40,
        "memory_used": 5 * 2**30,
        "memory_total": 80 * 2**30,
        "temperature": 61,
        "clock_core": 1980,
        "clock_memory": 2619,
        "throttle": "power",
    }
    assert [(gap.id, gap.subject) for gap in look.gaps] == [("device-lost", "card 1")]
    assert others(look)["0000:3b:00.0"] == (1.0, 0.0)
    source.close()
    assert module.ended


def test_a_machine_without_the_library_says_which_part_is_missing_and_loads_it_once(tmp_path: Path) -> None:
    with pytest.raises(NvmlAbsentError, match="no-driver"):
        Nvml(FakeNvml(initialises=False))
    loads: list[int] = []

    def load() -> Nvml:
        loads.append(1)
        return Nvml(FakeNvml(initialises=False))

    source = Nvidia(CONTAINER, tmp_path, load)
    assert [gap.id for gap in (*source.read().gaps, *source.read().gaps)] == ["no-driver", "no-driver"]
    assert loads == [1]
    source.close()
