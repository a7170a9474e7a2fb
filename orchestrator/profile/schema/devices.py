"""How a profile names the devices of a container: nodes, CDI devices, gpus in each of docker's spellings, holds."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from orchestrator.profile.schema.patterns import DEVICE_TEXT_PATTERN, GPU_ID_PATTERN, GPUS_TEXT_PATTERN
from orchestrator.profile.schema.values import (
    CDI_PATTERN,
    DEVICE_PATH_PATTERN,
    DEVICE_PERMISSIONS_PATTERN,
    HELD_PATTERN,
    Count,
    NonEmpty,
    Section,
    TextOrNumber,
)
from orchestrator.text import Text

DevicePath = Annotated[str, Field(pattern=DEVICE_PATH_PATTERN)]


class DeviceSpec(Section):
    """A device node of the node; also written `/dev/kfd` or `/dev/a:/dev/b:rwm`."""

    source: DevicePath
    """Path of the device, or of a folder of devices, on the node."""
    target: DevicePath
    """Path in the container."""
    permissions: Annotated[str, Field(pattern=DEVICE_PERMISSIONS_PATTERN)] = "rwm"
    """What the container may do: read, write, make nodes."""


class CdiDevice(Section):
    """A device by its CDI name; also written `nvidia.com/gpu=0`."""

    cdi: Annotated[str, Field(pattern=CDI_PATTERN)]
    """Vendor, class and name, as the engine's CDI specifications have it."""


def _read_device(value: Any) -> Any:
    """Return a device from text as docker reads it: `source[:target][:permissions]`, or a CDI name."""
    if not isinstance(value, str):
        return value
    if re.match(CDI_PATTERN, value):
        return {"cdi": value}
    source, *rest = value.split(":")
    if rest[2:] or "" in rest or rest[-1:] == ["ro"]:
        read_only = "; read-only is :r" if rest[-1:] == ["ro"] else ""
        raise ValueError(
            Text(
                "'{value}' is not a device; write /on/the/node or /on/the/node:/in/the/container:rwm{read_only}",
                value=value,
                read_only=read_only,
            )
        )
    permissions = rest.pop() if rest and (rest[1:] or re.fullmatch("[rwm]{1,3}", rest[0])) else "rwm"
    target = rest[0] if rest else source
    return {"source": _clean(source), "target": _clean(target), "permissions": permissions}


def _clean(path: str) -> str:
    return posixpath.normpath(path).replace("//", "/", 1) if path.startswith("/") else path


def _device_kind(value: Any) -> str:
    named = isinstance(value, CdiDevice) or (isinstance(value, Mapping) and "cdi" in value)
    return "<cdi>" if named else "<node>"


DeviceText = Annotated[str, Field(pattern=f"{DEVICE_TEXT_PATTERN}|{CDI_PATTERN}")]
Device = Annotated[
    Annotated[
        Annotated[DeviceSpec, Tag("<node>")] | Annotated[CdiDevice, Tag("<cdi>")],
        Discriminator(_device_kind),
    ],
    BeforeValidator(_read_device, json_schema_input_type=DeviceText | DeviceSpec | CdiDevice),
]


def nodes(devices: Iterable[DeviceSpec | CdiDevice]) -> tuple[DeviceSpec, ...]:
    """Return the devices that are given by their nodes."""
    return tuple(device for device in devices if isinstance(device, DeviceSpec))


def cdi_names(devices: Iterable[DeviceSpec | CdiDevice]) -> tuple[str, ...]:
    """Return the names of the devices that are given by CDI."""
    return tuple(device.cdi for device in devices if isinstance(device, CdiDevice))


def _one_id(text: str) -> str:
    if re.search(r'[,"\s]', text):
        raise ValueError(Text("'{text}' is not one id; list them, as in [0, 2] or [GPU-3a5f…]", text=text))
    return text


GpuId = Annotated[
    TextOrNumber,
    AfterValidator(_one_id),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": GPU_ID_PATTERN}, {"type": "number"}]}),
]
GpuIds = Annotated[tuple[GpuId, ...], Field(min_length=1)]


def _count_kind(value: Any) -> str:
    return "<all>" if value in (-1, "all") and not isinstance(value, bool) else "<count>"


AnyCount = Annotated[
    Annotated[
        Annotated[Literal[-1], Tag("<all>")] | Annotated[Count, Tag("<count>")],
        Discriminator(_count_kind),
    ],
    BeforeValidator(lambda value: -1 if value == "all" else value, json_schema_input_type=Literal[-1, "all"] | Count),
]


class GpuRequest(Section):
    """What docker's `--gpus` says beyond `all`, a count or a list of ids: driver, capabilities, options."""

    driver: str = ""
    """Driver of the engine that is asked; the engine chooses unless given."""
    count: AnyCount | None = None
    """How many; -1 is all. Docker takes 1 where neither this nor `device_ids` is given."""
    device_ids: tuple[GpuId, ...] = ()
    """Which ones, in place of `count`."""
    capabilities: tuple[NonEmpty, ...] = ()
    """Capabilities beside `gpu`, such as `compute` and `utility`."""
    options: Mapping[NonEmpty, str] = Field(default_factory=dict)
    """Options of the driver."""

    @model_validator(mode="after")
    def _count_or_ids(self) -> GpuRequest:
        if self.count is not None and self.device_ids:
            raise ValueError("count and device_ids exclude each other; docker refuses both at once")
        return self


PLAIN = "must be all, a number of devices, or a list of device ids"
HOW = f"{PLAIN}, or what docker's --gpus takes, such as device=0,2 or driver=nvidia,count=2"


def _read_gpus(value: Any) -> Any:
    """Return what a text means to docker's `--gpus`, in the plainest form that says all of it."""
    if isinstance(value, Mapping):
        return _from_mapping(value)
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        keys = ", ".join(GpuRequest.model_fields)
        raise ValueError(
            Text("a list of requests, as compose has it, is not read here; write one request of {keys}", keys=keys)
        )
    if not isinstance(value, str):
        return "all" if value == -1 and not isinstance(value, bool) else value
    request = _from_text(value)
    if set(request) <= {"count"}:
        count = request.get("count", 1)
        return "all" if count == -1 else count
    return request["device_ids"] if set(request) == {"device_ids"} else request


def _from_mapping(value: Mapping[str, Any]) -> Any:
    if {"deploy", "resources", "reservations", "devices"} & set(value):
        raise ValueError(Text("a deploy section of compose is not read here; {how}", how=HOW))
    return value


def _from_text(text: str) -> dict[str, Any]:
    """Read a text as docker's client does (docker/cli, opts/gpus.go), and a list of ids that lacks its quotes."""
    plain = text.strip().strip("'")
    if re.fullmatch(r'"[^"]*"', plain):
        plain = plain[1:-1]
    found: dict[str, Any] = {}
    last = ""
    for field in next(csv.reader([plain], strict=False), []):
        key, equals, words = field.partition("=")
        if not equals and last in ("device", "capabilities") and not (last == "capabilities" and _is_count(field)):
            found["device_ids" if last == "device" else last].append(key.strip())
            continue
        last = key if equals else "count"
        name = "device_ids" if last == "device" else last
        if name in found:
            raise ValueError(Text("'{text}' says {last} twice; {how}", text=text, last=last, how=HOW))
        found[name] = _said(last, words if equals else key, text)
    if not found:
        raise ValueError(Text("'{text}' asks for nothing; {how}", text=text, how=HOW))
    return found


def _said(key: str, words: str, text: str) -> Any:
    if key == "count":
        if not _is_count(words):
            raise ValueError(PLAIN if words == text else f"'{words}' in '{text}' is no count; {HOW}")
        return -1 if words == "all" else int(words)
    if key in ("device", "capabilities"):
        return [word.strip() for word in words.split(",")]
    if key == "driver":
        return words
    if key == "options":
        pairs = (option.partition("=") for option in next(csv.reader([words]), []))
        return {name: value for name, _, value in pairs}
    raise ValueError(Text("'{key}' is no key of docker's --gpus; {how}", key=key, how=HOW))


def _is_count(word: str) -> bool:
    return word == "all" or re.fullmatch(r"[+-]?\d+", word, re.ASCII) is not None


def _gpus_kind(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "<ids>"
    if isinstance(value, Mapping | GpuRequest):
        return "<request>"
    return "<all>" if isinstance(value, str) else "<count>"


GpusText = Annotated[str, Field(pattern=GPUS_TEXT_PATTERN)]
Gpus = Annotated[
    Annotated[
        Annotated[Literal["all"], Tag("<all>")]
        | Annotated[Count, Tag("<count>")]
        | Annotated[GpuIds, Tag("<ids>")]
        | Annotated[GpuRequest, Tag("<request>")],
        Discriminator(_gpus_kind),
    ],
    BeforeValidator(_read_gpus, json_schema_input_type=GpusText | AnyCount | GpuIds | GpuRequest),
]


def _holds_kind(value: Any) -> str:
    return "<auto>" if isinstance(value, str) else "<names>"


Holds = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")]
    | Annotated[tuple[Annotated[str, Field(pattern=HELD_PATTERN)], ...], Tag("<names>")],
    Discriminator(_holds_kind),
]
