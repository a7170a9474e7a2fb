"""Fingerprints of what decides the figures of a run: two runs with the same ones were asked for the same.

Only what differs from its default counts, so that neither a key of a later version nor a description, a name or a
comment changes them. A workload is known by its points, whose ids do not change with later keys either.
"""

from __future__ import annotations

import hashlib
from typing import Any

from orchestrator.plan.sweep import points
from orchestrator.profile.schema.profile import Profile
from orchestrator.workload.canonical import canonical_json

OF_WORKLOAD = frozenset({"seed", "warmup", "client", "percentiles"})
"""Keys of `bench` that decide what a point's figures are, beside the points themselves."""
OF_SERVER = frozenset({"model", "command", "flags", "env"})
"""Keys of `server` that decide how fast it is; where it listens does not."""
NOT_OF_ENVIRONMENT = frozenset({"image", "pull", "labels"})
"""Keys of `container` that decide nothing: what the image holds counts, not how it is called or fetched."""


def workload_fingerprint(profile: Profile) -> str:
    """Return the fingerprint of what is sent."""
    bench = profile.bench
    if bench is None:
        return _hash({})
    ids = sorted(point.id for point in points(bench))
    return _hash({"points": ids, **bench.model_dump(mode="json", include=set(OF_WORKLOAD), exclude_defaults=True)})


def server_fingerprint(profile: Profile) -> str:
    """Return the fingerprint of what serves."""
    return _hash(profile.server.model_dump(mode="json", include=set(OF_SERVER), exclude_defaults=True))


def environment_fingerprint(profile: Profile, image_id: str, node: dict[str, Any]) -> str:
    """Return the fingerprint of where it serves.

    Args:
        profile: The profile.
        image_id: Identity of the image's content.
        node: What of the node decides figures, as plain data.
    """
    kept = profile.container.model_dump(mode="json", exclude=set(NOT_OF_ENVIRONMENT), exclude_defaults=True)
    return _hash({"container": kept, "image": image_id, "node": node})


def _hash(decides: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(decides).encode()).hexdigest()[:16]
