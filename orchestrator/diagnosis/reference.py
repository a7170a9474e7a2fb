"""The reference page of causes, written from the rules so that it cannot miss one.

`python -m orchestrator.diagnosis.reference > docs/causes.md` writes the committed copy.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from orchestrator.diagnosis.readable import readable
from orchestrator.diagnosis.rule import Advice, Rule
from orchestrator.diagnosis.rules import SUBJECTS

HEAD = """\
# Causes of failures

<!-- Written by `python -m orchestrator.diagnosis.reference`; a test compares. -->

When a server cannot be started, or ends, orch reads the engine's answer, the container's state and the server's whole
log, and names the cause. A message says what failed and in which phase, the cause, the root-cause line with its number
and its process, why it happens, what to try, and where the log is:

    the server exited with code 1 while starting vLLM
      cause: max-model-len is longer than the model allows (max-model-len-too-long)
      root:  line 47: ValueError: User-specified max_model_len (100000) is greater than the derived max_model_len …
      why:   The model's configuration ends earlier; longer positions would be out of its range.
      try:   Set server.flags.max-model-len to 4096 or less.
      log:   …/server.log

- The root cause is the first real error, of a worker or of the engine core before that of the API server; in a chain of
  exceptions the innermost. `Engine core initialization failed`, `EngineCore failed to start`, `EngineDeadError` and
  their like say only that there is one.
- What came before the last `Application startup complete`, before a restart, or after the server was asked to end
  explains nothing; nor do requests that were answered with an error, retries, and threads that only report. Where the
  end came from outside (exit code 0, 130, 137, 143), an error counts only if a process died of it.
- What was logged after an error that ended its process does not beat that error, even if it alone is in a table.
- A cause that is not in these tables is called unknown, and the first errors of the log are shown.
- `…` stands for any text, `<name>` for text that the advice repeats. Texts are those of vLLM 0.8.5 to 0.33 unless a
  row says otherwise.
"""


def reference() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for subject, rules in SUBJECTS.items():
        parts += [f"## {subject}", "", "| cause | shown by | why | what to try |", "|---|---|---|---|"]
        parts += [_row(rule) for rule in rules]
        parts.append("")
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    cells = (
        [f"`{rule.id}`", _text(rule.title)],
        [*_signs(rule), *([f"({rule.versions})"] if rule.versions != "all" else [])],
        [_text(rule.why)],
        [*(_text(_form(advice)) for advice in rule.advice), *(_text(note) for note in rule.notes.values())],
    )
    return f"| {' | '.join('<br>'.join(cell) for cell in cells)} |"


def _signs(rule: Rule) -> Iterable[str]:
    for pattern in dict.fromkeys((*rule.engine, *rule.log, *rule.quiet, *rule.source)):
        yield from (_code(text) for text in readable(pattern.pattern))
    for pattern in rule.raised:
        yield from (_code(text) for text in readable(pattern.pattern))
    for place in rule.raised_in:
        yield f"ValueError or NotImplementedError raised in `…{place}…`"
    for code in rule.exit_codes:
        yield f"exit code {code}"
    for code in rule.served_exit_codes:
        yield f"exit code {code} of a server that was ready, where the log shows no death"
    if rule.is_oom:
        yield "the engine's `OOMKilled`"


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`` {escaped} ``" if "`" in text else f"`{escaped}`"


def _form(advice: Advice) -> str:
    return advice if isinstance(advice, str) else advice[0]


def _text(text: str) -> str:
    return re.sub(r"(?<!\{)\{(\w+)\}", r"`<\1>`", text).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
