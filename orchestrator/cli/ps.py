"""`orch ps`: the deployments on this node."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from orchestrator.cli.output import emit, emit_json, emit_table
from orchestrator.cli.settings import settings
from orchestrator.deployment.registry import deployments
from orchestrator.engine import connect
from orchestrator.units import format_duration


def ps(as_json: bool) -> None:
    """List the deployments on this node: what is up, whose it is, since when and until when, what it holds and why."""
    found = deployments(connect(settings().environ))
    now = time.time()
    rows = [
        {
            "name": deployment.name,
            "profile": deployment.profile,
            "status": deployment.status,
            "age_s": round(now - deployment.created),
            "held": deployment.held(now),
            "holds": list(deployment.holds),
            "holds_why": list(deployment.holds_why),
            "owned": deployment.tenure.owned,
            "until": deployment.tenure.until if deployment.tenure.known and not deployment.tenure.owned else None,
            "container": deployment.container[:12],
        }
        for deployment in found
    ]
    if as_json:
        emit_json("ps", {"deployments": rows})
    elif rows:
        emit_table(ps_table(rows))
    else:
        emit("nothing is up")


def ps_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of deployments."""
    columns = ("name", "profile", "container", "status", "age", "held", "holds")
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        age = format_duration(row["age_s"])
        cells = (row["name"], row["profile"], row["container"], row["status"], age, row["held"])
        table.add_row(*cells, "\n".join(row["holds_why"]))
    return table
