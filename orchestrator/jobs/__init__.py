"""Jobs: what people ask orch for, as functions that take values and return values. This is the Python API.

A job needs no terminal and no signals:

    import os
    from orchestrator.jobs import folders, load_profile, place, run

    with place(folders(os.environ), print) as here:
        directory = run(here, load_profile("cpu-tiny", here.folders.profiles))
    print(directory.path)

What a job finds out on the way it tells a listener, as events (`orchestrator.events`); what goes wrong is one of the
errors of `orchestrator.errors`. Whatever happens, a job leaves nothing running but what it was asked to leave.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.folders import folders
    from orchestrator.jobs.attached import bench, to_measure
    from orchestrator.jobs.checks import asking, check
    from orchestrator.jobs.deployments import down, up
    from orchestrator.jobs.going_on import resume
    from orchestrator.jobs.places import place
    from orchestrator.jobs.searches import search, search_study
    from orchestrator.jobs.state import status
    from orchestrator.jobs.sweeps import run, run_study
    from orchestrator.plan.variants import variants
    from orchestrator.profile.reading.load import load_profile

__all__ = [
    "asking", "bench", "check", "down", "folders", "load_profile", "place", "resume", "run", "run_study", "search",
    "search_study", "status", "to_measure", "up", "variants",
]  # fmt: skip
HOMES = {
    "orchestrator.folders": ("folders",),
    "orchestrator.jobs.attached": ("bench", "to_measure"),
    "orchestrator.jobs.checks": ("asking", "check"),
    "orchestrator.jobs.deployments": ("down", "up"),
    "orchestrator.jobs.going_on": ("resume",),
    "orchestrator.jobs.places": ("place",),
    "orchestrator.jobs.searches": ("search", "search_study"),
    "orchestrator.jobs.state": ("status",),
    "orchestrator.jobs.sweeps": ("run", "run_study"),
    "orchestrator.plan.variants": ("variants",),
    "orchestrator.profile.reading.load": ("load_profile",),
}
"""Where each name is; it is imported when it is asked for, so that one job does not pay for the others."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of each name its own
    for module, names in HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
