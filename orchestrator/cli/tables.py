"""The tables of results that people see."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.cli.grid import Grid
from orchestrator.metrics.catalogue import CATALOGUE
from orchestrator.metrics.objectives import marked
from orchestrator.plan.naming import short_names
from orchestrator.report.table import Cell, Row
from orchestrator.workload.backend import COMPLETIONS, backend_of
from orchestrator.workload.point import lengths_text

if TYPE_CHECKING:  # most results are no search's
    from orchestrator.measuring.found import Found
    from orchestrator.measuring.search_plan import SearchPlan
    from orchestrator.runs.study import Study

OTHERS = {"batch": "batch", "lengths": "in/out", "repetition": "rep", "verdict": "verdict", "met": "met"}
"""Headings of the columns that hold no metric."""
OF_POINT = ("batch", "lengths", "repetition", "duration_s", "request_throughput")
OF_TOKENS = ("mean_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "p99_tpot_ms", "mean_itl_ms", "p99_itl_ms")
SHOWN = (*OF_POINT, "output_throughput", "total_token_throughput", *OF_TOKENS, "verdict")
"""Columns of the table on the screen, as the wide table names them; the CSV has them all."""
WHOLE = (*OF_POINT, "total_token_throughput", "mean_e2el_ms", "p99_e2el_ms", "verdict")
"""The columns where no request generates tokens."""
NARROW = ("batch", "lengths", "output_throughput", "total_token_throughput", *OF_TOKENS[::2], "verdict")
"""The columns that are left where the terminal is too narrow for all."""
SEARCHED = (
    "request_throughput", "request_goodput", "output_throughput", "mean_ttft_ms", "mean_tpot_ms", "mean_e2el_ms",
)  # fmt: skip
"""The metrics of the table of what a search has tried."""


def results_tables(title: str, rows: Sequence[Row], varied: tuple[str, ...]) -> tuple[Grid, Callable[[], Grid]]:
    """Return the table of measurements, first the keys that varied, and what makes one for a narrow terminal."""
    names = [(name, key) for key, name in short_names(varied).items()]
    whole = bool(rows) and not any(backend_of(str(row.get("backend") or COMPLETIONS)).generates for row in rows)
    wide, narrow = (_headed(columns) for columns in ((WHOLE, WHOLE) if whole else (SHOWN, NARROW)))
    table = functools.partial(_table, title, rows, left=len(names))
    return table([*names, *wide]), lambda: table([*names, *narrow])


def _headed(columns: Sequence[str]) -> list[tuple[str, str]]:
    """Return each column behind its heading."""
    return [(OTHERS[name] if name in OTHERS else CATALOGUE[name].heading, name) for name in columns]


def _table(title: str, rows: Sequence[Row], columns: Sequence[tuple[str, str]], left: int) -> Grid:
    """Return a table of columns, each a heading and what fills it; the first few are text."""
    headings = tuple(heading for heading, _ in columns)
    right = {index for index, heading in enumerate(headings) if index >= left and heading != "verdict"}
    shown = []
    for row in rows:
        thin = str(row.get("thin_percentiles") or "").split()
        shown.append([_shown(row, source, thin) for _, source in columns])
    return Grid(headings, shown, right, title)


def _shown(row: Row, source: str, thin: Sequence[str]) -> str:
    if source == "lengths":
        return "-" if row.get("dataset") is None else lengths_text(row)
    cell = row.get(source)
    return "-" if cell is None else marked(source, _text(cell), thin)


def _text(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def searched_table(found: Found) -> Grid:
    """Return the table of the loads that a search has tried."""
    columns = _headed(("repetition", *SEARCHED, "verdict", "met"))
    headings = (found.plan.over, *(heading for heading, _ in columns))
    rows = []
    for item in sorted(found.tried, key=lambda item: (item.load, item.record.repetition)):
        metrics = item.record.metrics
        values = (metrics and CATALOGUE[name].value(metrics) for name in SEARCHED)
        shown = ("-" if figure is None else f"{figure:.2f}" for figure in values)
        met = "yes" if item.met else "; ".join(item.reasons)
        rows.append([str(item.load), str(item.record.repetition), *shown, found.verdict(item).value, met])
    return Grid(headings, rows, range(len(headings) - 2))


def searched_study_table(study: Study, found: Mapping[int, Found], plan: SearchPlan) -> Grid:
    """Return the table of what the searches of a study came to."""
    names = short_names(tuple(study.runs[0].manifest().varied))
    headings = (*names.values(), plan.over, "goodput", "statement")
    rows = []
    for index, run in enumerate(study.runs):
        manifest = run.manifest()
        cells = ["-" if manifest.varied[key] is None else str(manifest.varied[key]) for key in names]
        if index in found:
            capacity, goodput = found[index].capacity(), found[index].goodput()
            cells += [
                "-" if capacity is None else str(capacity),
                "-" if goodput is None else f"{goodput:.2f}",
                found[index].statement(),
            ]
        else:
            cells += ["-", "-", f"{manifest.state.value}: {manifest.headline}"]
        rows.append(cells)
    return Grid(headings, rows, (len(names), len(names) + 1))
