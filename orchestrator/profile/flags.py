"""What the image's vLLM makes of a profile's flags: by its own parsers where they were asked, else by its version.

A parser's refusal is a problem for certain; what a version alone tells is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.names import SHORTEST_BEGINNING, did_you_mean, nearest
from orchestrator.profile.text.tree import Keys, show_keys
from orchestrator.text import Text
from orchestrator.vllm.client import VLLM
from orchestrator.vllm.command import command_remark
from orchestrator.vllm.flag_forms import Program, certain_form, form_of
from orchestrator.vllm.flag_kinds import KNOWN
from orchestrator.vllm.flag_names import SHORT, short_name, short_since, takes_level_alone
from orchestrator.vllm.flags import Given, gathered
from orchestrator.vllm.parser import ImageParsers, Parser, is_level, wrong_form, wrong_level
from orchestrator.vllm.serve_flags import absence, deprecation
from orchestrator.vllm.versions import planned_version, version_in_image

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
    named = version_in_image(profile.container.image)
    found = list(_refused(SERVER, profile.server.flags, parsers.serve, parsers.vllm, named))
    if profile.bench is not None and profile.bench.client == VLLM:
        found += _refused(CLIENT, profile.bench.client_flags, parsers.bench, parsers.vllm, named)
    return found


def remarks(profile: Profile, parsers: ImageParsers | None = None) -> Iterator[tuple[str, str]]:
    """Yield key and text for each flag that the image's version has no longer, not yet, not for long, or not so.

    Before them stands a command that is not seen to hand its flags to vLLM at all.

    Args:
        profile: The resolved profile.
        parsers: What the image answered, if it was asked; else the version that its name tells counts.
    """
    if launcher := command_remark(profile.server.command):
        yield "server.command", launcher
    named = version_in_image(profile.container.image)
    version = planned_version(profile.container.image) if parsers is None else parsers.vllm
    if parsers is None and named is not None and version is None:
        yield (
            "container.image",
            Text("names vLLM {named}, older than orch knows; it is planned for as if it were the newest", named=named),
        )
    for given in gathered(profile.server.flags):
        if given.value is not None:
            yield from _remarks_on_server_flag(given, version, parsers)
    if profile.bench is not None and profile.bench.client == VLLM and parsers is None:
        for given in gathered(profile.bench.client_flags):
            yield from _misgiven(CLIENT, given, version, "bench")


def _remarks_on_server_flag(
    given: Given, version: str | None, parsers: ImageParsers | None
) -> Iterator[tuple[str, str]]:
    key, name = show_keys((*SERVER, given.written[0])), given.name.flag
    if whole := _abbreviated(name):
        yield (
            key,
            Text(
                "may be an abbreviation of {whole}, as which orch does not know it; write the name in full", whole=whole
            ),
        )
    option = None
    if parsers is not None and not parsers.serve.problem:
        option = parsers.serve.option_of(given.name)
        if option is None:
            return
    elif why := absence(name, version or ""):
        yield key, Text("vLLM {version} does not know it; it {why}", version=version, why=why)
        return
    if why := deprecation(name, version or ""):
        yield key, why
    elif option is not None and option.deprecated:
        yield key, Text("is deprecated, says the parser of vLLM {version}", version=version)
    if option is None:
        yield from _misgiven(SERVER, given, version, "serve")


def _abbreviated(name: str) -> str | None:
    """Return the flag that vLLM's parser may take a name for, which is no flag of any version that was looked at."""
    longer = [] if name in KNOWN else sorted(known for known in KNOWN if known.startswith(name))
    return longer[0] if longer and len(name) >= SHORTEST_BEGINNING else None


def _misgiven(keys: Keys, given: Given, version: str | None, program: Program) -> Iterator[tuple[str, str]]:
    """Yield key and text for a name or a value that no parser of the version would take, for all that is known."""
    key = show_keys((*keys, given.written[0]))
    short = short_name(given.written[0])
    if short is not None and given.name.option == short and (since := short_since(short, version)):
        yield (
            key,
            Text(
                "vLLM {version} has no {short}, which {since} has; write {long}",
                version=version,
                short=short,
                since=since,
                long=SHORT[short.lstrip("-")],
            ),
        )
    if is_level(given.name):
        alone = takes_level_alone(version) or isinstance(given.value, bool)
        problem = wrong_level(given) if alone else None
    else:
        form = certain_form(given.name.flag, version, program)
        problem = None if form is None else wrong_form(form, given)
    if problem:
        yield key, problem


def not_asked(profile: Profile, parsers: ImageParsers) -> Iterator[tuple[str, str]]:
    """Yield key and reason for the flags that no parser of the image could be asked about."""
    if parsers.serve.problem:
        yield (
            show_keys(SERVER),
            Text("cannot be checked, vllm serve's parser cannot be built: {problem}", problem=parsers.serve.problem),
        )
    if profile.bench is None or not profile.bench.client_flags:
        return
    if profile.bench.client != VLLM:
        yield (
            show_keys(CLIENT),
            Text("cannot be checked, {client} is not vllm bench serve", client=profile.bench.client),
        )
    elif parsers.bench.problem:
        yield (
            show_keys(CLIENT),
            Text(
                "cannot be checked, vllm bench serve's parser cannot be built: {problem}", problem=parsers.bench.problem
            ),
        )


def warnings(profile: Profile, parsers: ImageParsers | None) -> list[str]:
    """Return a line for each flag that will stop the server or the client, or may do so one day."""
    certain = [] if parsers is None else [(show_keys(item.keys), item.text) for item in refused(profile, parsers)]
    return [f"{key} — {text}" for key, text in (*certain, *remarks(profile, parsers))]


def _refused(
    keys: Keys, flags: Mapping[str, JsonValue], parser: Parser, version: str, named: str | None
) -> Iterator[FlagProblem]:
    """Yield what the parser refuses; `named` is the version by which orch gives lists, the image's name tells it."""
    program: Program = "serve" if keys == SERVER else "bench"
    seen: dict[tuple[str, ...], str] = {}
    for given in () if parser.problem else gathered(flags):
        name = given.written[0]
        if given.value is None:
            continue
        option = parser.option_of(given.name)
        if option is None and is_level(given.name):
            if problem := wrong_level(given):
                yield FlagProblem((*keys, name), problem, of_value=True)
        elif option is None:
            why = absence(given.name.flag, version) if keys == SERVER else None
            advice = f"; it {why}" if why else did_you_mean(nearest(given.name.flag, parser.names()))
            yield FlagProblem((*keys, name), f"unknown to the image's vLLM {version}{advice}", of_value=False)
        elif option.names in seen:
            same = f"is the same flag as '{seen[option.names]}' to the image's vLLM {version}"
            yield FlagProblem((*keys, name), same, of_value=False)
        else:
            seen[option.names] = name
            written = form_of(given.name.flag, named, program)
            if problem := wrong_form(option.form(given.name), given, option.choices, written):
                yield FlagProblem((*keys, name), problem, of_value=True)
