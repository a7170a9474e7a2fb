"""The format of a run's files, `manifest.json` and `record.json`: what each version of it holds, and how it is read.

2   Outcomes, causes and warnings are ids with fields; no file holds a sentence. The manifest has what each point is,
    the members of the deployment, fingerprints of workload, server and environment, the version of the rules of
    verdicts, and what a search found. An `outcome` is null while a measurement runs.
1   A measurement has a `state`, `reasons` in words, a `label` and `metrics` side by side; a manifest a `reason` and
    `warnings` in words and one `deployment`. Keys came without a new number: `earlier`, `study`, `varied`, `kind`,
    `dataset`, `done`.

`records` has the models of today. Each earlier format has a reader of its own, a pure function from its plain data to
that of today; a run is written in the format of today from the first change on. A format of tomorrow is refused.
"""

from __future__ import annotations

FORMAT = 2
"""The format that this version writes."""
