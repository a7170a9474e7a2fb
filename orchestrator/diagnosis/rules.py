"""All causes that orch knows by name, by subject."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.diagnosis import (
    rules_command,
    rules_compiling,
    rules_container,
    rules_device_state,
    rules_devices,
    rules_features,
    rules_flags,
    rules_hub,
    rules_libraries,
    rules_memory,
    rules_model,
    rules_packages,
    rules_parallel,
    rules_parsers,
    rules_permissions,
    rules_process,
    rules_quantization,
    rules_rendezvous,
    rules_tokenizer,
    rules_weights,
)
from orchestrator.diagnosis.rule import Rule

SUBJECTS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "The container": rules_container.RULES,
        "The command": rules_command.RULES,
        "Users, permissions and limits": rules_permissions.RULES,
        "Libraries": rules_libraries.RULES,
        "Python packages": rules_packages.RULES,
        "Flags and port": rules_flags.RULES,
        "What flags switch on": rules_features.RULES,
        "Parsers and tasks": rules_parsers.RULES,
        "The hub": rules_hub.RULES,
        "The model": rules_model.RULES,
        "Tokenizer and processor": rules_tokenizer.RULES,
        "The weights": rules_weights.RULES,
        "Quantization and data types": rules_quantization.RULES,
        "Memory": rules_memory.RULES,
        "Accelerators": rules_devices.RULES,
        "State of accelerators": rules_device_state.RULES,
        "Several devices": rules_parallel.RULES,
        "Several processes": rules_rendezvous.RULES,
        "Compiling": rules_compiling.RULES,
        "Processes": rules_process.RULES,
    }
)
RULES: tuple[Rule, ...] = tuple(rule for rules in SUBJECTS.values() for rule in rules)
