"""The table of metrics in docs/metrics.md, written from the catalogue.

`python -m orchestrator.metrics.reference docs/metrics.md` writes it anew into the committed page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.metrics.catalogue import CATALOGUE, Metric

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


def rewritten(page: str) -> str:
    """Return a page with the table as it is now in place of the one between the two comments."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
