"""What a deployment of a profile holds, and why: an upper bound of the cards that its server can reach.

Each way in which cards reach the container adds to it, and variables that hide cards take away only what they hide for
certain. Where nothing says which cards, it is all of the node's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.accelerators.addresses import Addresses
from orchestrator.accelerators.names import ALL, is_lasting, together
from orchestrator.accelerators.reach import (
    AMD,
    DRM,
    HYGON,
    Given,
    by_cdi,
    by_cgroup_rule,
    by_gpus,
    by_mount,
    by_node,
    by_runtime,
)
from orchestrator.accelerators.vendors import BLURS, FILTERS, OTHERS, VENDORS, Vendor
from orchestrator.accelerators.visible import Cards, Choice, Variable, left_by
from orchestrator.profile.schema.profile import Container, Profile

READ = dict.fromkeys((*FILTERS, *OTHERS, *BLURS))
"""Variables on which it depends what a server sees."""


@dataclass(frozen=True)
class Held:
    """What a deployment keeps for itself."""

    names: tuple[str, ...]
    """Sorted; `accelerators` is all of the node's."""
    why: tuple[str, ...]
    """A line `what: why` for each reason, one where nothing is held too."""


@dataclass(frozen=True)
class Surroundings:
    """What only the node knows; with it a deployment holds more than its profile says, or the same by PCI addresses."""

    default_runtime: str | None = None
    """The engine's default OCI runtime."""
    image_env: Mapping[str, str] | None = None
    """The image's own variables; None where it is not at hand yet."""
    cards: Cards = field(default_factory=Cards)
    """What of its NVIDIA cards matters to how CUDA counts them."""
    makers: frozenset[str] = frozenset()
    """Vendors of its accelerators, by their names in the table; empty where that is not known."""
    addresses: Addresses = field(default_factory=Addresses)
    """Which PCI addresses the names of its cards mean."""


def held_by(profile: Profile) -> tuple[str, ...]:
    """Return what a deployment of this profile keeps for itself, sorted: names, or `accelerators` for all of them."""
    return holding(profile).names


def holding(profile: Profile, around: Surroundings | None = None) -> Held:
    """Return what a deployment of this profile keeps for itself, and why; with what its node adds, once it is known."""
    container = profile.container
    if container.holds != "auto":
        names = tuple(sorted(set(container.holds)))
        return Held(names, (f"{together(names) or 'nothing'}: container.holds",))
    around = around or Surroundings()
    lines: dict[str, set[str]] = defaultdict(set)
    variables = _server_variables(profile, around)
    groups = _by_vendor(_reached(container, around), around)
    whole = any(_is_whole(each) for given in groups.values() for each in given)
    for vendor, given in groups.items():
        owners = (vendor,) if vendor is not None else _owners(variables, around)
        choice = _choice(vendor, owners, variables, around)
        for cards, why in _kept(given, choice, countable=whole and vendor is None):
            lines[why].update(_by_address(cards, vendor, owners, around.addresses))
    if any(ALL in found for found in lines.values()):
        lines = {why: {ALL} for why, found in lines.items() if ALL in found}
    elif not lines:
        lines = {"no accelerator reaches the container": set()}
    held = {name for found in lines.values() for name in found}
    return Held(tuple(sorted(held)), tuple(f"{together(found) or 'nothing'}: {why}" for why, found in lines.items()))


def _reached(container: Container, around: Surroundings) -> list[Given]:
    found = [Given("container.privileged")] if container.privileged else []
    for device in container.devices:
        key = "container.devices"
        found += [by_cdi(device.cdi, key)] if hasattr(device, "cdi") else by_node(device.source, key)
    found += [each for mount in container.mounts for each in by_mount(mount.source, mount.target)]
    found += by_gpus(container.gpus, around.makers)
    found += [each for rule in container.device_cgroup_rules for each in by_cgroup_rule(rule)]
    variables, files = _variables(container.env, "container.env"), bool(container.env_file)
    image_env = None if files else around.image_env
    default, makers = around.default_runtime, around.makers
    return [*found, *by_runtime(container.runtime, variables, default, image_env, makers, files=files)]


def _by_vendor(found: Sequence[Given], around: Surroundings) -> dict[Vendor | None, list[Given]]:
    """Return what reaches the container, by vendor.

    What is under /dev/dri goes to each vendor whose cards may be there; /dev/kfd is AMD's and Hygon's.
    """
    groups: dict[Vendor | None, list[Given]] = defaultdict(list)
    of_hygon = HYGON.name in around.makers and AMD.name not in around.makers
    found = [replace(each, vendor=HYGON) if each.vendor is AMD and of_hygon else each for each in found]
    opened_through_drm = dict.fromkeys(each.vendor for each in found if each.vendor is not None and each.vendor.drm)
    for each in found:
        owners = tuple(opened_through_drm) or (None,) if each.vendor is DRM else (each.vendor,)
        for vendor in owners:
            groups[vendor].append(each)
    return groups


def _is_whole(given: Given) -> bool:
    return given.cards is None and not given.some and not given.control


def _kept(given: list[Given], choice: Choice, *, countable: bool) -> Iterator[tuple[tuple[str, ...] | None, str]]:
    """Yield cards of one vendor that are held, None for all of them, each with the reason.

    Args:
        given: What of them reaches the container.
        choice: What variables leave of all of the node's.
        countable: Something else reaches all cards, so that their numbers are known.
    """
    named = [each for each in given if not each.control and each.cards != ()]
    named = named or [each for each in given if each.control] or given
    named = [each for each in named if not each.shown] or named
    everything = [each for each in named if each.cards is None]
    if choice.cards == () and choice.by:
        yield (), f"{_joined(choice.by)} hides all that is given"
        return
    by_name = [each for each in named if each.cards is not None]
    if by_name or not everything:
        cards = tuple(dict.fromkeys(card for each in by_name for card in each.cards or ()))
        yield cards, _joined([each.what for each in by_name or named])
    if not everything:
        return
    partly = [] if countable else [each for each in everything if each.some]
    if choice.cards is not None and (not partly or all(map(is_lasting, choice.cards))):
        yield choice.cards, _joined(choice.by)
        return
    told = choice.unknown or (partly and choice.by)
    if told:
        why = f"orch cannot tell what {_joined(told)} leaves"
        ways = list(dict.fromkeys(each.what for each in partly or everything))
    else:
        why = everything[0].why
        ways = list(dict.fromkeys(each.what for each in everything if each.why == why))
    yield None, f"{_joined(ways)} {'is' if len(ways) == 1 else 'are'} given and {why}"


def _by_address(
    cards: tuple[str, ...] | None, vendor: Vendor | None, owners: Sequence[Vendor], addresses: Addresses
) -> tuple[str, ...]:
    """Return cards by their PCI addresses, as far as the node tells; None for all of a vendor's, or of the node's."""
    if cards is None:
        return addresses.every.get(vendor.name, (ALL,)) if vendor is not None else (ALL,)
    names: list[str | None] = [each.name for each in owners] or [None]
    return tuple(dict.fromkeys(found for card in cards for name in names for found in addresses.of(card, name)))


def _owners(variables: Mapping[str, Variable], around: Surroundings) -> tuple[Vendor, ...]:
    """Return whose cards may be meant where that is not said: vendors whose variables are set, and those of the node.

    A vendor that the node has no cards of is left out where one that it has cards of reads the same variables.
    """
    asked = {each.name: {name for group in each.filters for name in group if name in variables} for each in VENDORS}
    read_here = {name for vendor in around.makers for name in asked.get(vendor, ())}
    meant = {each: asked[each.name] - (set() if each.name in around.makers else read_here) for each in VENDORS}
    present = (each for each in VENDORS if each.name in around.makers and not meant[each])
    return (*(each for each in VENDORS if meant[each]), *present)


def _choice(
    vendor: Vendor | None, owners: Sequence[Vendor], variables: Mapping[str, Variable], around: Surroundings
) -> Choice:
    """Return what is left of a vendor's cards; of cards of an unknown one, what the variables of each owner leave."""
    if vendor is not None:
        return left_by(vendor, variables, around.cards)
    choices = [left_by(each, variables, around.cards) for each in owners]
    by = tuple(dict.fromkeys(name for each in choices for name in each.by))
    unknown = tuple(dict.fromkeys(name for each in choices for name in each.unknown))
    cards: tuple[str, ...] | None = tuple(dict.fromkeys(card for each in choices for card in each.cards or ()))
    if not choices or any(each.cards is None for each in choices):
        cards = None
    return Choice(cards, by, unknown)


def _server_variables(profile: Profile, around: Surroundings) -> dict[str, Variable]:
    """Return the variables that the server sees; what a file, the image or its command may set is not known."""
    found = {
        **{name: Variable("the image", None) for name in READ if name in (around.image_env or {})},
        **{name: Variable("container.env_file", None) for name in FILTERS if profile.container.env_file},
        **_variables(profile.container.env, "container.env"),
        **_variables(profile.server.env, "server.env"),
    }
    words = " ".join(profile.server.command)
    return {**found, **{name: Variable("server.command", None) for name in READ if name in words}}


def _variables(env: Mapping[str, object], key: str) -> dict[str, Variable]:
    given = {name: value for name, value in env.items() if value is not None}
    return {name: Variable(key, value if isinstance(value, str) else None) for name, value in given.items()}


def _joined(words: Sequence[str]) -> str:
    found = list(dict.fromkeys(words))
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else ""
