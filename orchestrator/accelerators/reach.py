"""How cards reach a container: by device nodes, mounts, gpus, CDI devices, its OCI runtime, cgroup rules."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.accelerators.names import BY_INDEX, by_number
from orchestrator.accelerators.vendors import (
    CARDS_OF_ANY,
    CONTROL_OF_ANY,
    DRM_CARD,
    HARMLESS,
    HARMLESS_MAJORS,
    PLAIN_RUNTIMES,
    RENDER,
    VENDORS,
    Vendor,
)
from orchestrator.accelerators.visible import Variable, chosen

NVIDIA, AMD = (next(vendor for vendor in VENDORS if vendor.name == name) for name in ("NVIDIA", "AMD"))
DRM = Vendor("DRM", "the kernel's Direct Rendering Manager, which cards of several vendors are opened through")
"""Stands for the vendor until it is known whose cards the nodes under /dev/dri are."""
CHOSEN_BY_MOUNT = "/run/nvidia-container-devices"
"""Below it the target of a mount chooses a card: accept-nvidia-visible-devices-as-volume-mounts of NVIDIA's toolkit."""
LEGACY = "CUDA_VERSION"
"""NVIDIA's runtime gives all cards to an image that sets it and says nothing more: nvidia-container-toolkit."""
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
    """Names of the cards; None is all of them."""
    control: bool = False
    """Counts as all cards only where no card of the vendor is named."""
    shown: bool = False
    """A node that shows pictures, and that counts only where none that computes is given."""
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
            index = vendor is not None and vendor.nodes_are_indices and pattern == vendor.cards[0]
            name = by_number(int(found[2]), BY_INDEX if index else found[1])
            return Given(what, vendor, (name,), shown=pattern == DRM_CARD)
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
    return Given(what, None, why=UNSAID if known else UNKNOWN)


def by_mount(source: str, target: str, key: str = "container.mounts") -> list[Given]:
    """Return what a mounted path of the node gives: device nodes in it may be opened where nothing else forbids it.

    NVIDIA's runtime also takes a mount's target for the name of a card.
    """
    folder, _, name = posixpath.normpath(target).rpartition("/")
    if folder.removeprefix("/var") == CHOSEN_BY_MOUNT:
        return [Given(f"{target} in {key}", NVIDIA, chosen(name, ""), why=SAID if name == "all" else UNKNOWN)]
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
    cards = chosen(device, vendor.numbering) if vendor is not None else None
    why = SAID if device == "all" else UNKNOWN
    return Given(f"{name} in {key}", vendor, cards or None, why=why)


def by_gpus(gpus: object, key: str = "container.gpus") -> list[Given]:
    """Return what a request for gpus gives: `all`, a count, ids, or a whole request with a driver."""
    if gpus is None:
        return []
    driver, ids = getattr(gpus, "driver", ""), gpus if isinstance(gpus, tuple) else getattr(gpus, "device_ids", None)
    if ids and driver == "cdi":
        return [by_cdi(name, key) for name in ids]
    vendor = {"": NVIDIA, "nvidia": NVIDIA, "amd": AMD}.get(driver)
    cards = chosen(",".join(ids), vendor.numbering) if ids and vendor is not None else None
    if ids:
        return [Given(f"{key}: {', '.join(ids)}", vendor, cards or None, why=UNKNOWN)]
    asked = gpus if isinstance(gpus, str | int) else getattr(gpus, "count", 1)
    return [Given(f"{key}: {'all' if asked == -1 else asked}", vendor, why=SAID if asked in (-1, "all") else UNSAID)]


def by_cgroup_rule(rule: str, key: str = "container.device_cgroup_rules") -> list[Given]:
    """Return what a rule such as `c 195:* rmw` gives; numbers of most accelerators' nodes are not fixed."""
    kind, _, rest = rule.strip().partition(" ")
    major = rest.strip().partition(":")[0]
    if kind == "b" or (major.isdigit() and int(major) in HARMLESS_MAJORS):
        return []
    return [Given(f"the rule {rule} in {key}", NVIDIA if major == "195" else DRM if major == "226" else None)]


def by_runtime(
    runtime: str | None,
    variables: Mapping[str, Variable],
    default: str | None = None,
    image_env: Mapping[str, str] | None = None,
) -> Iterator[Given]:
    """Yield what the OCI runtime gives by the container's variables.

    Args:
        runtime: The profile's; None leaves it to the engine.
        variables: The container's own, which a runtime sees.
        default: The engine's default runtime, if it is known.
        image_env: The image's own variables; None where the image is not at hand.
    """
    if runtime is None:
        yield from _by_variables(variables)
        if default is not None and not is_plain(default):
            yield from _by_default(default, variables, image_env)
        return
    if is_plain(runtime):
        return
    what = f"the runtime {runtime} of container.runtime"
    vendor = _vendor_of(runtime)
    if vendor is None:
        yield Given(what, None, why=UNKNOWN)
        return
    name = next((name for name in vendor.gives if name in variables), None)
    yield Given(what, vendor) if name is None else _by_variable(name, variables[name], vendor)


def is_plain(runtime: str) -> bool:
    """Say whether an OCI runtime gives nothing by itself."""
    return any(re.fullmatch(pattern, runtime) for pattern in PLAIN_RUNTIMES)


def _by_variables(variables: Mapping[str, Variable]) -> Iterator[Given]:
    """Yield what variables for a runtime give, should it be the engine's default."""
    for name, variable in variables.items():
        vendor = next((vendor for vendor in VENDORS if name in vendor.gives), None)
        if vendor is not None:
            yield _by_variable(name, variable, vendor)


def _by_default(
    runtime: str, variables: Mapping[str, Variable], image_env: Mapping[str, str] | None
) -> Iterator[Given]:
    what = f"the engine's default runtime {runtime}"
    vendor = _vendor_of(runtime)
    if vendor is None:
        yield Given(what, None, why=UNKNOWN)
    elif not any(name in variables for name in vendor.gives):
        name = next((name for name in vendor.gives if name in (image_env or {})), None)
        if image_env is None or (name is None and vendor is NVIDIA and LEGACY in image_env):
            yield Given(what, vendor)
        elif name is not None:
            yield _by_variable(name, Variable("the image, which " + what + " reads", image_env[name]), vendor)


def _by_variable(name: str, variable: Variable, vendor: Vendor) -> Given:
    cards = None if variable.value is None else chosen(variable.value, vendor.numbering)
    why = UNSAID if variable.value is None else SAID if variable.value == "all" else UNKNOWN
    return Given(f"{name} in {variable.key}", vendor, cards, why=why)


def _vendor_of(runtime: str) -> Vendor | None:
    return next((vendor for vendor in VENDORS if runtime in vendor.runtimes), None)
