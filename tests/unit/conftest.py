"""What every unit test has: property tests without a clock, and folders that are ours alone."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("orch", deadline=None, database=None)
settings.load_profile("orch")
