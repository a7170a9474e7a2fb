"""Where each thing of a run lies.

manifest.json                     state and facts of the run
profile.yaml                      the resolved profile
points/<id>/r<n>/record.json      one measurement; result.json is vLLM's own, byte for byte; client.log
warmup/                           the same for the warm-up
logs/server.log                   the server's output
events.jsonl                      what happened, a line for each event; see `orchestrator.runs.journal`
search.json                       what a search has found, as its JSON says it
summary.csv                       the table, derived
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.files import make_folder
from orchestrator.runs.format.records import MeasurementRecord

MANIFEST = "manifest.json"
PROFILE = "profile.yaml"
RECORD = "record.json"
RESULT = "result.json"
CLIENT_LOG = "client.log"
LOCK = ".lock"
ATTEMPT = ".attempt-"
"""Stands in the name of the folder of a measurement that was taken again."""


class Layout:
    """The places in a run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        """Return the folder of logs that belong to no single measurement."""
        return make_folder(self.path / "logs")

    @property
    def server_log(self) -> Path:
        """Return where the server's log lies."""
        return self.logs / "server.log"

    def fresh_server_log(self) -> Path:
        """Return where the log of a further server goes; the log of an earlier one is kept under another name."""
        log = self.server_log
        if log.exists():
            log.rename(log.with_name(f"server-{len(list(self.logs.glob('server-*.log'))) + 1}.log"))
        return log

    @property
    def summary_csv(self) -> Path:
        """Return where the table lies."""
        return self.path / "summary.csv"

    def client_log(self, record: MeasurementRecord) -> Path:
        """Return where the output of a measurement's client lies."""
        return self.measurement(record.point, record.repetition) / CLIENT_LOG

    def measurement(self, point: str, repetition: int) -> Path:
        """Return the folder of a measurement; repetition 0 is the warm-up."""
        inner = ("points", point, f"r{repetition}") if repetition else ("warmup", point)
        return self.path.joinpath(*inner)
