"""Promise V1: A busy node is a doubt, with figures; a quiet one never is, however busy the server makes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_bench, a_measurement, a_profile, a_record, a_run, result_bytes

from orchestrator.plan.sweep import sweep
from orchestrator.report.data import run_data
from orchestrator.results.validity import RULES, Verdict, assess
from orchestrator.runs.format.node_load import NodeLoad, NodeUse
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.results.validity import Assessment


def use(**parts: float | None) -> NodeUse:
    """What others took; nothing unless it is said."""
    usual: dict[str, Any] = {"busy": 0.9, "foreign": 0.01, "stolen": 0.0, "cpu_pressure": 0.0, "memory_pressure": 0.0}
    return NodeUse(seconds=10.0, cpus=64, **{**usual, "io_pressure": 0.0, **parts})


def judged(node: NodeLoad | None) -> Assessment:
    metrics = read_metrics(result_bytes(duration=10.0, mean_e2el_ms=100.0))
    (found,) = assess([a_record(a_measurement(), metrics=metrics, node=node)]).values()
    return found


BUSY = {
    "10 % of its processor time during": NodeLoad(during=use(foreign=0.10), load_before=7.25),
    "40 % of its processor time before": NodeLoad(before=use(foreign=0.40), during=use()),
    "waited for a processor 20 %": NodeLoad(during=use(foreign=0.05, cpu_pressure=0.20)),
    "hypervisor gave 5 %": NodeLoad(during=use(stolen=0.05)),
    "waited for memory 10 %": NodeLoad(during=use(memory_pressure=0.10)),
    "waited for disks 25 %": NodeLoad(during=use(io_pressure=0.25)),
    "0000:c3:00.0 was 12 % in use": NodeLoad(during=use(), devices_before={"0000:c3:00.0": 0.12}),
}


@pytest.mark.parametrize("said", BUSY)
def test_a_busy_node_is_a_doubt_with_its_figures(said: str) -> None:
    found = judged(BUSY[said])
    assert [reason.id for reason in found.reasons] == ["node-busy"]
    assert found.verdict is Verdict.SUSPECT
    text = found.reasons[0].text.replace("%", " %")
    parts = said.split(" during", maxsplit=1)[0].split(" before", maxsplit=1)[0]
    assert parts.replace(" of its processor time", "") in text or parts in text


def test_the_load_stands_beside_the_doubt() -> None:
    assert "(load 7.2 on 64 processors before it)" in judged(BUSY["10 % of its processor time during"]).reasons[0].text


@pytest.mark.parametrize(
    "node",
    [
        NodeLoad(before=use(), during=use(), load_before=0.2),
        NodeLoad(during=use(busy=1.0, foreign=0.04, cpu_pressure=1.0), load_before=200.0),
        NodeLoad(during=use(foreign=0.09, cpu_pressure=0.19)),
        NodeLoad(before=use(cpu_pressure=1.0, memory_pressure=0.5, io_pressure=0.9), during=use()),
        NodeLoad(during=use(memory_pressure=0.09, io_pressure=0.24, stolen=0.04)),
        NodeLoad(during=use(), devices_before={"0000:c3:00.0": 0.09}),
        NodeLoad(during=use(stolen=None, cpu_pressure=None, memory_pressure=None, io_pressure=None)),
    ],
)
def test_a_quiet_node_is_none_however_hard_the_server_works(node: NodeLoad) -> None:
    found = judged(node)
    assert (found.reasons, [each.id for each in found.unchecked if each.id == "node"]) == ((), [])


@pytest.mark.parametrize("node", [None, NodeLoad(), NodeLoad(during=use(foreign=None))])
def test_where_nobody_says_whose_time_is_whose_it_is_said_beside_the_verdict(node: NodeLoad | None) -> None:
    found = judged(node)
    assert found.verdict is Verdict.VALID
    assert "node" in [each.id for each in found.unchecked]


def test_what_is_said_keeps_its_id_and_its_figures_in_data(tmp_path: Path) -> None:
    metrics = read_metrics(result_bytes(duration=10.0, mean_e2el_ms=100.0))
    run = a_run(tmp_path)
    measurement = sweep(a_profile().bench or a_bench())[0]
    run.write_record(a_record(measurement, metrics=metrics, node=NodeLoad(during=use(foreign=0.4))))
    (told,) = json.loads(json.dumps(run_data(run)))["results"]
    (doubt,) = told["why"]["doubts"]
    assert (told["verdict"], doubt["id"], RULES) == ("SUSPECT", "node-busy", 2)
    assert doubt["fields"]["text"]["fields"]["foreign"] == 0.4
    assert {each["id"] for each in told["why"]["unchecked"]} >= {"counters", "details"}
    assert told["unchecked"] == " ".join(each["id"] for each in told["why"]["unchecked"])
