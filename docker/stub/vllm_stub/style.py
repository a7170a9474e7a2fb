"""Which vLLM is emulated, and the few facts in which the two emulated families differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vllm_stub.faults import FaultError, Faults

OLD, NEW_SINCE = (0, 8), (0, 30)


@dataclass(frozen=True)
class Style:
    """The emulated version ("0.32.0") and engine ("v0" or "v1")."""

    version: str
    engine: str

    @property
    def old(self) -> bool:
        """Whether this is 0.8.x (else 0.30 or newer)."""
        return _major_minor(self.version) == OLD

    @property
    def dead_health(self) -> int:
        """Status of /health once the engine is dead; V1 of 0.8.x does not notice."""
        if not self.old:
            return 503
        return 500 if self.engine == "v0" else 200

    @property
    def reuse_port(self) -> bool:
        """Whether the listener is bound with SO_REUSEPORT, as vLLM up to 0.24 does."""
        return self.old


def _major_minor(version: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)\.\d", version)
    return (int(match[1]), int(match[2])) if match else None


def style_of(faults: Faults) -> Style:
    """The style that STUB_VLLM_VERSION, or else the VERSION file, and STUB_ENGINE ask for.

    Raises:
        FaultError: no style is known for that version, or it had no V0 engine.
    """
    version = faults.vllm_version or Path(__file__).with_name("VERSION").read_text(encoding="ascii").strip()
    number = _major_minor(version)
    if number is None or (number != OLD and number < NEW_SINCE):
        raise FaultError(f"STUB_VLLM_VERSION={version}: only 0.8.x and 0.30 or newer are emulated")
    if faults.engine == "v0" and number != OLD:
        raise FaultError(f"STUB_ENGINE=v0: vLLM {version} has no V0 engine")
    return Style(version, faults.engine)
