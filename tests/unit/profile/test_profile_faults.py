"""F4: every fault of a profile at once, each with its place, its key and the nearest valid name."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from profile_folder import GOOD

from orchestrator import units
from orchestrator.errors import ExitCode, ProfileError
from orchestrator.metrics import objectives
from orchestrator.profile.checking.faults import faults_of
from orchestrator.profile.docs.jsonschema import json_schema
from orchestrator.profile.schema import patterns as schema_patterns
from orchestrator.profile.schema import values
from orchestrator.profile.text.tree import Mark, Node

if TYPE_CHECKING:
    from profile_folder import Folder

HEAD = "container:\n  image: i:1\n"


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ("  shmsize: 1g", ["p.yaml:3:3 container.shmsize — unknown key; did you mean 'shm_size'?"]),
        ("  shm-size: 1g", ["p.yaml:3:3 container.shm-size — unknown key; did you mean 'shm_size'?"]),
        ("  port: 1", ["p.yaml:3:3 container.port — unknown key; the server's port on the node is server.port, that in the container server.container_port"]),
        ("  concurrency: 1", ["p.yaml:3:3 container.concurrency — unknown key here; 'concurrency' belongs to bench"]),
        ("  cpus: true", ["p.yaml:3:9 container.cpus — must be a number"]),
        ("  cpus: '7.5'", ["p.yaml:3:9 container.cpus — must be a number"]),
        ("  zzz: 1", ["p.yaml:3:3 container.zzz — unknown key"]),
        ("  shm_size: 1x", ["p.yaml:3:13 container.shm_size — '1x' is not a size; write bytes or a number with k, m, g or t, such as 64G"]),
        ("  shm_size: -1", ["p.yaml:3:13 container.shm_size — must be 0 or more: leave it out for docker's own, 64m"]),
        ("  shm_size: 1.5", ["p.yaml:3:13 container.shm_size — must be a whole number"]),
        ("  shm_size: true", ["p.yaml:3:13 container.shm_size — must be a whole number"]),
        ("  privileged: no", ["p.yaml:3:15 container.privileged — must be true or false"]),
        ("  privileged: 1", ["p.yaml:3:15 container.privileged — must be true or false"]),
        ("  pull: allways", ["p.yaml:3:9 container.pull — must be one of missing, always, never; did you mean 'always'?"]),
        ("  pull: 5", ["p.yaml:3:9 container.pull — must be one of missing, always, never"]),
        ("  network: 5", ["p.yaml:3:12 container.network — must be text; put it in quotes"]),
        ("  network: [a]", ["p.yaml:3:12 container.network — must be text"]),
        ("  network: ''", ["p.yaml:3:12 container.network — must not be empty"]),
        ("  ipc: hots", ["p.yaml:3:8 container.ipc — must be private, shareable, host, none or container:NAME"]),
        ("  gpus: some", ["p.yaml:3:9 container.gpus — must be all, a number of devices, or a list of device ids"]),
        ("  holds: card0", ["p.yaml:3:10 container.holds — must be auto or a list of names"]),
        ("  holds: [a b]", ["p.yaml:3:11 container.holds[0] — must be letters, digits, '.', '_' and '-', a letter or digit first"]),
        ("  holds: {a: 1}", ["p.yaml:3:3 container.holds — must be a list"]),
        ("  gpus: 0", ["p.yaml:3:9 container.gpus — must be 1 or more: leave it out for none"]),
        ("  gpus: true", ["p.yaml:3:9 container.gpus — must be a whole number"]),
        ("  gpus: {a: 1}", ["p.yaml:3:10 container.gpus.a — unknown key; known here: driver, count, device_ids, capabilities, options"]),
        ("  gpus: nvidia=0", ["p.yaml:3:9 container.gpus — 'nvidia' is no key of docker's --gpus; must be all, a number of devices, or a list of device ids, or what docker's --gpus takes, such as device=0,2 or driver=nvidia,count=2"]),
        ("  gpus: {deploy: {resources: {}}}", ["p.yaml:3:3 container.gpus — a deploy section of compose is not read here; must be all, a number of devices, or a list of device ids, or what docker's --gpus takes, such as device=0,2 or driver=nvidia,count=2"]),
        ("  gpus: {count: 1, device_ids: ['0']}", ["p.yaml:3:3 container.gpus — count and device_ids exclude each other; docker refuses both at once"]),
        ("  gpus: ['0,2']", ["p.yaml:3:10 container.gpus[0] — '0,2' is not one id; list them, as in [0, 2] or [GPU-3a5f…]"]),
        ("  gpus: [{driver: nvidia, count: 1}]", ["p.yaml:3:9 container.gpus — a list of requests, as compose has it, is not read here; write one request of driver, count, device_ids, capabilities, options"]),
        ("  gpus: []", ["p.yaml:3:9 container.gpus — must hold at least one value"]),
        ("  devices: ['/dev/kfd:ro']", ["p.yaml:3:13 container.devices[0] — '/dev/kfd:ro' is not a device; write /on/the/node or /on/the/node:/in/the/container:rwm; read-only is :r"]),
        ("  devices: [{cdi: nvidia.com/gpu}]", ["p.yaml:3:19 container.devices[0].cdi — must be a CDI device, such as nvidia.com/gpu=0"]),
        ("  user: true", ["p.yaml:3:9 container.user — must be text; put it in quotes"]),
        ("  devices: [dev/kfd]", [
            "p.yaml:3:13 container.devices[0] — source must be an absolute path without colons, which docker takes for separators",
            "p.yaml:3:13 container.devices[0] — target must be an absolute path without colons, which docker takes for separators",
        ]),
        ("  devices: ['/dev/kfd:']", [
            "p.yaml:3:13 container.devices[0] — '/dev/kfd:' is not a device; write /on/the/node or /on/the/node:/in/the/container:rwm",
        ]),
        ("  devices: ['/dev/kfd:/dev/kfd:rx']", ["p.yaml:3:13 container.devices[0] — permissions must be of the letters r, w and m"]),
        ("  devices: [5]", ["p.yaml:3:13 container.devices[0] — must be a mapping of keys to values"]),
        ("  mounts: ['/a']", ["p.yaml:3:12 container.mounts[0] — '/a' is not a mount; write /on/the/node:/in/the/container, then :ro for read-only, or name a volume: cache:/a"]),
        ("  mounts: ['/a:/b:RO']", ["p.yaml:3:12 container.mounts[0] — 'RO' is no option of a mount; there are ro, rw, z, Z, nocopy or a propagation such as rslave"]),
        ("  mounts: ['~nobody-here/a:/b']", ["p.yaml:3:12 container.mounts[0] — the source '~nobody-here/a' must be a path: absolute, or from ~/ or ./ on"]),
        ("  mounts: ['/a:/x', '/b:/x/']", ["p.yaml:3:21 container.mounts[1] — two mounts share the target /x"]),
        ("  mounts: [{source: /a}]", ["p.yaml:3:12 container.mounts[0].target — required key is missing"]),
        ("  mounts: [{source: /a, taget: /b}]", ["p.yaml:3:25 container.mounts[0].taget — unknown key; did you mean 'target'?"]),
        ("  ulimits: {memlock: x}", ["p.yaml:3:22 container.ulimits.memlock — must be a whole number"]),
        ("  ulimits: {memlock: -2}", ["p.yaml:3:22 container.ulimits.memlock — must be -1 or more"]),
        ("  ulimits: {memlock: {soft: 1}}", ["p.yaml:3:13 container.ulimits.memlock.hard — required key is missing"]),
        ("  ulimits: {MEMLOCK: 1}", ["p.yaml:3:13 container.ulimits.MEMLOCK — must be a limit's name, such as memlock"]),
        ("  ulimits: {memlock: {soft: 2, hard: 1}}", ["p.yaml:3:38 container.ulimits.memlock.hard — the soft limit 2 is above the hard limit 1"]),
        ("  ulimits: 5", ["p.yaml:3:12 container.ulimits — must be a mapping of keys to values"]),
        ("  env: [A=1]", ["p.yaml:3:8 container.env — must be a mapping of keys to values: write NAME: value, not a list of NAME=value"]),
        ("  env: {A: true}", ['p.yaml:3:12 container.env.A — an environment variable is text: write "1", "0", "true" or "false" in quotes']),
        ("  env: {A: [hush]}", ["p.yaml:3:12 container.env.A — must be text"]),
        ("  env: {A-B: 1}", ["p.yaml:3:9 container.env.A-B — must be a variable's name: letters, digits and _, not beginning with a digit"]),
        ('  env: {"A\\n": 1}', ["p.yaml:3:9 container.env.'A\\n' — must be a variable's name: letters, digits and _, not beginning with a digit"]),
        ("  env: {A: {from_evn: B}}", ["p.yaml:3:13 container.env.A.from_evn — unknown key; did you mean 'from_env'?"]),
        ("  env: {A: {from_env: B-C}}", ["p.yaml:3:23 container.env.A.from_env — must be a variable's name: letters, digits and _, not beginning with a digit"]),
        ("  env: {A: {from_file: ''}}", ["p.yaml:3:24 container.env.A.from_file — must be an absolute path"]),
        ("  env: {A: {value: hush}}", [
            "p.yaml:3:9 container.env.A.from_env — required key is missing",
            "p.yaml:3:13 container.env.A.value — unknown key; known here: from_env, from_file, inherit",
        ]),
        ("  env: {A: {from_env: A, from_file: /a}}", ["p.yaml:3:13 container.env.A.from_env — not a key of 'from_file'"]),
        ("  supervise: false\n  env: {A: {from_env: A}}", ["p.yaml:3:14 container.supervise — secrets are handed to the server by the supervisor; set container.supervise to true or remove A"]),
    ],
)  # fmt: skip
def test_faults_of_the_container_are_told_in_plain_words(folder: Folder, lines: str, faults: list[str]) -> None:
    assert folder.faults_in(f"{HEAD}{lines}\nserver: {{model: /m}}\n") == faults


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ("server: {model: m, max-model-len: 1}", ["p.yaml:3:20 server.max-model-len — unknown key; it is a flag, and flags stand below server.flags"]),
        ("server: {model: m, tp: 1}", ["p.yaml:3:20 server.tp — unknown key; it is a flag, and flags stand below server.flags"]),
        ("server: {model: m, flags: --tp 2}", ["p.yaml:3:27 server.flags — must be a mapping of keys to values: write each flag as a key, such as max-model-len: 4096"]),
        ("server: {model: m, command: vllm serve}", ["p.yaml:3:29 server.command — must be a list: write each word by itself, such as [python3, -m, vllm.entrypoints.openai.api_server]"]),
        ("server: {model: m, flags: {lora-modules: a=/a b=/b}}", ["p.yaml:3:42 server.flags.lora-modules — 'lora-modules' takes several words, and a text is one of them; write [a=/a, b=/b]"]),
        ("server: {}", ["p.yaml:3:1 server.model — required key is missing"]),
        ("server: {modle: x}", ["p.yaml:3:10 server.modle — unknown key; did you mean 'model'?"]),
        ("server: {model: ~}", ["p.yaml:3:1 server.model — required key is missing"]),
        ("server: 5", ["p.yaml:3:9 server — must be a mapping of keys to values"]),
        ("server: {model: m, host: localhost}", ["p.yaml:3:26 server.host — 'localhost' is not an IP address; write 127.0.0.1 for this node alone"]),
        ("server: {model: m, port: 0}", ["p.yaml:3:26 server.port — must be 1 or more"]),
        ("server: {model: m, port: 65536}", ["p.yaml:3:26 server.port — must be 65535 or less"]),
        ("server: {model: m, port: '8000'}", ["p.yaml:3:26 server.port — must be a whole number"]),
        ("server: {model: m, port: true}", ["p.yaml:3:26 server.port — must be a whole number"]),
        ("server: {model: m, command: []}", ["p.yaml:3:29 server.command — must hold at least one value"]),
        ("server: {model: m, max_model_len: 5}", ["p.yaml:3:20 server.max_model_len — unknown key; it is a flag, and flags stand below server.flags"]),
        ("server: {model: m, flags: {--x: 1}}", []),
        ("server: {model: m, flags: {---x: 1}}", ["p.yaml:3:28 server.flags.---x — must be a flag's name, such as max-model-len or --max-model-len"]),
        ("server: {model: m, flags: {port: 1}}", ["p.yaml:3:28 server.flags.port — 'port' is set by server.port"]),
        ("server: {model: m, flags: {a-b: 1, a_b: 1}}", ["p.yaml:3:36 server.flags.a_b — 'a_b' and 'a-b' are the same flag; keep one, vLLM takes the last"]),
        ("server: {model: m}\nhealth: {deadline: 0}", ["p.yaml:4:20 health.deadline — must be more than 0: there is always a limit, of 366d at most"]),
        ("server: {model: m}\nhealth: {deadline: 1y}", ["p.yaml:4:20 health.deadline — '1y' is not a duration; write seconds or a form such as 90s, 30m or 1h30m"]),
        ("server: {model: m}\nhealth: {deadline: true}", ["p.yaml:4:20 health.deadline — must be a number"]),
        ("server: {model: m}\nhealth: {expected: {wieghts: 1m}}", ["p.yaml:4:21 health.expected.wieghts — unknown key; did you mean 'weights'?"]),
        ("server: {model: m}\nhealth: {expected: {zzz: 1m}}", ["p.yaml:4:21 health.expected.zzz — unknown key; known here: image, container, weights, graphs"]),
        ("server: {model: m}\nname: a b", ["p.yaml:4:7 name — must be letters, digits, '.', '_' and '-', a letter or digit first"]),
        ("server: {model: m}\nbnech: {}", ["p.yaml:4:1 bnech — unknown key; did you mean 'bench'?"]),
        ("server: {model: m}\nimage: x", ["p.yaml:4:1 image — unknown key here; 'image' belongs to container"]),
        ("server: {model: m}\ninput: x", ["p.yaml:4:1 input — unknown key here; 'input' belongs to bench.lengths or bench.dataset.range_ratio"]),
        ("server: {model: m}\nsource: x", ["p.yaml:4:1 source — unknown key here; 'source' belongs to container or container.devices or container.mounts"]),
        ("server: {model: m}\nzzz: x", ["p.yaml:4:1 zzz — unknown key; known here: name, description, container, server, health, bench, vary, objectives, extends"]),
        ("server: {model: m}\nextends: 5", ["p.yaml:4:10 extends — must be a profile's name, a path, or a list of them"]),
        ("server: {model: m}\nextends: [{a: b}]", ["p.yaml:4:11 extends — must be a profile's name, a path, or a list of them"]),
    ],
)  # fmt: skip
def test_faults_of_the_other_sections_are_told_in_plain_words(folder: Folder, lines: str, faults: list[str]) -> None:
    assert folder.faults_in(f"{HEAD}{lines}\n") == faults


@pytest.mark.parametrize(
    ("bench", "faults"),
    [
        ("{lengths: [[1, 1]]}", ["p.yaml:3:1 bench — give either num_prompts or prompts_per_concurrency"]),
        ("{lengths: [[1, 1]], num_prompts: 1, prompts_per_concurrency: 1}", [
            "p.yaml:3:69 bench.prompts_per_concurrency — give either num_prompts or prompts_per_concurrency",
            "p.yaml:3:69 bench.prompts_per_concurrency — prompts_per_concurrency multiplies concurrency, which is not given",
        ]),
        ("{lengths: [[1, 1]], prompts_per_concurrency: 1}", ["p.yaml:3:53 bench.prompts_per_concurrency — prompts_per_concurrency multiplies concurrency, which is not given"]),
        ("{num_prompts: 1}", ["p.yaml:3:1 bench — the random dataset needs lengths, such as [[512, 512], [1024, 1024]]"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {name: sharegpt}}", ["p.yaml:3:44 bench.dataset — the dataset 'sharegpt' is a file: give file, which is on the node, or path"]),
        ("{num_prompts: 1, lengths: [[1]]}", ["p.yaml:3:35 bench.lengths[0] — write an input and an output length, such as [512, 512]"]),
        ("{num_prompts: 1, lengths: [1, 2]}", [
            "p.yaml:3:35 bench.lengths[0] — write an input and an output length, such as [512, 512]",
            "p.yaml:3:38 bench.lengths[1] — write an input and an output length, such as [512, 512]",
        ]),
        ("{num_prompts: 1, lengths: [[1, 0]]}", ["p.yaml:3:39 bench.lengths[0][1] — must be 1 or more"]),
        ("{num_prompts: 1, lengths: 5}", ["p.yaml:3:34 bench.lengths — must be a list: write pairs of input and output, such as [[512, 512]]"]),
        ("{num_prompts: 1, lengths: [[1, 1]], random-input-len: 9}", ["p.yaml:3:44 bench.random-input-len — unknown key; here it is bench.lengths"]),
        ("{num_prompts: 1, lengths: [[1, 1]], save_result: true}", ["p.yaml:3:44 bench.save_result — unknown key; orch itself gives it to the client; leave it out"]),
        ("{num_prompts: 1, lengths: [[1, 1]], tokenizer: t}", ["p.yaml:3:44 bench.tokenizer — unknown key; it is a flag, and flags stand below bench.client_flags"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {input_len: 9}}", ["p.yaml:3:54 bench.dataset.input_len — unknown key; here it is bench.lengths"]),
        ("{num_prompts: 1, lengths: [[1, 1]], concurrency: none}", ["p.yaml:3:57 bench.concurrency — must be a whole number: leave it out for no limit"]),
        ("{num_prompts: 1, lengths: [[1, 1]], percentiles: '50,99.9'}", ["p.yaml:3:57 bench.percentiles — must be a number: write several as a list, such as [99.9, 99.99]"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client: vllm bench}", ["p.yaml:3:52 bench.client — must be one of vllm, vllm-rs, or the path in the container of a client"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client_flags: {goodput: ttft:9 tpot:5}}", ["p.yaml:3:68 bench.client_flags.goodput — 'goodput' takes several words, and a text is one of them; write [ttft:9, tpot:5]"]),
        ("{num_prompts: 1, dataset: {name: SharGPT}}", ["p.yaml:3:41 bench.dataset.name — unknown dataset; did you mean 'sharegpt'?"]),
        ("{num_prompts: 1, lengths: {inptu: [1], output: [1]}}", ["p.yaml:3:35 bench.lengths.inptu — unknown key; did you mean 'input'?"]),
        ("{num_prompts: 1, lengths: {input: [], output: [1]}}", ["p.yaml:3:42 bench.lengths.input — must hold at least one value"]),
        ("{num_prompts: [], lengths: [[1, 1]]}", ["p.yaml:3:22 bench.num_prompts — must hold at least one value"]),
        ("{num_prompts: [1, x], lengths: [[1, 1]]}", ["p.yaml:3:26 bench.num_prompts[1] — must be a whole number"]),
        ("{num_prompts: x, lengths: [[1, 1]]}", ["p.yaml:3:22 bench.num_prompts — must be a whole number"]),
        ("{num_prompts: true, lengths: [[1, 1]]}", ["p.yaml:3:22 bench.num_prompts — must be a list"]),
        ("{num_prompts: 1, request_rate: 0, lengths: [[1, 1]]}", ["p.yaml:3:39 bench.request_rate — must be more than 0: inf sends everything at once"]),
        ("{num_prompts: 1, request_rate: [1, fast], lengths: [[1, 1]]}", ["p.yaml:3:43 bench.request_rate[1] — must be requests per second, or inf to send everything at once"]),
        ("{num_prompts: 1, request_rate: [true], lengths: [[1, 1]]}", ["p.yaml:3:40 bench.request_rate[0] — must be requests per second, or inf to send everything at once"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client_flags: {result-dir: x}}", ["p.yaml:3:59 bench.client_flags.result-dir — 'result-dir' is set by orch itself; leave it out"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client_flags: {base-url: x, metric_percentiles: 50}}", [
            "p.yaml:3:59 bench.client_flags.base-url — 'base-url' is set by server.host",
            "p.yaml:3:72 bench.client_flags.metric_percentiles — 'metric_percentiles' is set by bench.percentiles",
        ]),
        ("{num_prompts: 1, lengths: [[1, 1]], repetitions: 1001}", ["p.yaml:3:57 bench.repetitions — must be 1000 or less"]),
        ("{num_prompts: 1, lengths: [[1, 1]], deadline: 400d}", ["p.yaml:3:54 bench.deadline — must be 31622400 or less"]),
        ("{num_prompts: 1, lengths: [[1, 1]], seed: -1}", ["p.yaml:3:50 bench.seed — must be 0 or more"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {path: /x}}", ["p.yaml:3:54 bench.dataset.path — not a key of 'random'"]),
        ("{num_prompts: 1, dataset: {name: burstgpt, output_len: 8}}", ["p.yaml:3:51 bench.dataset.output_len — not a key of 'burstgpt'"]),
        ("{num_prompts: 1, dataset: {name: sharegtp, output_len: 0, path: /x}}", [
            "p.yaml:3:41 bench.dataset.name — unknown dataset; did you mean 'sharegpt'?",
            "p.yaml:3:63 bench.dataset.output_len — must be 1 or more: leave it out for the dataset's own",
        ]),
        ("{num_prompts: 1, dataset: {name: Prefix-Repetition, num_prefix: 8}}", [
            "p.yaml:3:41 bench.dataset.name — unknown dataset; did you mean 'prefix_repetition'?",
            "p.yaml:3:60 bench.dataset.num_prefix — unknown key; did you mean 'num_prefixes'?",
        ]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {prefix: 8}}", ["p.yaml:3:54 bench.dataset.prefix — unknown key; did you mean 'prefix_len'?"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {range_ratio: 1}}", ["p.yaml:3:67 bench.dataset.range_ratio — must be less than 1, and 0 for exact lengths; a script that draws lengths from X·r to X is told its own: client_flags: {random-range-ratio: 1}"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: random}", ["p.yaml:3:53 bench.dataset — must be a mapping of keys to values: write its name as a key, such as {name: sharegpt}"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {name: 5}}", ["p.yaml:3:60 bench.dataset.name — must be text; put it in quotes"]),
        ("{num_prompts: 1, lengths: [[1, 1]], dataset: {name: hf, path: /x}}", ["p.yaml:3:34 bench.lengths — lengths belong to the random and sonnet datasets; 'hf' says in its own keys how long requests are"]),
        ("{num_prompts: 1, dataset: {name: sonnet, path: /x}}", ["p.yaml:3:1 bench — the sonnet dataset needs lengths, such as [[512, 512], [1024, 1024]]"]),
        ("{num_prompts: 1, dataset: {name: custom, path: x.jsonl}}", ["p.yaml:3:55 bench.dataset.path — must be an absolute path in the container; of a file of the node write file: x.jsonl"]),
        ("{num_prompts: 1, dataset: {name: custom, path: /x.json}}", ["p.yaml:3:55 bench.dataset.path — the file of a custom dataset is JSON Lines, and its name must end in .jsonl"]),
        ("{num_prompts: 1, dataset: {name: hf, file: x, path: /x}}", ["p.yaml:3:60 bench.dataset.path — give either file, which is on the node, or path, which is in the container"]),
        ("{num_prompts: [20, 25], dataset: {name: prefix_repetition}}", ["p.yaml:3:27 bench.num_prompts[1] — 25 prompts cannot be shared evenly by 10 prefixes"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client_flags: {random-prefix-len: 5}}", ["p.yaml:3:59 bench.client_flags.random-prefix-len — 'random-prefix-len' is set by bench.dataset.prefix_len"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client_flags: {burstiness: 5}}", ["p.yaml:3:59 bench.client_flags.burstiness — 'burstiness' is set by bench.burstiness"]),
        ("{num_prompts: 1, lengths: [[1, 1]], burstiness: 2}", ["p.yaml:3:56 bench.burstiness — burstiness has no effect without a request_rate other than inf"]),
        ("{num_prompts: 1, lengths: [[1, 1]], burstiness: 0, request_rate: 1}", ["p.yaml:3:56 bench.burstiness — must be more than 0"]),
        ("{num_prompts: 1, lengths: [[1, 1]], ramp_up: {strategy: linear, from: 1, to: 2}, request_rate: 1}", ["p.yaml:3:44 bench.ramp_up — ramp_up is a request rate that rises; give it or request_rate"]),
        ("{num_prompts: 1, lengths: [[1, 1]], ramp_up: {strategy: linear, from: 1, to: 2}, burstiness: 2}", ["p.yaml:3:101 bench.burstiness — burstiness goes with request_rate; with ramp_up leave it out"]),
        ("{num_prompts: 1, lengths: [[1, 1]], ramp_up: {strategy: linear, from: 2, to: 2}}", ["p.yaml:3:85 bench.ramp_up.to — the rate must rise, and 2 is not more than 2"]),
        ("{num_prompts: 1, lengths: [[1, 1]], client_flags: {num-warmups: 5}}", ["p.yaml:3:59 bench.client_flags.num-warmups — 'num-warmups' is set by bench.warmup"]),
        ("{num_prompts: 1, lengths: [[1, 1]], ramp_up: {strategy: square, form: 2, to: 3}}", [
            "p.yaml:3:64 bench.ramp_up.strategy — must be one of linear, exponential",
            "p.yaml:3:72 bench.ramp_up.form — unknown key; did you mean 'from'?",
        ]),
        ("{num_prompts: 1, lengths: [[1, 1]], client: rust}", ["p.yaml:3:52 bench.client — must be one of vllm, vllm-rs, or the path in the container of a client"]),
    ],
)  # fmt: skip
def test_faults_of_the_sweep_are_told_in_plain_words(folder: Folder, bench: str, faults: list[str]) -> None:
    assert folder.faults_in(f"{GOOD}bench: {bench}\n") == faults


def test_all_faults_of_all_files_come_at_once_the_profile_first_each_from_its_top(folder: Folder) -> None:
    folder.write("_base.yaml", "container:\n  image: 5\n  shm: 1\nserver: {port: x}\n")
    folder.write(
        "p.yaml",
        """
        extends: _base
        server:
          model: m
          modle: n
          model: o
        bench: {num_prompts: 0}
        """,
    )
    assert folder.faults("p", "container.pull=", "health.dedline=5", "oops") == [
        "p.yaml:4:3 server.modle — unknown key; did you mean 'model'?",
        "p.yaml:5:3 server.model — duplicate key; first given at line 3, column 3",
        "p.yaml:6:1 bench — the random dataset needs lengths, such as [[512, 512], [1024, 1024]]",
        "p.yaml:6:22 bench.num_prompts — must be 1 or more",
        "_base.yaml:2:10 container.image — must be text; put it in quotes",
        "_base.yaml:3:3 container.shm — unknown key; here it is container.shm_size",
        "_base.yaml:4:16 server.port — must be a whole number",
        "--set container.pull:1:11 container.pull — has no value, and no extended profile sets it: in a one-line mapping put text that holds a comma in quotes; or leave the key out",
        "--set health.dedline:1:8 health.dedline — unknown key; did you mean 'deadline'?",
        "--set:1:1 — write KEY=VALUE, such as server.port=8010",
    ]


AT_FAULT = {
    "container": ("image: ''", "2:10 container.image — must not be empty"),
    "server": ("model: ''", "2:10 server.model — must not be empty"),
    "bench": ("seed: -1", "2:9 bench.seed — must be 0 or more"),
}
"""A wrong line of each section."""
REST = {"container": "image: i", "server": "model: m"}


@pytest.mark.parametrize(
    ("section", "lines", "faults"),
    [
        ("container", ["mounts: ['/a:/x', '/b:/y', '/c:/x/', '/d:/y', ya]"], [
            "3:30 container.mounts[2] — two mounts share the target /x",
            "3:40 container.mounts[3] — two mounts share the target /y",
            "3:49 container.mounts[4] — 'ya' is not a mount; write /on/the/node:/in/the/container, then :ro for read-only",
        ]),
        ("container", ["mounts: [{source: $A, target: /x}, {source: /b, target: /x}]"], [
            "3:21 container.mounts[0].source — must be a path; a profile reads no variables: write it out, begin it with ~/ or ./, or give it with --set",
            "3:59 container.mounts[1].target — two mounts share the target /x",
        ]),
        ("container", ["supervise: false", "env: {A: {from_env: A, x: 1}, C: c}"], [
            "3:14 container.supervise — secrets are handed to the server by the supervisor; set container.supervise to true or remove A",
            "4:26 container.env.A.x — unknown key; known here: from_env, from_file, inherit",
        ]),
        ("container", ["ulimits: {a: {soft: 2, hard: 1, x: 1}, b: {soft: x, hard: 1}}"], [
            "3:32 container.ulimits.a.hard — the soft limit 2 is above the hard limit 1",
            "3:35 container.ulimits.a.x — unknown key; known here: soft, hard",
            "3:52 container.ulimits.b.soft — must be a whole number",
        ]),
        ("server", ["flags: {host: x, -p=: 1, port: 1, a_b: 1, a-b: 1, tp: 2, l: [-1, -x, --y]}"], [
            "3:11 server.flags.host — 'host' is set by server.host",
            "3:20 server.flags.'-p=' — must be a flag's name, such as max-model-len or --max-model-len",
            "3:28 server.flags.port — 'port' is set by server.port",
            "3:45 server.flags.a-b — 'a-b' and 'a_b' are the same flag; keep one, vLLM takes the last",
            "3:68 server.flags.l[1] — '-x' in the list of 'l' would be taken for another flag",
            "3:72 server.flags.l[2] — '--y' in the list of 'l' would be taken for another flag",
        ]),
        ("bench", ["client_flags: {seed: 1, model: 2}"], [
            "1:1 bench — give either num_prompts or prompts_per_concurrency",
            "1:1 bench — the random dataset needs lengths, such as [[512, 512], [1024, 1024]]",
            "3:18 bench.client_flags.seed — 'seed' is set by bench.seed",
            "3:27 bench.client_flags.model — 'model' is set by server.model",
        ]),
        ("bench", ["lengths: [[1, 1]]", "num_prompts: x", "prompts_per_concurrency: y"], [
            "4:16 bench.num_prompts — must be a whole number",
            "5:28 bench.prompts_per_concurrency — must be a whole number",
            "5:28 bench.prompts_per_concurrency — give either num_prompts or prompts_per_concurrency",
            "5:28 bench.prompts_per_concurrency — prompts_per_concurrency multiplies concurrency, which is not given",
        ]),
        ("bench", ["lengths: [[1]]", "num_prompts: [1, 2]", "dataset: {name: prefix_repetition}"], [
            "3:12 bench.lengths — lengths belong to the random and sonnet datasets; 'prefix_repetition' says in its own keys how long requests are",
            "3:13 bench.lengths[0] — write an input and an output length, such as [512, 512]",
            "4:17 bench.num_prompts[0] — 1 prompts cannot be shared evenly by 10 prefixes",
            "4:20 bench.num_prompts[1] — 2 prompts cannot be shared evenly by 10 prefixes",
        ]),
        ("bench", ["concurrency: 3", "prompts_per_concurrency: 3", "dataset: {name: prefix_repetition}"], [
            "4:28 bench.prompts_per_concurrency — 9 prompts cannot be shared evenly by 10 prefixes",
        ]),
        ("bench", ["num_prompts: 1", "dataset: {name: custom, file: x, path: y, output_len: 0}"], [
            "4:33 bench.dataset.file — the file of a custom dataset is JSON Lines, and its name must end in .jsonl",
            "4:42 bench.dataset.path — must be an absolute path in the container; of a file of the node write file: y",
            "4:42 bench.dataset.path — give either file, which is on the node, or path, which is in the container",
            "4:42 bench.dataset.path — the file of a custom dataset is JSON Lines, and its name must end in .jsonl",
            "4:57 bench.dataset.output_len — must be 1 or more: leave it out for the dataset's own",
        ]),
        ("bench", ["num_prompts: 1", "dataset: {name: sharegpt, output_len: 0}"], [
            "4:3 bench.dataset — the dataset 'sharegpt' is a file: give file, which is on the node, or path",
            "4:41 bench.dataset.output_len — must be 1 or more: leave it out for the dataset's own",
        ]),
        ("bench", ["lengths: [[1, 1]]", "num_prompts: 1", "burstiness: 2", "request_rate: fast", "ramp_up: {strategy: linear, from: 2, to: 1, by: 1}"], [
            "5:15 bench.burstiness — burstiness goes with request_rate; with ramp_up leave it out",
            "6:17 bench.request_rate — must be requests per second, or inf to send everything at once",
            "7:3 bench.ramp_up — ramp_up is a request rate that rises; give it or request_rate",
            "7:44 bench.ramp_up.to — the rate must rise, and 1 is not more than 2",
            "7:47 bench.ramp_up.by — unknown key; known here: strategy, from, to",
        ]),
        ("bench", ["lengths: [[1, 1]]", "num_prompts: 1", "burstiness: 2"], [
            "5:15 bench.burstiness — burstiness has no effect without a request_rate other than inf",
        ]),
        ("bench", ["lengths: [[1, 1]]", "num_prompts: 1", "repetitions: {auto: {metric: x_y, at_least: 11, width: 1}}"], [
            "5:17 bench.repetitions.auto — at_least is 11 and at_most 10",
            "5:32 bench.repetitions.auto.metric — 'x_y' is not a metric; there are request_throughput, output_throughput, total_token_throughput, request_goodput, and latencies such as p99_ttft_ms, made of mean, median, std, p50, p90, p95, p99 and ttft, tpot, itl, e2el",
            "5:58 bench.repetitions.auto.width — must be less than 1",
        ]),
    ],
)  # fmt: skip
def test_what_concerns_several_keys_is_told_beside_what_is_wrong_with_one(
    folder: Folder, section: str, lines: list[str], faults: list[str]
) -> None:
    line, fault = AT_FAULT[section]
    rest = "".join(f"{name}: {{{keys}}}\n" for name, keys in REST.items() if name != section)
    found = folder.faults_in("".join([f"{section}:\n", *(f"  {item}\n" for item in (line, *lines)), rest]))
    assert sorted(found) == sorted(f"p.yaml:{item}" for item in (fault, *faults))


def test_everything_that_is_wrong_with_a_profile_is_told_at_once_each_at_its_own_line(folder: Folder) -> None:
    faults = folder.faults_in(
        """
        container:
          image: i
          imgae: j
          supervise: false
          env:
            TOKEN: {from_env: TOKEN}
          mounts:
            - /a:/x
            - source: $HOME
              target: /run/orch-dataset/c.jsonl
            - /c:/x
        server:
          port: 0
          flags:
            host: x
            port: 1
            model: y
        bench:
          num_prompts: 5
          prompts_per_concurrency: 3
          seeed: 1
          dataset:
            name: custom
            file: c.jsonl
            path: /d.jsonl
        objectives:
          - foo<1
          - p99_ttft_ms
        """
    )
    assert [line.partition(" — ")[0] for line in faults] == [
        "p.yaml:3:3 container.imgae",
        "p.yaml:4:14 container.supervise",
        "p.yaml:9:15 container.mounts[1].source",
        "p.yaml:10:15 container.mounts[1].target",
        "p.yaml:11:7 container.mounts[2]",
        "p.yaml:12:1 server.model",
        "p.yaml:13:9 server.port",
        "p.yaml:15:5 server.flags.host",
        "p.yaml:16:5 server.flags.port",
        "p.yaml:17:5 server.flags.model",
        "p.yaml:20:28 bench.prompts_per_concurrency",
        "p.yaml:20:28 bench.prompts_per_concurrency",
        "p.yaml:21:3 bench.seeed",
        "p.yaml:25:11 bench.dataset.path",
        "p.yaml:27:5 objectives[0]",
        "p.yaml:28:5 objectives[1]",
    ]


def test_what_a_mistyped_key_would_supply_is_not_said_to_lack(folder: Folder) -> None:
    bench = "{num_promts: 1, lenghts: [[1, 1]], burstiness: 2, request_rat: 1}"
    assert folder.faults_in(f"{GOOD}bench: {bench}\n") == [
        "p.yaml:3:9 bench.num_promts — unknown key; did you mean 'num_prompts'?",
        "p.yaml:3:24 bench.lenghts — unknown key; did you mean 'lengths'?",
        "p.yaml:3:58 bench.request_rat — unknown key; did you mean 'request_rate'?",
    ]


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ("lengths: [[1, 1]]", []),
        ("prompts_per_concurrency: 1, burstiness: 2, repetitions: {auto: {at_least: 11}}", []),
        ("dataset: {name: sharegpt}", []),
        ("num_prompts: 5, dataset: {name: prefix_repetition}", []),
        ("num_prompts: 5, dataset: {name: prefix_repetition, num_prefixes: 2}", [
            "p.yaml:3:22 bench.num_prompts — 5 prompts cannot be shared evenly by 2 prefixes"
        ]),
        ("repetitions: {auto: {at_least: 3, at_most: 2}}", [
            "p.yaml:3:52 bench.repetitions.auto.at_most — at_least is 3 and at_most 2"
        ]),
        ("num_prompts: 5, prompts_per_concurrency: 1", [
            "p.yaml:3:50 bench.prompts_per_concurrency — give either num_prompts or prompts_per_concurrency"
        ]),
    ],
)  # fmt: skip
def test_only_what_a_file_that_cannot_be_read_may_supply_is_not_said_to_lack(
    folder: Folder, keys: str, faults: list[str]
) -> None:
    folder.write("_base.yaml", "container: [\n")
    assert folder.faults_in(f"extends: _base\nserver: {{prot: 1}}\nbench: {{{keys}}}\n") == [
        "p.yaml:2:10 server.prot — unknown key; did you mean 'port'?",
        *faults,
        "_base.yaml:2:1 — not YAML: expected the node content, but found '<stream end>'",
    ]


def test_the_error_lists_every_fault_on_a_line_of_its_own_and_exits_2(folder: Folder) -> None:
    path = folder.write("p.yaml", "container: {image: 5}\nserver: {}\n")
    with pytest.raises(ProfileError) as caught:
        folder.load()
    assert caught.value.message == (
        "profile 'p' has 2 faults\n"
        f"{path}:1:20 container.image — must be text; put it in quotes\n"
        f"{path}:2:1 server.model — required key is missing"
    )
    assert caught.value.hint == "`orch profile schema` and docs/profile.md tell every key"
    assert caught.value.exit_code is ExitCode.USAGE


def test_one_fault_is_called_one(folder: Folder) -> None:
    folder.write("p.yaml", "container: {image: x}\n")
    with pytest.raises(ProfileError, match=r"^profile 'p' has a fault\n.*:1:1 server — required key is missing$"):
        folder.load()


def test_a_file_name_that_cannot_be_a_profile_name_asks_for_one(folder: Folder) -> None:
    folder.write("my profile.yaml", GOOD)
    assert folder.faults("my profile") == [
        "my profile.yaml:1:1 name — must be letters, digits, '.', '_' and '-', a letter or digit first; it is the file's own, give another"
    ]


def test_what_an_environment_variable_holds_is_in_no_message(folder: Folder) -> None:
    text = "container: {image: x, env: {A: [hush], B: {x: hush}, C: true}}\nserver: {model: m}\n"
    sets = ["server.env.D=[hush", "server.env.E=*hush", "server.env.F=!hush x", "server.env.G=hush: hush: hush"]
    faults = folder.faults_in(text, *sets)
    assert len(faults) == 8
    assert "hush" not in "\n".join(faults)


def test_every_pattern_of_the_schema_has_a_sentence() -> None:
    patterns = {value for name, value in vars(values).items() if name.endswith("_PATTERN")}
    found = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(json_schema())))
    read_by_a_parser = {
        *(
            value
            for module in (schema_patterns, objectives)
            for name, value in vars(module).items()
            if name.endswith("_PATTERN")
        ),
        *(
            "|".join(pair)
            for pair in ((units.SIZE_PATTERN, "^-1$"), (schema_patterns.DEVICE_TEXT_PATTERN, values.CDI_PATTERN))
        ),
        *(units.SIZE_PATTERN, units.DURATION_PATTERN),
    }
    assert {json.loads(pattern) for pattern in found} - read_by_a_parser <= patterns
    for pattern in patterns - read_by_a_parser:
        error: Any = {"type": "string_pattern_mismatch", "loc": (), "msg": "", "input": "", "ctx": {"pattern": pattern}}
        (fault,) = faults_of([error], Node(Mark("f", 1, 1), "x"), incomplete=False)
        assert "match" not in fault.problem
