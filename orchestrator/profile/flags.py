"""What the image's vLLM makes of a profile's flags: by its own parsers where they were asked, else by its version.

A parser's refusal is a problem for certain; what a version alone tells is a remark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.profile.names import did_you_mean, nearest
from orchestrator.profile.tree import show_keys
from orchestrator.vllm.client import VLLM, version_in_image
from orchestrator.vllm.parser import BEFORE_PARSER, wrong_value
from orchestrator.vllm.serve_flags import absence, deprecation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from orchestrator.profile.schema import Profile
    from orchestrator.profile.tree import Keys
    from orchestrator.vllm.parser import ImageParsers, Parser

SERVER: Keys = ("server", "flags")
CLIENT: Keys = ("bench", "client_flags")


@dataclass(frozen=True)
class FlagProblem:
    """A flag that the image's parser refuses."""

    keys: Keys
    """Where it stands in the profile."""
    text: str
    of_value: bool
    """Its value is wrong; else there is no such flag."""


def refused(profile: Profile, parsers: ImageParsers) -> list[FlagProblem]:
    """Return the flags of server and client that the image's parsers refuse, in the profile's order."""
    found = list(_refused(SERVER, profile.server.flags, parsers.serve, parsers.vllm))
    if profile.bench is not None and profile.bench.client == VLLM:
        found += _refused(CLIENT, profile.bench.client_flags, parsers.bench, parsers.vllm)
    return found


def remarks(profile: Profile, parsers: ImageParsers | None = None) -> Iterator[tuple[str, str]]:
    """Yield key and text for each server flag that the image's version has no longer, not yet, or not for long.

    Args:
        profile: The resolved profile.
        parsers: What the image answered, if it was asked; else the version that its name tells counts.
    """
    version = version_in_image(profile.container.image) if parsers is None else parsers.vllm
    given = [name for name, value in profile.server.flags.items() if value is not None]
    for name in given if version is not None else ():
        option = None
        if parsers is not None and not parsers.serve.problem:
            option = parsers.serve.option(name)
            if option is None:
                continue
        elif why := absence(name, version or ""):
            yield show_keys((*SERVER, name)), f"vLLM {version} does not know it; it {why}"
            continue
        if why := deprecation(name, version or ""):
            yield show_keys((*SERVER, name)), why
        elif option is not None and option.deprecated:
            yield show_keys((*SERVER, name)), f"is deprecated, says the parser of vLLM {version}"


def not_asked(profile: Profile, parsers: ImageParsers) -> Iterator[tuple[str, str]]:
    """Yield key and reason for the flags that no parser of the image could be asked about."""
    if parsers.serve.problem:
        yield show_keys(SERVER), f"cannot be checked, vllm serve's parser cannot be built: {parsers.serve.problem}"
    if profile.bench is None or not profile.bench.client_flags:
        return
    if profile.bench.client != VLLM:
        yield show_keys(CLIENT), f"cannot be checked, {profile.bench.client} is not vllm bench serve"
    elif parsers.bench.problem:
        yield (
            show_keys(CLIENT),
            f"cannot be checked, vllm bench serve's parser cannot be built: {parsers.bench.problem}",
        )


def warnings(profile: Profile, parsers: ImageParsers | None) -> list[str]:
    """Return a line for each flag that will stop the server or the client, or may do so one day."""
    certain = [] if parsers is None else [(show_keys(item.keys), item.text) for item in refused(profile, parsers)]
    return [f"{key} — {text}" for key, text in (*certain, *remarks(profile, parsers))]


def _refused(keys: Keys, flags: Mapping[str, JsonValue], parser: Parser, version: str) -> Iterator[FlagProblem]:
    for name, value in () if parser.problem else flags.items():
        if value is None or name in BEFORE_PARSER:
            continue
        option = parser.option(name)
        if option is None:
            why = absence(name, version) if keys == SERVER else None
            advice = f"; it {why}" if why else did_you_mean(nearest(name, parser.names()))
            yield FlagProblem((*keys, name), f"unknown to the image's vLLM {version}{advice}", of_value=False)
        elif problem := wrong_value(option, name, value):
            yield FlagProblem((*keys, name), problem, of_value=True)
