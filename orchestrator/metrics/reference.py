"""The tables of metrics and of what stands beside them in docs/metrics.md, written from the catalogue.

`python -m orchestrator.metrics.reference docs/metrics.md` writes them anew into the committed page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.metrics.catalogue import BESIDE, CATALOGUE, Metric

BEGIN = "<!-- Written by `python -m orchestrator.metrics.reference` as far as the next comment; a test compares. -->"
END = "<!-- As far as here. -->"
HEAD = """\
| metric | unit | better | heading on the screen | guide's column | missing where | what it is |
|---|---|---|---|---|---|---|
"""


def table() -> str:
    """Return the metrics as a table in Markdown; of each latency, its mean."""
    return HEAD + "".join(_row(metric) for metric in CATALOGUE.values() if metric.statistic in ("", "mean"))


def _row(metric: Metric) -> str:
    missing = ["no tokens are generated"] if metric.of_tokens else []
    missing += [] if metric.always else ["the client does not say"]
    guide = f"`{metric.guide}`" if metric.guide else ""
    facts = (metric.unit, metric.better or "", metric.heading, guide, ", ".join(missing), metric.text)
    return f"| `{metric.name}` | {' | '.join(facts)} |\n"


def beside() -> str:
    """Return the columns beside the client's figures as a table in Markdown."""
    rows = (f"| `{column.name}` | {column.unit} | {column.text} |\n" for column in BESIDE)
    return "| column | unit | what it is |\n|---|---|---|\n" + "".join(rows)


def rewritten(page: str) -> str:
    """Return a page with both tables as they are now, each between two comments."""
    before, *parts = page.split(BEGIN)
    tables = (table(), beside())
    return before + "".join(
        f"{BEGIN}\n\n{written}\n{END}{part.partition(END)[2]}" for written, part in zip(tables, parts, strict=True)
    )


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
