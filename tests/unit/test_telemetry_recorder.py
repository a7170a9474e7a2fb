"""Promise V7: A recording goes on whatever its sources do, and can be read whatever ended it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.metrics.readings import ABSENT, Column, Kind, Quality, Reading
from orchestrator.telemetry.clock import Clock
from orchestrator.telemetry.format import FILE, Writer
from orchestrator.telemetry.recorder import Recorder, recording
from orchestrator.telemetry.samples import Gap, Look, Sample, Source
from orchestrator.telemetry.timeline import read_timeline

BUSY, TOKENS, MODE = Column("busy", "%"), Column("tokens", "", Kind.COUNTER), Column("mode", "", Kind.STATE)
LONG_S = 30.0


def sample(value: float | None, subject: str = "") -> Sample:
    return Sample("device", subject, {BUSY: ABSENT if value is None else Reading(value)})


def steady(name: str = "steady", period_s: float = 0.02) -> Source:
    return Source(name, period_s, lambda: Look((sample(1.0),)))


def until(path: Path, told: Callable[[str], bool]) -> None:
    end = time.monotonic() + 20
    while not told(path.read_text(encoding="utf-8") if path.exists() else ""):
        assert time.monotonic() < end, path.read_text(encoding="utf-8")
        time.sleep(0.02)


def killed(writer: Writer, path: Path, last: str) -> None:
    """Leave a file as a writer does that is killed after it has written something."""
    writer.close(9.0)
    path.write_text(path.read_text(encoding="utf-8").replace('{"end":9.0}\n', last), encoding="utf-8")


def test_what_was_read_is_read_back_with_units_quality_and_times(tmp_path: Path) -> None:
    path, clock = tmp_path / FILE, Clock(1000.0, 0.0)
    writer = Writer(path, clock)
    figures = {BUSY: Reading(12.3456789, Quality.IMPLAUSIBLE), TOKENS: Reading(123456789.5), MODE: ABSENT}
    writer.sample("sysfs", 1.5, Sample("device", "0000:09:00.0", figures))
    writer.sample(
        "sysfs", 2.5, Sample("device", "0000:09:00.0", {BUSY: Reading(0.0), TOKENS: ABSENT, MODE: Reading("mig")})
    )
    writer.close(3.0)
    (series,) = read_timeline(path).series
    assert (series.source, series.kind, series.subject, series.columns) == (
        "sysfs",
        "device",
        "0000:09:00.0",
        (BUSY, TOKENS, MODE),
    )
    assert [row.at for row in series.rows] == [1001.5, 1002.5]
    assert series.rows[0].readings == (Reading(12.3457, Quality.IMPLAUSIBLE), Reading(123456789.5), ABSENT)
    assert series.rows[1].readings == (Reading(0), ABSENT, Reading("mig"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_absent(tmp_path: Path, value: float) -> None:
    writer = Writer(tmp_path / FILE, Clock(1000.0, 0.0))
    writer.sample("vllm", 1.0, sample(value))
    writer.close(2.0)
    assert (tmp_path / FILE).read_text(encoding="utf-8").splitlines()[2] == '[0,1.0,[null],"-"]'


def test_a_machine_that_has_no_thread_left_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with recording(tmp_path / FILE, lambda: [steady()]):
        pass
    assert read_timeline(tmp_path / FILE).series == ()


def test_a_line_of_figures_is_short(tmp_path: Path) -> None:
    writer = Writer(tmp_path / FILE, Clock(1000.0, 0.0))
    writer.sample("proc", 1.0, sample(50.0))
    writer.sample("proc", 2.0, sample(51.0))
    writer.close(3.0)
    assert (tmp_path / FILE).read_text(encoding="utf-8").splitlines()[2:] == [
        "[0,1.0,[50]]",
        "[0,2.0,[51]]",
        '{"end":3.0}',
    ]


def test_a_source_that_hangs_is_a_gap_and_the_others_go_on(tmp_path: Path) -> None:
    released = threading.Event()

    def hang() -> Look:
        released.wait(LONG_S)
        return Look((sample(9.0),))

    recorder = Recorder(tmp_path / FILE, lambda: [Source("hangs", 0.02, hang, limit_s=0.1), steady()])
    until(tmp_path / FILE, lambda text: '"gap":"late"' in text)
    begun = time.monotonic()
    recorder.stop()
    assert time.monotonic() - begun < 3.0
    released.set()
    timeline = read_timeline(tmp_path / FILE)
    assert [(hole.source, hole.id) for hole in timeline.holes] == [("hangs", "late")]
    assert {series.source for series in timeline.series} == {"steady", "clock"}
    assert len(next(series for series in timeline.series if series.source == "steady").rows) > 20


def test_a_reading_that_comes_late_is_marked_and_ends_the_gap(tmp_path: Path) -> None:
    def slow() -> Look:
        time.sleep(0.2)
        return Look((sample(9.0),))

    with recording(tmp_path / FILE, lambda: [Source("slow", 0.05, slow, limit_s=60)]):
        until(tmp_path / FILE, lambda text: text.count("[") > 3)
    (series,) = [each for each in read_timeline(tmp_path / FILE).series if each.source == "slow"]
    assert {each.quality for row in series.rows for each in row.readings} == {Quality.LATE}


@pytest.mark.parametrize(
    "error", [OSError("gone"), ValueError("garbled"), KeyError("x"), MemoryError(), RecursionError()]
)
def test_a_sampler_that_fails_is_a_gap_with_the_error_and_is_asked_again(tmp_path: Path, error: Exception) -> None:
    calls = []

    def fail() -> Look:
        calls.append(1)
        if len(calls) < 3:
            raise error
        return Look((sample(5.0),))

    with recording(tmp_path / FILE, lambda: [Source("fails", 0.02, fail)]):
        until(tmp_path / FILE, lambda text: '"gap":null' in text)
    timeline = read_timeline(tmp_path / FILE)
    assert [(hole.source, hole.id) for hole in timeline.holes] == [("fails", "broken")]
    assert timeline.holes[0].detail.startswith(type(error).__name__)
    assert timeline.holes[0].end is not None
    assert timeline.series


def test_a_source_is_read_once_more_at_the_end_unless_that_may_take_long(tmp_path: Path) -> None:
    calls: dict[str, int] = {"fast": 0, "slow": 0}

    def counted(name: str) -> Look:
        calls[name] += 1
        return Look((sample(float(calls[name]), name),))

    sources = [Source("fast", 60.0, lambda: counted("fast")), Source("slow", 60.0, lambda: counted("slow"), last=False)]
    with recording(tmp_path / FILE, lambda: sources):
        until(tmp_path / FILE, lambda text: text.count('"series"') >= 3)
    assert calls == {"fast": 2, "slow": 1}
    assert [len(series.rows) for series in read_timeline(tmp_path / FILE).series if series.source == "fast"] == [2]


def test_a_gap_is_written_once_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    calls: list[int] = []

    def gone() -> Look:
        calls.append(1)
        return Look(gaps=(Gap("no-answer", "", "a"),))

    with recording(tmp_path / FILE, lambda: [Source("gone", 0.01, gone)]):
        while len(calls) < 20:
            time.sleep(0.01)
    assert (tmp_path / FILE).read_text(encoding="utf-8").count('"gap"') == 1


def test_a_recording_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    with recording(tmp_path / "missing" / FILE, lambda: [steady()]):
        time.sleep(0.05)
    assert read_timeline(tmp_path / "missing" / FILE).series == ()


def test_a_disk_that_refuses_in_between_harms_nobody() -> None:
    with recording(Path("/dev/full"), lambda: [steady(period_s=0.001)]):
        time.sleep(1.5)


def test_a_run_that_goes_on_has_a_further_section_and_what_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / FILE
    writer = Writer(path, Clock(1000.0, 0.0))
    writer.gap("vllm", 0.5, Gap("no-answer"))
    writer.sample("proc", 1.0, sample(1.0))
    killed(writer, path, "[0,2.0,[1")
    again = Writer(path, Clock(5000.0, 0.0))
    again.sample("proc", 1.0, sample(7.0))
    again.close(2.0)
    timeline = read_timeline(path)
    assert [[row.at for row in series.rows] for series in timeline.series] == [[1001.0], [5001.0]]
    assert [(hole.begin, hole.end) for hole in timeline.holes] == [(1000.5, None)]
    assert [len(series.rows) for series in read_timeline(path, 4990.0, 5010.0).series] == [1]


@given(st.lists(st.text(max_size=30), max_size=8))
def test_a_file_of_anything_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / FILE
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    read_timeline(path)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "[0]",
        "[0,1]",
        "[0,1,2]",
        '[0,"a",[1]]',
        "{}",
        '{"series":0}',
        '{"gap":1}',
        '{"telemetry":1}',
        "7",
        "[0,1,[1],5]",
        '[0,1,[1,2],".."]',
    ],
)
def test_a_line_of_another_shape_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / FILE
    writer = Writer(path, Clock(1000.0, 0.0))
    writer.sample("proc", 1.0, sample(1.0))
    killed(writer, path, f"{line}\n[0,2.0,[2]]\n")
    (series,) = read_timeline(path).series
    assert [row.readings for row in series.rows] == [(Reading(1),), (Reading(2),)]
