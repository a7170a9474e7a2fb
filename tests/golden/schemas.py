"""The JSON Schemas of what orch writes: the files of a run, and every kind of `--json`; docs/schemas holds them.

The files' schemas derive from their models; those of the command line are written here. No object may have a key that
its schema does not name: a field that is added must be described, and so cannot slip in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import SCHEMA_VERSION
from orchestrator.deployment.folder import Record
from orchestrator.metrics.catalogue import BESIDE, CATALOGUE, LATENCIES
from orchestrator.profile.docs.jsonschema import DIALECT
from orchestrator.report.table import GUIDE_COLUMNS
from orchestrator.results.decided import Decision
from orchestrator.results.validity import Verdict
from orchestrator.runs.format import FORMAT
from orchestrator.runs.format.records import Manifest, MeasurementRecord, SearchAnswer

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]
KEPT = ("manifest-1", "record-1")
"""Schemas of files as earlier formats had them: they describe what lies on people's disks, and nothing derives them."""

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
SUFFIX = ".schema.json"

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
STATE: Schema = {"enum": ["planned", "running", "done", "failed", "interrupted"]}
VERDICT: Schema = {"enum": [verdict.value for verdict in Verdict]}
A_PROFILE: Schema = {"$ref": "../../orchestrator/profile/docs/profile.schema.json"}
LATENCY = "|".join(LATENCIES)


ANYTHING: Schema = {"type": "object"}


def closed(optional: dict[str, Schema] | None = None, **required: Schema) -> Schema:
    """Return the schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def listed(item: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def mapping(value: Schema) -> Schema:
    """Return the schema of an object whose keys are data."""
    return {"type": "object", "additionalProperties": value}


def none_or(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def of_model(model: type[BaseModel]) -> Schema:
    """Return the schema of a file that a model writes; keys that came later are not in every file."""
    schema: Schema = _close(model.model_json_schema())
    return schema


def with_parameters(record: Schema) -> Schema:
    """Return the schema of a record with what a point's parameters are, which its model leaves open."""
    return {**record, "properties": {**record["properties"], "parameters": PARAMETERS}}


def with_points(manifest: Schema) -> Schema:
    """Return the schema of a manifest with what a point's parameters are, which its model leaves open."""
    return {**manifest, "properties": {**manifest["properties"], "points": mapping(PARAMETERS)}}


def said_of(manifest: Schema) -> Schema:
    """Return the schema of a manifest as `--json` has it: what people read stands beside each id."""
    without = {name: schema for name, schema in manifest["properties"].items() if name != "done"}
    beside = {
        "cause": none_or(SAID),
        "reason": TEXT,
        "deployment": none_or({"$ref": "#/$defs/DeploymentFacts"}),
        "warnings": listed(SAID),
    }
    return {**manifest, "properties": {**without, **beside}}


def _close(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_close(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed_parts = {key: _close(value) for key, value in schema.items()}
    return {**closed_parts, "additionalProperties": False} if "properties" in schema else closed_parts


VARIED = mapping(none_or(TEXT))
PARAMETERS = closed(
    dataset=TEXT,
    dataset_path=none_or(TEXT),
    input_len=none_or(WHOLE),
    output_len=none_or(WHOLE),
    num_prompts=WHOLE,
    max_concurrency=none_or(WHOLE),
    request_rate={"anyOf": [NUMBER, {"const": "inf"}]},
    client_flags=mapping({}),
    optional={
        "dataset_options": mapping({}),
        "burstiness": NUMBER,
        "ramp_up": closed(**{"strategy": TEXT, "from": NUMBER, "to": NUMBER}),
        "backend": TEXT,
        "endpoint": TEXT,
        "ignore_eos": TRUTH,
    },
)
"""What makes a point: those that came later only where they are not as they always were."""
SAID = closed(id=TEXT, fields=ANYTHING, text=TEXT)
"""A cause or a warning, and what people read of it."""
REASON = closed(id=TEXT, text=TEXT, template=TEXT, fields=ANYTHING)
WHY = closed(causes=listed(SAID), **dict.fromkeys(("doubts", "notes", "unchecked"), listed(REASON)))
_OF_A_MEASUREMENT: dict[str, Schema] = {"point": TEXT, "repetition": WHOLE, "seed": WHOLE, "command": TEXT}
SAID_BY_FLAGS = ("quantization", "kv_cache_dtype", "speculation")
ROW: Schema = {
    **closed(
        **dict.fromkeys(("run", "profile", "point"), TEXT),
        repetition=WHOLE,
        state=STATE,
        reasons=none_or(TEXT),
        verdict=none_or(VERDICT),
        **dict.fromkeys(("doubts", "notes", "unchecked", "thin_percentiles"), none_or(TEXT)),
        tensor_parallel_size=WHOLE,
        dtype=TEXT,
        batch=WHOLE,
        dataset=TEXT,
        input_len=none_or(WHOLE),
        output_len=none_or(WHOLE),
        num_prompts=WHOLE,
        max_concurrency=none_or(WHOLE),
        request_rate={"anyOf": [NUMBER, {"const": "inf"}]},
        burstiness=none_or(NUMBER),
        ramp_up=none_or(TEXT),
        backend=TEXT,
        ignore_eos=none_or(TRUTH),
        seed=WHOLE,
        **{
            metric.name: none_or(WHOLE if metric.unit in ("requests", "tokens") else NUMBER)
            for metric in CATALOGUE.values()
        },
        **dict.fromkeys(
            (
                *("server_prompt_tokens", "server_generation_tokens", "server_mean_ttft_ms", "prefix_cache_hits"),
                *("preemptions", "acceptance_length", "peak_kv_cache_usage", "peak_waiting"),
            ),
            none_or(NUMBER),
        ),
        started=none_or(TEXT),
        **dict.fromkeys(("wall_s", "client_cpu_s", "client_busy"), none_or(NUMBER)),
        **dict.fromkeys(("vllm_version", "image", "image_id"), none_or(TEXT)),
        optional={column.name: none_or(TEXT if column.name in SAID_BY_FLAGS else NUMBER) for column in BESIDE},
    ),
    "patternProperties": {
        rf"^p\d+(\.\d+)?_({LATENCY})_ms$": none_or(NUMBER),
        r"^(server|container)\.": none_or(TEXT),
    },
}
"""A row of the wide table; further percentiles, and the keys that varied, beside what each has."""
REPEATED = closed(
    {"suspect": WHOLE, "left_out": WHOLE, "trend": none_or(NUMBER)},
    point=TEXT,
    label=TEXT,
    metric=TEXT,
    repetitions=WHOLE,
    mean=NUMBER,
    half_width=NUMBER,
    thin=TRUTH,
    confidence=NUMBER,
)
CELL: Schema = {"type": ["string", "number", "null"]}
RUN: dict[str, Schema] = {
    "path": TEXT,
    "manifest": {"$ref": f"said-manifest{SUFFIX}"},
    "results": listed({**ROW, "properties": {**ROW["properties"], "why": WHY}, "required": [*ROW["required"], "why"]}),
    "guide": listed(closed(**dict.fromkeys(GUIDE_COLUMNS, CELL))),
    "repeated": listed(REPEATED),
}
LATER_RUN: dict[str, Schema] = {
    "objectives": listed(
        closed(
            objective=TEXT,
            point=TEXT,
            decision={"enum": [decision.value for decision in Decision]},
            repetitions=WHOLE,
            mean=none_or(NUMBER),
            half_width=none_or(NUMBER),
            mean_keeps=TRUTH,
        )
    ),
}
"""What earlier versions did not say of a run."""
LATER_STUDY: dict[str, Schema] = {
    "compared": listed(
        closed(
            base=TEXT,
            run=TEXT,
            point=none_or(TEXT),
            metric=TEXT,
            pairs=WHOLE,
            suspect=WHOLE,
            change=NUMBER,
            low=none_or(NUMBER),
            high=none_or(NUMBER),
            confidence=NUMBER,
        )
    ),
}
"""What earlier versions did not say of a study."""
LATER_FOUND: dict[str, Schema] = {
    "range_ratio": NUMBER,
    "repeats": none_or(closed(load=WHOLE, n=WHOLE, met=WHOLE, at_least=none_or(NUMBER), confidence=NUMBER)),
    "values": mapping(closed(n=WHOLE, mean=NUMBER, half_width=none_or(NUMBER))),
}
"""What a search that came to an end under an earlier version does not say."""
FOUND: dict[str, Schema] = {
    "over": {"enum": ["concurrency", "request-rate"]},
    "objectives": listed(TEXT),
    "prompts_per_step": NUMBER,
    "capacity": none_or(WHOLE),
    "limit": none_or(WHOLE),
    "goodput": none_or(NUMBER),
    "statement": TEXT,
    "doubts": listed(TEXT),
    "cut_short": none_or(TEXT),
    "tried": listed(
        closed(
            load=WHOLE,
            met=TRUTH,
            reasons=listed(TEXT),
            verdict=VERDICT,
            thin=listed(TEXT),
            point=TEXT,
            repetition=WHOLE,
        )
    ),
}
ANSWER: Schema = {"$ref": f"answer{SUFFIX}"}
"""The same as ids and numbers."""
PLANNED: Schema = {**PARAMETERS, "properties": {**PARAMETERS["properties"], **_OF_A_MEASUREMENT}}
PLANNED["required"] = [*PARAMETERS["required"], *_OF_A_MEASUREMENT]
PLAN: dict[str, Schema] = {
    "profile": A_PROFILE,
    "docker_run": TEXT,
    "docker_run_argv": listed(TEXT),
    "before_docker_run": listed(TEXT),
    "serve": TEXT,
    "vllm_version": none_or(TEXT),
    "vllm_version_assumed": TRUTH,
    "warmups": listed(TEXT),
    "measurements": listed(PLANNED),
    "holds": closed(names=listed(TEXT), why=listed(TEXT)),
    **dict.fromkeys(("weakenings", "flags", "mistakable", "secrets", "inherited", "env_file"), listed(TEXT)),
    "estimate_s": closed(start=none_or(NUMBER), clients=NUMBER, measuring=NUMBER, total=NUMBER, further=NUMBER),
}
PATHS = listed(closed(key=TEXT, written=TEXT, meant=TEXT))
FAULT = closed(file=TEXT, line=WHOLE, column=WHOLE, key=TEXT, problem=TEXT)

FILES: dict[str, Schema] = {
    "manifest": with_points(of_model(Manifest)),
    "said-manifest": said_of(with_points(of_model(Manifest))),
    "record": with_parameters(of_model(MeasurementRecord)),
    "search": closed(LATER_FOUND, **FOUND),
    "answer": of_model(SearchAnswer),
    "deployment": of_model(Record),
}
"""Files: manifest.json, record.json and search.json of a run; record.json of a deployment's folder."""
KINDS: dict[str, Schema] = {
    "plan": closed(**PLAN, paths=PATHS),
    "study-plan": closed(
        profile=A_PROFILE,
        server_starts=WHOLE,
        measurements=WHOLE,
        variants=listed(closed(varied=VARIED, **PLAN)),
        estimate_s=closed(total=NUMBER),
        paths=PATHS,
    ),
    "profiles": closed(
        profiles=listed(closed(name=TEXT, description=TEXT, path=TEXT, shadowed=TRUTH, problem=none_or(TEXT)))
    ),
    "profile": closed(path=TEXT, optional={"text": TEXT, "profile": A_PROFILE}),
    "lint": closed(
        profiles=listed(
            closed(
                profile=TEXT,
                path=TEXT,
                faults=listed(FAULT),
                remarks=listed(closed(key=TEXT, text=TEXT, template=TEXT, fields={"type": "object"})),
                vllm_version=none_or(TEXT),
                not_asked=none_or(TEXT),
            )
        )
    ),
    "runs": closed(
        runs=listed(
            {
                "anyOf": [
                    closed(
                        id=TEXT,
                        profile=TEXT,
                        study=none_or(TEXT),
                        varied=VARIED,
                        state=STATE,
                        reason=TEXT,
                        cause=none_or(SAID),
                        created=TEXT,
                        done=WHOLE,
                        planned=WHOLE,
                        path=TEXT,
                    ),
                    closed(id=TEXT, state={"const": "unreadable"}, reason=TEXT, cause=SAID),
                ]
            }
        )
    ),
    "run": closed(LATER_RUN, **RUN),
    "study": closed(LATER_STUDY, study=TEXT, varied=listed(TEXT), runs=listed(closed(LATER_RUN, **RUN))),
    "search": closed(LATER_FOUND, **FOUND, answer=ANSWER),
    "search-study": closed(
        study=TEXT,
        variants=listed(
            closed(
                run=TEXT,
                varied=VARIED,
                state=STATE,
                reason=TEXT,
                cause=none_or(SAID),
                found=none_or(closed(LATER_FOUND, **FOUND, answer=ANSWER)),
            )
        ),
    ),
    "deployment": closed(name=TEXT, url=TEXT, vllm_version=none_or(TEXT), state={"const": "healthy"}),
    "down": closed(ended=listed(TEXT)),
    "status": closed(
        name=TEXT,
        profile=TEXT,
        healthy=TRUTH,
        url=none_or(TEXT),
        model=none_or(TEXT),
        vllm_version=none_or(TEXT),
        container=TEXT,
        status=TEXT,
        exit_code=none_or(WHOLE),
        oom_killed=TRUTH,
        started=none_or(TEXT),
        held=TEXT,
        holds=TEXT,
    ),
    "ps": closed(
        deployments=listed(
            closed(
                name=TEXT,
                profile=TEXT,
                status=TEXT,
                age_s=NUMBER,
                held=TEXT,
                holds=listed(TEXT),
                holds_why=listed(TEXT),
                owned=TRUTH,
                until=none_or(NUMBER),
                container=TEXT,
            )
        )
    ),
    "gc": closed(removed=listed(closed(name=TEXT, container=TEXT))),
}
"""What commands write with `--json`, by its `kind`."""


def said_as(kind: str) -> Schema:
    """Return the schema of a whole document of a kind."""
    body = KINDS[kind]
    head: dict[str, Schema] = {"schema_version": {"const": SCHEMA_VERSION}, "kind": {"const": kind}}
    return {**body, "properties": {**head, **body["properties"]}, "required": [*head, *body["required"]]}


def schemas() -> dict[str, Schema]:
    """Return every schema by the name of its file."""
    found = {f"{name}{SUFFIX}": schema for name, schema in FILES.items()}
    found |= {f"json-{kind}{SUFFIX}": said_as(kind) for kind in KINDS}
    return {name: {"$schema": DIALECT, **schema} for name, schema in found.items()}


def text_of(schema: Schema) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def schema_of(file: str, document: Any) -> str:
    """Return the name of the schema of a file of a run; those of earlier formats are kept as they were."""
    number = document.get("format", FORMAT)
    return file if number == FORMAT else f"{file}-{number}"


def write_schemas() -> None:
    """Write docs/schemas."""
    for name, schema in schemas().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(schema), encoding="utf-8")
