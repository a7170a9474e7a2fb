"""Promise V1: What the kernel's files say of others on a node: pure readers over files that the test writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.accelerators.use import device_use
from orchestrator.node.busy import TICKS, Moment, NodeWatch, Roots, moment, usage_file, use_between

CONTAINER = "ab" * 32
PID = 4711


class Kernel:
    """A machine's files, written anew as its clocks go on."""

    def __init__(self, folder: Path, cgroup: int = 2) -> None:
        self.roots = Roots(folder / "proc", folder / "cgroup")
        self._cgroup = cgroup
        group = f"docker/{CONTAINER}" if cgroup == 1 else f"system.slice/docker-{CONTAINER}.scope"
        lines = {1: f"5:cpu,cpuacct:/{group}\n3:memory:/{group}\n0::/\n", 2: f"0::/{group}\n"}
        self._usage = self.roots.cgroup / {1: f"cpu,cpuacct/{group}/cpuacct.usage", 2: f"{group}/cpu.stat"}[cgroup]
        self._write(self.roots.proc / str(PID) / "cgroup", lines[cgroup])
        self._write(self.roots.proc / "loadavg", "3.50 2.00 1.00 1/200 999\n")
        self.show()

    def show(self, *, programs: float = 0.0, container: float = 0.0, orch: float = 0.0, **clocks: float) -> None:
        """Let the clocks stand at so many seconds since the machine's start; waits are by resource."""
        user, system = int(programs * TICKS * 0.75), int(programs * TICKS) - int(programs * TICKS * 0.75)
        steal = int(clocks.get("stolen", 0.0) * TICKS)
        interrupts = int(clocks.get("interrupts", 0.0) * TICKS)
        line = f"{user} 0 {system} 99999 10 {interrupts} 0 {steal} 0 0"
        self._write(self.roots.proc / "stat", f"cpu  {line}\ncpu0 {line}\ncpu1 {line}\nintr 1 2\n")
        own = int(orch * TICKS)
        self._write(self.roots.proc / "self" / "stat", f"1 (a (b) c) S {'1 ' * 10}{own} 0 0 0 20 0 1\n")
        micro, nano = int(container * 1e6), int(container * 1e9)
        self._write(self._usage, f"{nano}\n" if self._cgroup == 1 else f"usage_usec {micro}\nuser_usec 1\n")
        for name in ("cpu", "memory", "io"):
            waited = int(clocks.get(name, 0.0) * 1e6)
            text = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={waited}\nfull avg10=0.00 total=0\n"
            self._write(self.roots.proc / "pressure" / name, text)

    def moment(self, at: float) -> Moment:
        read = moment(usage_file(CONTAINER, PID, self.roots), self.roots)
        return Moment(at, read.cpus, read.programs, read.stolen, read.own, read.pressure)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


@pytest.mark.parametrize("cgroup", [1, 2])
def test_what_the_container_and_orch_use_is_not_foreign(tmp_path: Path, cgroup: int) -> None:
    kernel = Kernel(tmp_path, cgroup)
    before = kernel.moment(100.0)
    kernel.show(programs=16.0, container=14.0, orch=1.0, interrupts=3.0)
    use = use_between(before, kernel.moment(110.0))
    assert use is not None
    assert (use.cpus, use.seconds) == (2, 10.0)
    assert use.busy == pytest.approx(0.8)
    assert use.foreign == pytest.approx(0.05)
    assert use.stolen == 0.0


def test_pressure_and_what_a_hypervisor_takes_are_parts_of_the_time(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    before = kernel.moment(100.0)
    kernel.show(stolen=2.0, cpu=5.0, memory=1.0, io=0.5)
    use = use_between(before, kernel.moment(110.0))
    assert use is not None
    assert use.stolen == pytest.approx(0.1)
    assert use.cpu_pressure == pytest.approx(0.5)
    assert use.memory_pressure == pytest.approx(0.1)
    assert use.io_pressure == pytest.approx(0.05)


def test_a_container_s_clock_that_runs_ahead_of_the_machine_s_makes_nobody_foreign(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    before = kernel.moment(0.0)
    kernel.show(programs=1.0, container=1.2)
    use = use_between(before, kernel.moment(1.0))
    assert use is not None
    assert use.foreign == 0.0


def test_a_container_of_another_machine_is_not_taken_for_a_process_of_this_one(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    assert usage_file("cd" * 32, PID, kernel.roots) is None
    assert usage_file(CONTAINER, PID + 1, kernel.roots) is None
    assert usage_file(CONTAINER, None, kernel.roots) is None


def test_a_kernel_that_does_not_say_leaves_figures_null(tmp_path: Path) -> None:
    silent = Roots(tmp_path / "none", tmp_path / "none")
    first, last = moment(None, silent), moment(None, silent)
    use = use_between(Moment(0.0, *_rest(first)), Moment(5.0, *_rest(last)))
    assert use is not None
    assert (use.busy, use.foreign, use.stolen, use.cpu_pressure) == (None, None, None, None)


def _rest(read: Moment) -> tuple[int, float | None, float | None, float | None]:
    return read.cpus, read.programs, read.stolen, read.own


def test_two_moments_too_close_together_say_nothing(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    assert use_between(kernel.moment(1.0), kernel.moment(1.1)) is None


def test_a_clock_that_began_anew_is_not_known(tmp_path: Path) -> None:
    """As a container's after the server was started again."""
    kernel = Kernel(tmp_path)
    kernel.show(programs=50.0, container=40.0)
    before = kernel.moment(0.0)
    kernel.show(programs=60.0, container=1.0)
    use = use_between(before, kernel.moment(10.0))
    assert use is not None
    assert use.foreign is None
    assert use.busy == pytest.approx(0.5)


def test_a_watch_tells_before_and_during_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, clock = Kernel(tmp_path), [0.0]
    monkeypatch.setattr("orchestrator.node.busy.time.monotonic", lambda: clock[0])
    watch = NodeWatch(CONTAINER, PID, lambda: {"0000:03:00.0": 0.4}, kernel.roots)
    clock[0] = 10.0
    kernel.show(programs=10.0)
    watch.begin(idle=True)
    clock[0] = 20.0
    kernel.show(programs=14.0, container=2.0)
    seen = watch.end()
    assert seen.before is not None
    assert seen.during is not None
    assert seen.before.foreign == pytest.approx(0.5)
    assert seen.during.foreign == pytest.approx(0.1)
    assert (seen.load_before, seen.devices_before) == (3.5, {"0000:03:00.0": 0.4})


@pytest.mark.parametrize("idle", [False, None])
def test_devices_are_not_looked_at_while_the_server_may_use_them(tmp_path: Path, *, idle: bool | None) -> None:
    watch = NodeWatch(CONTAINER, PID, lambda: {"0000:03:00.0": 1.0}, Kernel(tmp_path).roots)
    watch.begin(idle=idle)
    assert watch.end().devices_before == {}


def test_the_use_of_a_server_s_own_devices_is_read_and_of_no_others(tmp_path: Path) -> None:
    for number, busy in ((128, "37\n"), (129, "5\n"), (130, "nothing\n")):
        device = tmp_path / "devices" / f"0000:{number:03}:00.0"
        device.mkdir(parents=True)
        (device / "gpu_busy_percent").write_text(busy, encoding="ascii")
        (tmp_path / "drm" / f"renderD{number}").mkdir(parents=True)
        (tmp_path / "drm" / f"renderD{number}" / "device").symlink_to(device)
    drm = tmp_path / "drm"
    assert device_use(["/dev/kfd", "/dev/dri/renderD128"], drm) == {"0000:128:00.0": 0.37}
    assert device_use(["/dev/dri"], drm) == {"0000:128:00.0": 0.37, "0000:129:00.0": 0.05}
    assert device_use(["/dev/nvidia0", "/dev/dri/renderD200"], drm) == {}


def test_this_machine_can_be_read() -> None:
    first = moment(None, Roots())
    assert first.cpus == len(os.sched_getaffinity(0)) or first.cpus == os.cpu_count()
    assert first.programs is not None
    assert first.programs > 0.0
