"""Patterns of texts that orch reads with a parser, for the JSON Schema alone: an editor can run no parser.

A pattern takes whatever the parser takes. What of the rest it cannot tell, orch alone refuses.
"""

from __future__ import annotations

from orchestrator.profile.schema.mount_text import PROPAGATIONS

END = r"$(?!\n)"
"""The end of the text; `$` alone would also match before a final newline."""
NO_VARIABLE = r"(?![\s\S]*(\$[A-Za-z_{(]|`))"
_V4 = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V6 = r"(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]+(%[^:\s]+)?"
_ADDRESS = rf"({_V4}(\.{_V4}){{3}}|{_V6})"
ADDRESS_PATTERN = rf"^{_ADDRESS}{END}"
_HOST_ADDRESS = rf"({_ADDRESS}|\[{_ADDRESS}\]|host-gateway)"
HOST_ADDRESS_PATTERN = rf"^{_HOST_ADDRESS}{END}"
HOST_TEXT_PATTERN = rf"^[^:=\s]+[:=]{_HOST_ADDRESS}{END}"
HOST_NAME_PATTERN = rf"^[^:=\s]+{END}"
DEVICE_TEXT_PATTERN = rf"^/[^:]*(:/[^:]*)?(:[rwm]{{1,3}})?{END}"
PAIR_PATTERN = r"^[^=]+=[\s\S]"
LABEL_PATTERN = r"^(?!orch\.)[^=]"
LABEL_NAME_PATTERN = r"^(?!orch\.)"
LIMIT = r"(-1|[0-9]{1,19})(:(-1|[0-9]{1,19}))?"
ULIMIT_PAIR_PATTERN = rf"^[a-z]+={LIMIT}{END}"
NETWORK_PATTERN = rf"^(?!none{END}|container:)"
JSON_LINES_PATTERN = rf"\.jsonl{END}"
_COUNT = r"(all|-1|\+?0*[1-9][0-9]*)"
GPUS_TEXT_PATTERN = rf"^[\s'\"]*(({_COUNT}[\s'\"]*{END})|({_COUNT},)?(driver|count|device|capabilities|options)=)"
GPU_ID_PATTERN = rf'^[^,"\s]+{END}'
_OPTION = f"(ro|rw|z|Z|nocopy|{'|'.join(PROPAGATIONS)})"
_FIELD = (
    r'((source|src|target|dst|destination|bind-propagation)=[^,"]+|type=(bind|volume)'
    r'|(readonly|ro|volume-nocopy)(=(true|1|false|0))?|"[^"]+")'
)
MOUNT_TEXT_PATTERN = rf"^{NO_VARIABLE}([^:]+:/[^:]*(:{_OPTION}(,{_OPTION})*)?|(?=[a-z-]+=){_FIELD}(,{_FIELD})+){END}"
