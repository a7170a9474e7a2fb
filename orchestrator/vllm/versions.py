"""Which version of vLLM a text or the name of an image tells.

A version that cannot be vLLM's is never returned: what is unknown is planned as unknown, and said to be.
"""

from __future__ import annotations

import re

Version = tuple[int, int, int]

OLDEST = (0, 6, 0)
"""Builds from source call themselves 0.0.0 or 0.1.dev1, so that a version before this one says nothing."""
OLDEST_PLANNED = (0, 8, 0)
"""First version with `vllm bench serve`; what is planned for older ones would be a guess."""

_IN_TEXT = re.compile(r"vllm[-_]?v?(0\.\d+\.\d+)(?!\d)", re.IGNORECASE)
"""`vllm0.18.1`, `vllm_0.9.1` and `vllm-v0.9.2` say it in the name of any image, and in any place of its tag."""
_OF_TAG = re.compile(r"v?(0\.\d+\.\d+)(?!\d)")
"""What the tag of an image of vLLM begins with."""
_WITHIN_TAG = re.compile(r"[-_]v(0\.\d+\.\d+)(?!\d)")
"""A `v` marks a version behind something else, as in `cu129-v0.11.0`."""
_OF_VLLM = re.compile(r"(?:^|[-_.])vllm(?:[-_.]|$)|^orch-(?:cpu|client)$")
"""Images whose tag is a version of vLLM, by the last part of their names."""
_OF_OTHERS = re.compile(
    r"gaudi|habana|hpu|lmcache|router|stack|operator|proxy|exporter|installer|sglang", re.IGNORECASE
)
"""Images around vLLM that count their own versions."""


def parse_version(text: str) -> Version | None:
    """Return the first three numbers of a version such as `0.8.5+das.opt1`, or None where there is none.

    What follows them, be it a local part, `.post1`, `rc2` or `.dev3`, does not count.
    """
    match = re.search(r"(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def version_in_image(image: str) -> str | None:
    """Return the vLLM version that an image reference names, as in `vllm:0.8.5-ubuntu22.04`; None if it names none.

    A version counts where the reference calls it vLLM's, or where it begins the tag of an image of vLLM. No release of
    vLLM is 1.0 or later, so that a number such as `vllm-gaudi:1.22.0` is another product's.
    """
    path, tag = _parts(image)
    name = path.rpartition("/")[2]
    if found := _IN_TEXT.search(tag) or _IN_TEXT.search(name):
        return found[1]
    if not _OF_VLLM.search(name) or _OF_OTHERS.search(path):
        return None
    found = _OF_TAG.match(tag) or _WITHIN_TAG.search(tag)
    return found[1] if found else None


def planned_version(image: str) -> str | None:
    """Return the version that an image's name tells, if it is one whose commands are known."""
    named = version_in_image(image)
    parsed = parse_version(named or "")
    return named if parsed is not None and parsed >= OLDEST_PLANNED else None


def _parts(image: str) -> tuple[str, str]:
    """Return the path of an image's name, registry included, and its tag; a digest and a registry's port are no tag."""
    named = image.partition("@")[0]
    folder, slash, last = named.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag
