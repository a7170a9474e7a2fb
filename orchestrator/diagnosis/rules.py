"""All causes that orch knows by name, by subject."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.diagnosis import (
    rules_container,
    rules_devices,
    rules_flags,
    rules_memory,
    rules_model,
    rules_process,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.diagnosis.rule import Rule

SUBJECTS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "The container": rules_container.RULES,
        "Flags and port": rules_flags.RULES,
        "The model": rules_model.RULES,
        "Memory": rules_memory.RULES,
        "Accelerators": rules_devices.RULES,
        "Processes": rules_process.RULES,
    }
)
RULES: tuple[Rule, ...] = tuple(rule for rules in SUBJECTS.values() for rule in rules)
