"""The fixture that starts the stub's server; `stub_process` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stub_process import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serving]:
    """Start stub servers; what is left of them ends after the test."""
    serving = Serving(tmp_path)
    yield serving
    serving.end()
