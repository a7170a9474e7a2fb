"""Reads a run's files, whichever format they are of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from orchestrator.errors import UsageError
from orchestrator.runs.format import FORMAT, one
from orchestrator.runs.format.records import Manifest, MeasurementRecord
from orchestrator.text import Text

SET_ASIDE = "Set the folder aside; it is not trusted."

_Model = TypeVar("_Model", bound=BaseModel)
_Reader = Callable[[dict[str, Any]], dict[str, Any]]


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file; raise UsageError for what is none, is torn, or is of a later format."""
    return _read(path, Manifest, one.manifest)


def read_record(path: Path) -> MeasurementRecord:
    """Return the record in a file; raise UsageError for what is none, is torn, or is of a later format."""
    return _read(path, MeasurementRecord, one.record)


def _read(path: Path, model: type[_Model], of_one: _Reader) -> _Model:
    try:
        data = from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            Text("{path} cannot be read: {strerror}", path=path, strerror=error.strerror),
            "Is this a run directory?  See: orch results list",
        ) from error
    except ValueError as error:
        raise UsageError(Text("{path} is torn: {problem}", path=path, problem=error), SET_ASIDE) from error
    try:
        return model.model_validate(_upgraded(path, data, of_one))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in faults)
    except (LookupError, TypeError, AttributeError) as error:  # no such shape as format 1 has
        wrong = f"{type(error).__name__}: {error}"
    raise UsageError(
        Text("{path} is not what this version of orch writes: {wrong}", path=path, wrong=wrong), SET_ASIDE
    ) from None


def _upgraded(path: Path, data: Any, of_one: _Reader) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return plain data as the format of today has it; raise UsageError for a later one."""
    number = data.get("format") if isinstance(data, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise UsageError(
            Text(
                "{path} is of format {number}, which a later version of orch writes; this one reads up to {known}",
                path=path,
                number=number,
                known=FORMAT,
            ),
            Text("Read it with the version that wrote it: {version} or later.", version=data.get("orch_version", "?")),
        )
    return of_one(data) if number == 1 else data
