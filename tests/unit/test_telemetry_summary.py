"""A measurement's figures are pure functions of what was recorded between two times, and say when they cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.metrics.readings import ABSENT, Column, Kind, Quality, Reading
from orchestrator.telemetry.doubts import doubts
from orchestrator.telemetry.summary import COUNTED, INTEGRATED, Energy, energy, rise, stats, throttling
from orchestrator.telemetry.timeline import Row, Series, Timeline

CARD = "0000:09:00.0"
POWER, ENERGY = Column("power", "W"), Column("energy", "J", Kind.COUNTER)
THROTTLE = Column("throttle", "", Kind.STATE)


def series(
    column: Column,
    values: list[Any],
    *,
    kind: str = "device",
    subject: str = CARD,
    step: float = 1.0,
    source: str = "sysfs",
) -> Series:
    readings = [
        value if isinstance(value, Reading) else ABSENT if value is None else Reading(value) for value in values
    ]
    return Series(
        source, kind, subject, (column,), tuple(Row(step * number, (each,)) for number, each in enumerate(readings))
    )


def test_what_is_not_believed_or_missing_counts_in_no_mean() -> None:
    found = stats(
        series(POWER, [100.0, Reading(8.0, Quality.IMPLAUSIBLE), None, 200.0, Reading(1.0, Quality.LATE), 900.0]),
        0.0,
        4.0,
    )
    assert (found["power"].mean, found["power"].least, found["power"].most) == (150.0, 100.0, 200.0)
    assert (found["power"].count, found["power"].doubtful, found["power"].missing) == (2, 2, 1)
    assert found["power"].unit == "W"


def test_without_a_reading_that_counts_there_is_no_figure() -> None:
    assert stats(series(POWER, [None, None]), 0.0, 9.0) == {}
    assert stats(series(POWER, [1.0, 2.0]), 50.0, 60.0) == {}


@pytest.mark.parametrize(
    ("values", "begin", "end", "grown"),
    [
        ([0, 10, 20, 30], 1.0, 3.0, 20.0),
        ([0, 10, 20, 30], 0.5, 2.5, 20.0),
        ([0, 10, None, 30], 0.5, 2.5, 20.0),
        ([100, 110, 5, 15], 0.0, 3.0, 25.0),  # it began anew
        ([5, 5, 5, 5], 0.0, 3.0, 0.0),
        ([0, 10, 20, 30], 2.0, 4.0, None),  # nothing was read after the end
        ([None, None, 20, 30], 1.0, 3.0, None),
        ([], 0.0, 1.0, None),
    ],
)
def test_a_counter_is_interpolated_at_both_ends(
    values: list[Any], begin: float, end: float, grown: float | None
) -> None:
    assert rise(series(ENERGY, values), "energy", begin, end) == (None if grown is None else pytest.approx(grown))


def test_energy_is_that_of_a_counter_where_the_card_has_one() -> None:
    timeline = Timeline(
        (series(POWER, [300.0] * 100), series(ENERGY, [250.0 * second for second in range(100)], source="nvml"))
    )
    assert energy(timeline, CARD, 10.0, 20.0) == Energy(2500.0, COUNTED)


@pytest.mark.parametrize("counter", [[0.0] * 100, [None] * 100])
def test_without_a_counter_that_rises_power_is_integrated_over_a_time_that_is_long_enough(counter: list[Any]) -> None:
    timeline = Timeline((series(POWER, [300.0] * 100), series(ENERGY, counter)))
    assert energy(timeline, CARD, 10.0, 60.0) == Energy(15000.0, INTEGRATED)
    assert energy(timeline, CARD, 10.0, 39.0) is None


def test_power_that_is_not_believed_or_was_not_read_for_a_while_is_no_energy() -> None:
    wrong = [Reading(8.0, Quality.IMPLAUSIBLE)] * 100
    assert energy(Timeline((series(POWER, wrong),)), CARD, 10.0, 60.0) is None
    holed = [300.0 if second < 40 or second > 55 else None for second in range(100)]
    assert energy(Timeline((series(POWER, holed),)), CARD, 10.0, 60.0) is None
    assert energy(Timeline(), CARD, 10.0, 60.0) is None


def test_throttling_is_a_share_of_the_time_by_cause_and_unknown_where_nobody_says() -> None:
    told = series(THROTTLE, ["none", "power", "power", "thermal"])
    assert throttling(Timeline((told,)), CARD, 0.0, 3.0) == {"none": 0.25, "power": 0.5, "thermal": 0.25}
    assert throttling(Timeline((series(THROTTLE, [None, None]),)), CARD, 0.0, 3.0) == {"unknown": 1.0}
    assert throttling(Timeline((series(THROTTLE, [None, None]), told)), CARD, 0.0, 3.0)["power"] == 0.5


def named(timeline: Timeline, begin: float = 0.0, end: float = 9.0) -> dict[str, Any]:
    return {doubt.id: dict(doubt.fields) for doubt in doubts(timeline, begin, end)}


def test_heat_is_a_doubt_and_a_power_limit_is_none() -> None:
    assert named(Timeline((series(THROTTLE, ["power"] * 10),))) == {}
    assert named(Timeline((series(THROTTLE, ["thermal"] + ["none"] * 9),))) == {
        "throttled": {"by": "thermal", "share": 0.1}
    }


def test_processes_of_others_and_their_memory_are_doubts() -> None:
    count, memory = Column("others", ""), Column("others_memory", "B")
    found = named(Timeline((series(count, [0, 2, 1]), series(memory, [0, 2**30, 2**29]))))
    assert found == {"other-processes": {"processes": 2.0}, "device-memory-in-use": {"bytes": float(2**30)}}
    assert named(Timeline((series(count, [0, None]), series(memory, [0, 2**20])))) == {}


@pytest.mark.parametrize(("own", "foreign"), [(2.0, 0.25), (2.4, 0.15), (3.3, None), (None, None)])
def test_processors_that_others_use_are_a_doubt_where_it_is_known_whose_time_is_whose(
    own: float | None, foreign: float | None
) -> None:
    host = Series(
        "proc",
        "host",
        "",
        (Column("cpus", ""), Column("busy", "%")),
        tuple(Row(float(at), (Reading(4.0), Reading(75.0))) for at in range(10)),
    )
    used = [None if own is None else own * at for at in range(10)]
    container = series(Column("cpu_time", "s", Kind.COUNTER), used, kind="container", subject="")
    found = named(Timeline((host, container)))
    assert set(found) == (set() if foreign is None else {"host-busy"})
    if foreign is not None:
        assert found["host-busy"]["foreign"] == pytest.approx(0.75 - own / 4.0 if own else None)


def test_a_time_of_day_that_is_set_is_a_doubt_and_the_pace_of_a_clock_is_none() -> None:
    drift = Column("drift", "s")
    set_ = series(drift, [0.0, 0.0, 2.5, 2.5], kind="clock", subject="", step=10.0)
    paced = series(drift, [0.0, 0.0004, 0.0008, 0.001], kind="clock", subject="", step=10.0)
    assert named(Timeline((set_,)), 5.0, 25.0) == {"clock-drift": {"seconds": 2.5}}
    assert named(Timeline((paced,)), 5.0, 25.0) == {}
