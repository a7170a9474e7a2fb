"""What a log says of the server itself: its version of vLLM, and whether it runs on a CPU."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOOKED_AT = 1 << 20
"""Bytes of the log's beginning that are looked at: servers introduce themselves first."""
_VERSION = re.compile(
    rb"vLLM (?:API )?server version v?(\d[\w.+-]*)|\xe2\x96\x88 {1,4}version (\d[\w.+-]*)|LLM engine \(v(\d[\w.+-]*)\)"
)
_CPU = re.compile(rb"Automatically detected platform cpu\b|device_config=(?:device\()?[\"']?cpu\b|\bcpu_worker\.py:\d")
_VLLM = re.compile(
    rb"\[[\w./-]{1,120}\.py:\d{1,6}\]|vLLM (?:API )?server|\(\w{1,40}(?: \w{1,20})? pid=\d|site-packages/vllm/"
    rb"|dist-packages/vllm/"
)


@dataclass(frozen=True)
class About:
    """What a server says of itself."""

    version: str
    """Empty where it does not say."""
    on_cpu: bool
    is_vllm: bool
    """Whether vLLM has logged anything at all."""


def about_server(log: bytes) -> About:
    """Return what a log says of its server."""
    head = log[:LOOKED_AT]
    match = _VERSION.search(head)
    version = next(group for group in match.groups() if group).decode() if match else ""
    return About(version, bool(_CPU.search(head)) or "+cpu" in version, bool(_VLLM.search(head)))
