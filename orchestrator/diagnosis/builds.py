"""What a compiler said when a build in the server failed: the exception only says that it failed.

Ninja writes `FAILED:` before the output of the step that failed; a compiler that is called alone writes to the terminal
before the exception, or the exception quotes its output.
"""

from __future__ import annotations

from orchestrator.diagnosis.lines import Line
from orchestrator.diagnosis.tracebacks import Findings
from orchestrator.diagnosis.wording import BUILDS, COMPILER_ERRORS, STEP_ERRORS

BEFORE = 400
"""Lines before the exception in which the compiler's own words are looked for."""
REGISTRY = "models.registry"
"""vLLM's own subprocess that looks at a model's class: no compiler."""
AFTER = 200
"""Lines after it: what it quotes."""


def build_errors(findings: Findings) -> list[Line]:
    """Return the lines that say why a build failed, those after `FAILED:` alone if there are such."""
    at = [
        failure.line.number
        for failure in findings.failures
        if BUILDS.search(failure.line.text) and REGISTRY not in failure.line.text
    ]
    if not at:
        return []
    near = [
        line
        for line in findings.messages
        if at[0] - BEFORE <= line.number <= at[-1] + AFTER and line.level not in ("WARNING", "INFO", "DEBUG")
    ]
    failed = next((index for index, line in enumerate(near) if line.text.lstrip().startswith("FAILED:")), None)
    told, says = (near, COMPILER_ERRORS) if failed is None else (near[failed + 1 :], STEP_ERRORS)
    raised = {failure.line.number for failure in findings.failures}
    return [line for line in told if line.number not in raised and says.search(line.text)]
