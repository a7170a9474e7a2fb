"""How cards reach a container: by device nodes, mounts, gpus, CDI devices, its OCI runtime, cgroup rules."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.accelerators.kernel import (
    CARDS_OF_ANY,
    CONTROL_OF_ANY,
    DRM_BY_PATH,
    DRM_CARD,
    DRM_MAJOR,
    DRM_STEMS,
    HARMLESS,
    HARMLESS_MAJORS,
    HARMLESS_MISC,
    MISC,
    NVIDIA_MAJOR,
    NVIDIA_SHARED_MINORS,
    PLAIN_RUNTIMES,
    RENDER,
)
from orchestrator.accelerators.names import BY_INDEX, by_address, by_number, numbering_of_kind
from orchestrator.accelerators.vendors import VENDORS, Vendor
from orchestrator.accelerators.visible import Variable, chosen, given_by

NVIDIA, AMD, HYGON = (next(vendor for vendor in VENDORS if vendor.name == name) for name in ("NVIDIA", "AMD", "Hygon"))
DRM = Vendor("DRM", ())
"""Stands for the vendor until it is known whose cards the nodes under /dev/dri are."""
LIKE_NVIDIA = tuple(vendor for vendor in VENDORS if set(vendor.gives) & set(NVIDIA.gives))
"""Vendors whose runtimes read NVIDIA's variable, by which docker's `--gpus` asks."""
BY_DOCKER = "gpus-"
"""Numbering of docker's `--gpus` on other cards than NVIDIA's: by CDI or by a runtime, whichever the engine finds."""
SWARM = "DOCKER_RESOURCE_"
"""How variables begin by which Docker Swarm tells AMD's and Hygon's runtimes what to give."""
CARD_NODES: tuple[tuple[str, Vendor | None], ...] = (
    *((pattern, vendor) for vendor in VENDORS for pattern in vendor.cards),
    (RENDER, DRM),
    (DRM_CARD, DRM),
    *((pattern, None) for pattern in CARDS_OF_ANY),
)
CONTROL_NODES: tuple[tuple[str, Vendor | None], ...] = (
    *((pattern, vendor) for vendor in VENDORS for pattern in vendor.control),
    *((pattern, None) for pattern in CONTROL_OF_ANY),
)
UNKNOWN = "orch does not know what that reaches"
UNSAID = "nothing says which"
SAID = "names all"


@dataclass(frozen=True)
class Given:
    """One way in which cards reach a container."""

    what: str
    """In words, such as `/dev/kfd in container.devices`."""
    vendor: Vendor | None = None
    """Whose cards; None where that cannot be told."""
    cards: tuple[str, ...] | None = None
    """Names of the cards; None is all of them, or some of which orch cannot tell which."""
    some: bool = False
    """It may be some of them only, so that nobody knows which card a number within them is."""
    control: bool = False
    """Counts as all cards only where no card of the vendor is named."""
    shown: bool = False
    """A node that shows pictures, or a link to a node; it counts only where none that computes is given."""
    why: str = UNSAID
    """What to say of it where it stands for all cards."""


def by_node(path: str, key: str) -> list[Given]:
    """Return what a device node, or a folder of them, gives; nothing for one that is no accelerator's."""
    path = posixpath.normpath("/" + path.lstrip("/"))
    if any(re.fullmatch(pattern, path) for pattern in HARMLESS):
        return []
    what = f"{path} in {key}"
    return [_card(path, what) or _control(path, what) or _folder(path, what)]


def _card(path: str, what: str) -> Given | None:
    """Return the card whose node a path is."""
    for pattern, vendor in CARD_NODES:
        if found := re.fullmatch(pattern, path):
            name = by_number(int(found[2]), found[1])
            return Given(what, vendor, (name,), shown=pattern == DRM_CARD)
    if link := re.fullmatch(DRM_BY_PATH, path):
        return Given(what, DRM, (by_address(*link.groups()),), shown=True)
    return None


def _control(path: str, what: str) -> Given | None:
    """Return what a node gives that is of no use without a card's."""
    found = [vendor for pattern, vendor in CONTROL_NODES if re.fullmatch(pattern, path)]
    return Given(what, found[0], control=True) if found else None


def _folder(path: str, what: str) -> Given:
    """Return what a folder of nodes gives, and a node that orch does not know: all that there may be."""
    if path == "/dev/dri":
        return Given(what, DRM)
    patterns = (pattern.replace("(", "").replace(")", "") for pattern, _ in (*CARD_NODES, *CONTROL_NODES))
    known = path == "/dev" or any(pattern.startswith(path + "/") for pattern in patterns)
    return Given(what, None, some=not known, why=UNSAID if known else UNKNOWN)


def by_mount(source: str, target: str, key: str = "container.mounts") -> list[Given]:
    """Return what a mounted path of the node gives: device nodes in it may be opened where nothing else forbids it.

    Some vendors' runtimes also take a mount's target for the name of a card.
    """
    inside = posixpath.normpath(target).removeprefix("/var")
    for vendor in VENDORS:
        if vendor.mounts and inside.startswith(vendor.mounts + "/"):
            name = inside.removeprefix(vendor.mounts + "/")
            cards = chosen(name, vendor.numbering, frozenset())
            why = SAID if name == "all" else UNKNOWN
            return [Given(f"{target} in {key}", vendor, cards, some=name != "all", why=why)]
    if not source.startswith("/"):
        return []
    path = posixpath.normpath("/" + source.lstrip("/"))
    if path == "/":
        return [Given(f"/ in {key}")]
    return by_node(path, key) if path == "/dev" or path.startswith("/dev/") else []


def by_cdi(name: str, key: str) -> Given:
    """Return what a CDI device such as `nvidia.com/gpu=0` gives."""
    kind, _, device = name.partition("=")
    vendor = next((vendor for vendor in VENDORS if kind in vendor.cdi), None)
    what = f"{name} in {key}"
    if device == "all":
        return Given(what, vendor, some=vendor is None, why=SAID)
    alike = vendor is not None and vendor.cdi_counts_alike
    numbering = vendor.numbering if vendor is not None and alike else numbering_of_kind(kind)
    cards = chosen(device, numbering, frozenset()) if vendor is not None else None
    return Given(what, vendor, cards or None, some=True, why=UNKNOWN)


def by_gpus(gpus: object, makers: frozenset[str] = frozenset(), key: str = "container.gpus") -> list[Given]:
    """Return what a request for gpus gives: `all`, a count, ids, or a whole request with a driver.

    Args:
        gpus: The request.
        makers: Vendors of the node's accelerators, where they are known; docker takes NVIDIA's driver before AMD's.
        key: Where it stands.
    """
    if gpus is None:
        return []
    driver, ids = getattr(gpus, "driver", ""), gpus if isinstance(gpus, tuple) else getattr(gpus, "device_ids", None)
    if ids and driver == "cdi":
        return [by_cdi(name, key) for name in ids]
    by_nvidia_s = _likely(LIKE_NVIDIA, makers)
    usual = AMD if AMD.name in makers and by_nvidia_s.name not in makers else by_nvidia_s
    vendor = {"": usual, "nvidia": by_nvidia_s, "amd": AMD}.get(driver)
    if ids:
        numbering = BY_INDEX if vendor is NVIDIA else BY_DOCKER
        cards = chosen(",".join(ids), numbering, frozenset()) if vendor is not None else None
        return [Given(f"{key}: {', '.join(ids)}", vendor, cards or None, some=ids != ("all",), why=UNKNOWN)]
    asked = gpus if isinstance(gpus, str | int) else getattr(gpus, "count", 1)
    everything = asked in (-1, "all")
    what = f"{key}: {'all' if everything else asked}"
    return [Given(what, vendor, some=vendor is None, why=SAID if everything else UNSAID)]


def by_cgroup_rule(rule: str, key: str = "container.device_cgroup_rules") -> list[Given]:
    """Return what a rule such as `c 195:* rmw` gives; numbers of most accelerators' nodes are not fixed."""
    kind, _, rest = rule.strip().partition(" ")
    numbers, _, _ = rest.strip().partition(" ")
    major, minor = (int(text) if text.isdecimal() else -1 for text in (*numbers.split(":"), "")[:2])
    if kind == "b" or major in HARMLESS_MAJORS or (major == MISC and minor in HARMLESS_MISC):
        return []
    what = f"the rule {rule} in {key}"
    if major == NVIDIA_MAJOR and minor >= 0:
        card = None if minor in NVIDIA_SHARED_MINORS else (by_number(minor, "nvidia"),)
        return [Given(what, NVIDIA, card, control=card is None)]
    if major == DRM_MAJOR and minor >= 0:
        stem = next((stem for minors, stem in DRM_STEMS if minor in minors), "")
        return [Given(what, DRM, (by_number(minor, stem),) if stem else None, some=not stem, shown=stem == "card")]
    return [Given(what, {NVIDIA_MAJOR: NVIDIA, DRM_MAJOR: DRM}.get(major), some=minor >= 0)]


def is_plain(runtime: str) -> bool:
    """Say whether an OCI runtime gives nothing by itself."""
    return any(re.fullmatch(pattern, runtime) for pattern in PLAIN_RUNTIMES)


def by_runtime(
    runtime: str | None,
    variables: Mapping[str, Variable],
    default: str | None = None,
    image_env: Mapping[str, str] | None = None,
    makers: frozenset[str] = frozenset(),
    *,
    files: bool = False,
) -> Iterator[Given]:
    """Yield what the OCI runtime gives by the container's variables.

    Args:
        runtime: The profile's; None leaves it to the engine.
        variables: The container's own, which a runtime sees.
        default: The engine's default runtime, if it is known.
        image_env: The image's own variables; None where the image is not at hand.
        makers: Vendors of the node's accelerators, where they are known.
        files: Files of variables may set more of them.
    """
    used = default if runtime is None else runtime
    vendor = next((vendor for vendor in VENDORS if used in vendor.runtimes), None)
    if vendor is NVIDIA:
        vendor = _likely(LIKE_NVIDIA, makers)
    if runtime is None or not is_plain(runtime):
        for name, variable in variables.items():
            yield from _by_variable_of_any(name, variable, vendor, variables, makers)
    if used is None or is_plain(used):
        return
    what = f"the engine's default runtime {used}" if runtime is None else f"the runtime {used} of container.runtime"
    if vendor is None:
        yield Given(what, None, some=True, why=UNKNOWN)
    else:
        yield from _by_vendor_s(vendor, what, variables, image_env, asked=runtime is not None, files=files)


def _likely(vendors: Sequence[Vendor], makers: frozenset[str]) -> Vendor:
    """Return the first of vendors of which the node has cards; the first one where that is not known."""
    return next((vendor for vendor in vendors if vendor.name in makers), vendors[0])


def _by_variable_of_any(
    name: str,
    variable: Variable,
    used: Vendor | None,
    variables: Mapping[str, Variable],
    makers: frozenset[str],
) -> Iterator[Given]:
    """Yield what a variable gives, should a runtime read it that is not the one in use by its name."""
    readers = [vendor for vendor in VENDORS if name in vendor.gives]
    if name.startswith(SWARM):
        yield Given(f"{name} in {variable.key}", None, some=True, why=UNKNOWN)
    elif readers and used not in readers:
        yield _by_variable(name, variable, _likely(readers, makers), variables)
    elif not readers:
        owners = [vendor for vendor in VENDORS if name in vendor.may_give]
        if owners:
            yield Given(f"{name} in {variable.key}", owners[0], some=variable.value != "all", why=UNKNOWN)


def _by_vendor_s(
    vendor: Vendor,
    what: str,
    variables: Mapping[str, Variable],
    image_env: Mapping[str, str] | None,
    *,
    asked: bool,
    files: bool,
) -> Iterator[Given]:
    """Yield what a vendor's runtime gives.

    What the image says counts too where the profile left the choice of a runtime to the engine, and where the runtime
    adds it to what the profile says.
    """
    key = f"the image, which {what} reads"
    of_image = {name: Variable(key, value) for name, value in (image_env or {}).items()}
    seen = {**of_image, **variables}
    told = [name for name in vendor.gives if name in variables]
    if vendor.adds or (not told and not asked):
        told = [name for name in vendor.gives if name in seen]
    if told and files and vendor.adds:
        yield Given(what, vendor, some=True, why=UNKNOWN)
    for name in told if vendor.adds else told[:1]:
        yield _by_variable(name, seen[name], vendor, seen)
    for name in (name for name in vendor.may_give if name in of_image and name not in variables):
        yield Given(f"{name} in {key}", vendor, some=of_image[name].value != "all", why=UNKNOWN)
    if not told and (asked or image_env is None or not vendor.quiet or vendor.loud in seen):
        of_image_alone = any(seen[name].value != "all" for name in vendor.gives if name in seen)
        yield Given(what, vendor, some=files or of_image_alone)


def _by_variable(name: str, variable: Variable, vendor: Vendor, seen: Mapping[str, Variable]) -> Given:
    what, value = f"{name} in {variable.key}", variable.value
    if value is None:
        return Given(what, vendor, some=True)
    if value == "all":
        return Given(what, vendor, why=SAID)
    blurred = any(blur in seen for blur in vendor.blurs)
    return Given(what, vendor, None if blurred else given_by(value, vendor), some=True, why=UNKNOWN)
