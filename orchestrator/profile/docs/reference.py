"""The reference page of profile keys, written from the JSON Schema so that it cannot miss one.

`python -m orchestrator.profile.docs.reference > docs/profile.md` writes the committed copy.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from orchestrator.profile.docs.jsonschema import json_schema

HEAD = """\
# Profile reference

<!-- Written by `python -m orchestrator.profile.docs.reference`; a test compares. -->

A profile is one YAML file. It is found by name (`NAME.yaml`) in `$ORCH_PROFILES_DIR`, in `./profiles`, in the user's
configuration folder and among the profiles that come with orch, first match wins; what holds a slash or ends in
`.yaml` is a path. `orch profile list` shows what is there, `orch profile show --resolved NAME` what comes out,
`orch profile lint NAME` what deserves a second look.

A first line `# yaml-language-server: $schema=PATH` makes editors complete and check the file;
`orch profile schema > PATH` writes the schema.

## How a file is read

- YAML as in version 1.2: only `true` and `false` are booleans, so `no`, `on` and `yes` are text; `010` and `1:30` are
  text; `1e3` is a number. Keys are text. A duplicate or unknown key is a fault.
- All faults of all files are reported at once, each as `file:line:column key — problem`, before anything starts. Those
  of variants come once the `vary` section itself has none.
- `container.image` and `server.model` must be there in the end; a base may give them.
- Sizes are bytes or numbers with k, m, g, t (multiples of 1024); durations are seconds or forms such as `90s`, `1h30m`.

## extends

`extends: NAME`, a path relative to the file, or a list of either. Later bases win over earlier ones, the file wins
over all. Mappings merge key by key; everything else, lists included, replaces, and so does a dataset of another `name`.
What may be a mapping or docker's list of names with values (labels, log options, sysctls, ulimits, extra hosts) merges
name by name in either form; an empty list takes all of it away.
`null` takes a key away: a variable or flag is gone, any other key has its default again. Inside a flag's own value null
is JSON's null. `name` and `description` are never inherited. A file whose name begins with `_` is there to be extended
and is not listed; a file that extends its own name means the next one of that name in the search.

## --set

`--set KEY=VALUE` is laid over the file like one more file; it may be repeated, later ones win. The value is YAML:
`--set server.flags.max-num-seqs=64`, `--set 'bench.lengths=[[512, 512]]'`, `--set container.shm_size=` (nothing is
null). What follows `server.flags.` is one flag's name, dots and all.

## Flags

A flag of `server.flags` or `bench.client_flags` is the same flag in every form of its name: `max-model-len`,
`max_model_len`, `--max-model-len`; `tp`, `-tp`, `tensor-parallel-size`; `no-enable-lora: true` and
`enable-lora: false`. A profile's form wins over its base's; one flag twice in a file is an error. Short names of vLLM
have one dash.

| written | given to vLLM |
|---|---|
| `x: true`, `x: false`, `x: null` | `--x`, `--no-x`, nothing |
| `x: 8`, `x: text`, `x: -1` | `--x 8`, `--x text`, `--x=-1`; no shell reads `$VAR` |
| `x: [a, b]` | `--x a b`; `--x a --x b` where the flag is to be repeated, one JSON list where it takes JSON |
| `x: {a: 1}` | `--x '{"a":1}'` |
| `x.a.b: true`, `x.c: null`, `x.l+: d` | with a mapping under `x`, `--x '{"a":{"b":true},"c":null,"l":["d"]}'` |
| `O: 3`, `O3: true`; `O.a: 1` | `-O 3`, `-O3`; `--compilation-config '{"a":1}'` |

`server.command` gets the model and the flags appended: the model as its first word, or as `--model` for
`[python3, -m, vllm.entrypoints.openai.api_server]`; wrappers such as numactl may stand before. A shell's script gets
them as `"$@"`, as in `[bash, -lc, 'source /opt/env.sh; exec vllm serve "$@"']`. The word behind the script, which the
shell takes for its own name, may be left out: orch then adds the shell's.

## Variants

`vary.axes` gives keys of the container and the server several values; each combination is a variant, and `orch run`
starts one server for each that differs ([how to](how-to/vary-the-server.md)). The profile must also be valid without
it. Axes and `--set vary.axes.KEY=[…]` merge key by key; `--set vary=` takes the section away.

## Secrets

A profile names secrets and never holds them: `env: {HF_TOKEN: {from_env: HF_TOKEN}}` reads the variable of the shell
that runs orch, `{from_file: /path}` a file on the node. They reach the server through its supervisor, and no record,
label or container definition holds them.
"""

Schema = dict[str, Any]


def reference() -> str:
    """Return the page as Markdown."""
    schema = json_schema(in_part=False)
    sections: Schema = schema["$defs"]
    order = ["Container", "Server", "Health", "Bench", "Vary"]
    order += sorted(name for name in sections if name not in order and "properties" in sections[name])
    parts = [HEAD, *_table("Keys of the file", schema, sections)]
    for name in order:
        parts += _table(_heading(name, schema), sections[name], sections)
    return "\n".join(parts)


def _heading(name: str, schema: Schema) -> str:
    keys = [key for key, value in schema["properties"].items() if f"#/$defs/{name}" in json.dumps(value)]
    return f"`{keys[0]}`" if keys else name


def _table(heading: str, section: Schema, sections: Schema) -> list[str]:
    lines = [
        f"## {heading}",
        "",
        section["description"],
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for key, value in section["properties"].items():
        cells = (f"`{key}`", _kind(value), _default(key, value, section), _meaning(value, sections))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [*lines, ""]


def _kind(value: Schema) -> str:
    """Return a value's type in words; null is left out, because it takes any optional key away."""
    if "examples" in value:
        plain = {key: item for key, item in value.items() if key != "examples"}
        return f"{_kind(plain)} such as `{value['examples'][0]}`"
    if name := _referenced(value):
        return "any" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if choices := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(item) for item in choices if item != {"type": "null"}))
    if "enum" in value or "const" in value:
        items = value.get("enum", [value.get("const")])
        return ", ".join(f"`{item if isinstance(item, str) else json.dumps(item)}`" for item in items)
    return _plain_kind(value)


def _plain_kind(value: Schema) -> str:
    if "prefixItems" in value:
        return "pair of whole numbers"
    if value["type"] == "array":
        return f"list of {_grouped(value['items'])}"
    if value["type"] == "object":
        inner = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
        names = value.get("propertyNames", {}).get("enum", ())
        keys = f" of {', '.join(f'`{name}`' for name in names)}" if names else ""
        return f"mapping{keys} to {_grouped(inner[0])}"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(value["type"], "number")


def _grouped(value: Schema) -> str:
    kind = _kind(value)
    return f"({kind})" if " or " in kind else kind


def _referenced(value: Schema) -> str:
    return str(value.get("$ref", "")).rpartition("/")[2]


def _meaning(value: Schema, sections: Schema) -> str:
    choices = [value, *value.get("anyOf", [])]
    referenced: Schema = next((sections[name] for name in map(_referenced, choices) if name), {})
    return " ".join(str(value.get("description") or referenced.get("description", "")).split())


def _default(key: str, value: Schema, section: Schema) -> str:
    if key in section.get("required", ()):
        return "required"
    default = value.get("default")
    return "" if default in (None, "", [], {}) or isinstance(default, dict) else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
