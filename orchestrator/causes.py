"""Causes and warnings, each an id with fields; what people read of them is made here, and only here.

A record holds the id and the fields, and no sentence. What a program said, such as the last line of a client's log, is
a field like any other. Fields are plain data: what is written is what is read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.text import Text, made_of, remade, verbatim

CATALOGUE: Mapping[str, str] = {
    "client-deadline": "the client was killed at its deadline",
    "client-exit": "the client exited with code {code}: {last_words}",
    "client-exit-silent": "the client exited with code {code}: it printed nothing",
    "no-result": "the client left no result",
    "unreadable-result": "the client's result cannot be read: {problem}",
    "requests-incomplete": "{completed} of {asked} requests completed",
    "requests-failed": "{failed} requests failed",
    "output-tokens": "{made} of {asked} output tokens",
    "output-tokens-over": "{made} output tokens, {asked} at most were asked for",
    "no-figure": "{figure} is {value}",
    "not-measured": "not measured",
    "measurements-missing": "{missing} of {total} measurements are not done",
    "interrupted": "orch received {signal}",
    "orch-killed": "orch was killed",
    "orch-failed": "orch itself failed: {exception}: {said}",
    "not-begun": "not begun: {cause}",
    "server-exited": "the server exited with code {exit_code}",
    "server-signalled": "the server was ended by signal {signal} (exit code {exit_code})",
    "server-memory": "the server was killed for memory",
    "server-late": "the server was not healthy when its time was up",
    "server-down": "the server failed",
    "server-problem": "{problem}",
    "engine-silent": "{failure}, and the engine cannot say more: {engine}",
    "engine-refused": "the Docker engine refused the container",
    "told": "{text}",
}
"""The English of each cause. Any other id is that of a kind of error, which brings its own template."""
WARNINGS: Mapping[str, str] = {
    "device-of-disks": "device {source}: the node's disks or memory",
    "mount-of-socket": "mount {source}: whoever reaches the engine's socket controls the node",
    "mount-of-system": "mount {source}: a system folder of the node, writable",
    "mount-propagated": "mount {source}: {propagation}, so that what the container mounts there shows on the node",
    "mount-relabelled": "mount {source}: relabels a system folder of the node for SELinux",
    "ipc": "ipc {ipc}: shared memory of {owner}",
    "network-host": "network host: every address and port of the node",
    "pid": "pid {pid}: sees the processes of {owner}, and may signal those of its user",
    "uts": "uts {uts}: the node's host name, which a capable process may change",
    "userns": "userns {userns}: its root is the node's root",
    "cgroupns-host": "cgroupns host: sees the cgroups of the node",
    "device-cgroup-rule": "device_cgroup_rules {rule}: devices by number, beyond those that it is given",
    "sysctl": "sysctls {name}: a setting of the kernel",
    "cgroup-parent": "cgroup_parent {cgroup_parent}: outside the cgroup that the engine keeps its containers in",
    "oom-kill-disabled": "oom_kill_disable: a process that runs out of memory hangs, and may hang the node",
    "oom-score": "oom_score_adj {oom_score_adj}: the node kills its own processes for memory first",
    "privileged": "privileged: every capability and every device of the node",
    "security-option": "security_opt {option}: {meaning}",
    "capability": "cap_add {capability}: a capability that reaches beyond the container",
}
"""What a setting that weakens the container's isolation gives away; see `plan.weakening`."""
TEMPLATES: Mapping[str, str] = {**CATALOGUE, **WARNINGS}
TAILS: Mapping[str, str] = {"phase": " while {phase}", "title": ": {title}"}
"""What follows where a cause has the field: the cause of a server's failure says when and why, as far as is known."""
PHASES: Mapping[str, str] = {
    "image": "getting the image",
    "container": "starting the container",
    "starting": "starting vLLM",
    "weights": "loading weights",
    "memory": "sizing the KV cache",
    "graphs": "capturing graphs",
    "serving": "opening the port",
    "ready": "ready",
    "measuring": "serving",
}
"""What a server is doing, by the name of the phase."""
FIGURES: Mapping[str, str] = {
    "duration_s": "duration",
    "request_throughput": "request throughput",
    "output_throughput": "output throughput",
    "mean_ttft_ms": "mean TTFT",
    "mean_e2el_ms": "mean E2EL",
}
OWNERS: Mapping[str, str] = {"node": "the node", "container": "another container"}
MEANINGS: Mapping[str, str] = {
    "seccomp": "no system call is filtered",
    "apparmor": "no AppArmor profile confines it",
    "label": "SELinux does not confine it",
    "systempaths": "the kernel's files under /proc and /sys are writable",
    "no-new-privileges": "its processes may gain privileges",
}
WORDS: Mapping[str, Mapping[str, str]] = {"phase": PHASES, "figure": FIGURES, "owner": OWNERS, "meaning": MEANINGS}
"""Fields whose values are ids themselves, each with the words for them."""
UNKNOWN, UNKNOWN_TITLE = "unknown", "not one that orch knows by name"
"""What the diagnosis of a server's log calls a cause that no rule fits."""
OF_DIAGNOSIS = ("cause", "root", "line", "process", "why", "errors", "advice", "log")
"""The fields of a cause that the diagnosis of a log found out; see `block`. None of them is in the headline."""


@dataclass(frozen=True)
class Cause:
    """Why something came to nothing, or what is to be known of something that works."""

    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Plain data: texts, numbers, lists and mappings of them."""

    def text(self) -> Text:
        """Return it in one line: the first of its template, with the first of what programs said in many."""
        whole = self._whole()
        fields = {name: _first_line(value) for name, value in whole.fields.items()}
        return Text(whole.template.split("\n", 1)[0], **fields)

    def lines(self) -> list[str]:
        """Return all that there is to say of it, first what `text` says."""
        if "why" in self.fields:
            return block(self.text(), self.fields)
        return [*self._whole().split("\n"), *self.fields.get("more", ())]

    def _whole(self) -> Text:
        if self.id not in TEMPLATES:
            return remade(self.fields) if "template" in self.fields else verbatim(self.id)
        of_server = self.id.startswith(("server-", "engine-"))
        tails = [tail for name, tail in TAILS.items() if of_server and name in self.fields]
        template = "".join([TEMPLATES[self.id], *tails])
        skipped = OF_DIAGNOSIS if of_server else ()
        fields = {name: _said(name, value) for name, value in self.fields.items() if name not in skipped}
        try:
            return Text(template, **fields)
        except LookupError:  # of another version, which says it with other fields
            return verbatim(self.id)

    def data(self) -> dict[str, Any]:
        """Return it as plain data, beside it what people read."""
        return {"id": self.id, "fields": dict(self.fields), "text": str(self.text())}


def caused(kind: str, message: str) -> Cause:
    """Return the cause that an error of some kind is by itself: the template and the fields of its message."""
    return Cause(kind, made_of(message))


def told(text: str) -> Cause:
    """Return what an earlier format has told in words: its first line, and what follows."""
    first, *more = text.split("\n")
    return Cause("told", {"text": first, **({"more": more} if more else {})})


def nested(cause: Cause) -> dict[str, Any]:
    """Return a cause as a field of another one."""
    return {"id": cause.id, "fields": dict(cause.fields)}


def block(headline: str, found: Mapping[str, Any]) -> list[str]:
    """Return what the diagnosis of a failed server says to people, as lines.

    Args:
        headline: What failed, and in which phase.
        found: What was found: `cause` (id of the rule, or `unknown`), `title` (of the rule), `root` (the line of the
            log that shows it, shortened), `line` (its number), `process` (that wrote it), `why`, `errors` (the first
            errors of a log of which no cause is known, each as number and line), `advice` and `log` (where the log
            lies); what is not known is left out.
    """
    rule = found.get("cause", UNKNOWN)
    name = f"{remade(found['title'])} ({rule})" if rule != UNKNOWN and "title" in found else UNKNOWN_TITLE
    lines = [headline, f"  cause: {name}"]
    errors = [line_text(number, line) for number, line in found.get("errors", ())]
    if "root" in found and not errors:
        where = ([f"line {found['line']}"] if "line" in found else []) + [*filter(None, [found.get("process")])]
        lines.append(f"  root:  {', '.join(where)}{': ' if where else ''}{found['root']}")
    lines += [f"  why:   {remade(found['why'])}", *(f"         {line}" for line in errors)]
    advice = [remade(each) for each in found.get("advice", ())]
    lines += [f"  {'try:' if index == 0 else '    '}   {each}" for index, each in enumerate(advice)]
    return [*lines, f"  log:   {found['log']}"] if "log" in found else lines


def line_text(number: int, line: str) -> str:
    """Return a line of a log behind its number."""
    return f"line {number}: {line}"


def _first_line(value: object) -> object:
    return value.split("\n", 1)[0] if isinstance(value, str) else value


def _said(name: str, value: object) -> object:
    """Return a field as it stands in a sentence."""
    if isinstance(value, Mapping):
        return Cause(value["id"], value.get("fields", {})).text() if "id" in value else remade(value)
    if isinstance(value, str):
        return WORDS.get(name, {}).get(value, value)
    return ", ".join(map(str, value)) if isinstance(value, Sequence) else value
