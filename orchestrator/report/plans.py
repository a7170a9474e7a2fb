"""What a profile comes to, as lines for people and as plain data."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.lint.server import mistakable
from orchestrator.plan.docker_run import docker_run_argv
from orchestrator.plan.plan import Plan
from orchestrator.plan.sweep import points
from orchestrator.plan.variants import Variant
from orchestrator.profile.reading.node_files import ReadPath
from orchestrator.profile.schema.profile import Profile
from orchestrator.units import format_duration

Plans = Sequence[tuple[Variant, Plan]]
"""One for each server that a profile comes to."""


def plan_data(profile: Profile, plans: Plans, paths: Sequence[ReadPath]) -> tuple[str, dict[str, object]]:
    """Return the kind of a plan, `plan` or `study-plan`, and the plan as plain data."""
    if profile.vary is not None:
        return "study-plan", {**_study_as_data(profile, plans), **_paths_as_data(paths)}
    ((variant, made),) = plans
    return "plan", {**_as_data(variant.profile, made), **_paths_as_data(paths)}


def plan_lines(profile: Profile, plans: Plans, paths: Sequence[ReadPath]) -> list[str]:
    """Return a plan as lines; that of a profile which varies holds one for each server."""
    if profile.vary is not None:
        return [*_study_lines(profile, plans), *_path_lines(paths)]
    ((variant, made),) = plans
    return [*_lines(variant.profile, made), *_path_lines(paths)]


def _paths_as_data(paths: Sequence[ReadPath]) -> dict[str, object]:
    return {"paths": [{"key": path.key, "written": path.written, "meant": path.meant} for path in paths]}


def _path_lines(paths: Sequence[ReadPath]) -> list[str]:
    read = [f"# - {path.key}: {path.written} is {path.meant}" for path in paths]
    return ["", "# Paths that the profile does not write out", *read] if read else []


def _study_as_data(profile: Profile, plans: Plans) -> dict[str, object]:
    return {
        "profile": profile.model_dump(mode="json"),
        "server_starts": len(plans),
        "measurements": sum(len(made.measurements) for _, made in plans),
        "variants": [{"varied": variant.varied, **_as_data(variant.profile, made)} for variant, made in plans],
        "estimate_s": {"total": sum(made.estimate.total_s for _, made in plans)},
    }


def _study_lines(profile: Profile, plans: Plans) -> list[str]:
    starts = "1 server start" if len(plans) == 1 else f"{len(plans)} server starts"
    lines = [f"# Profile {profile.name}: {profile.description}".rstrip(": "), "", f"# Study: {starts}, in this order"]
    lines += [
        f"# {number}. {variant.label}: {len(made.measurements)} measurements"
        for number, (variant, made) in enumerate(plans, start=1)
    ]
    total = format_duration(sum(made.estimate.total_s for _, made in plans))
    start = " and the servers' starts" if any(made.estimate.start_s is None for _, made in plans) else ""
    lines.append(f"# Estimated time of all: about {total}{start}")
    for number, (variant, made) in enumerate(plans, start=1):
        lines += ["", f"# ---- Server {number} of {len(plans)}: {variant.label}", *_lines(variant.profile, made)[2:]]
    return lines


def _as_data(profile: Profile, made: Plan) -> dict[str, object]:
    return {
        "profile": profile.model_dump(mode="json"),
        "docker_run": made.docker_run,
        "docker_run_argv": docker_run_argv(made.spec),
        "before_docker_run": list(made.before_docker_run),
        "serve": made.serve,
        "vllm_version": made.vllm_version,
        "vllm_version_assumed": made.assumed,
        "warmups": [planned.command for planned in made.warmups],
        "measurements": [
            {
                "point": planned.measurement.point.id,
                "repetition": planned.measurement.repetition,
                "seed": planned.measurement.seed,
                **planned.measurement.point.parameters(),
                "command": planned.command,
            }
            for planned in made.measurements
        ],
        "holds": {"names": list(made.held.names), "why": list(made.held.why)},
        "weakenings": list(made.weakenings),
        "flags": list(made.flags),
        "mistakable": _mistakable(profile),
        "secrets": list(made.spec.secrets),
        "inherited": list(made.spec.inherited),
        "env_file": list(made.spec.options.env_file),
        "estimate_s": {
            "start": made.estimate.start_s,
            "clients": made.estimate.clients_s,
            "measuring": made.estimate.measuring_s,
            "total": made.estimate.total_s,
            "further": made.estimate.further_s,
        },
    }


def _mistakable(profile: Profile) -> list[str]:
    return [f"{key} — {text}" for key, text in mistakable(profile)]


def _lines(profile: Profile, made: Plan) -> list[str]:
    lines = [f"# Profile {profile.name}: {profile.description}".rstrip(": "), "", "# Container"]
    lines += [*made.before_docker_run, made.docker_run, "", "# Server, inside that container", made.serve]
    if made.spec.secrets:
        lines += [
            "",
            f"# Secrets handed to the server, not part of the container: {', '.join(made.spec.secrets)}",
        ]
    if made.spec.inherited:
        lines += ["", f"# Passed on from the shell that starts it: {', '.join(made.spec.inherited)}"]
    if made.measurements:
        guess = ", a guess; the run asks the image" if made.assumed else ""
        lines += [
            "",
            f"# Sweep: {len(made.measurements)} measurements, commands as for vLLM {made.vllm_version}{guess}",
            *_order(profile),
            *_further(profile),
        ]
    for planned in made.warmups:
        lines += [f"# warm-up: {planned.measurement.point.label()}", planned.command]
    for index, planned in enumerate(made.measurements, start=1):
        point, repetition = planned.measurement.point, planned.measurement.repetition
        lines += [f"# {index}. {point.label()} (point {point.id}, repetition {repetition})", planned.command]
    lines += ["", "# Held, so that no other deployment of the node uses it", *(f"# - {line}" for line in made.held.why)]
    for title, remarks in (
        ("Settings that weaken the container's isolation", made.weakenings),
        ("Flags that come or go with vLLM's version", made.flags),
        ("Values that are not what they seem", _mistakable(profile)),
    ):
        if remarks:
            lines += ["", f"# {title}", *(f"# - {line}" for line in remarks)]
    guessed = made.estimate
    parts = [
        f"benchmark clients {format_duration(guessed.clients_s)}",
        f"measuring {format_duration(guessed.measuring_s)}",
    ]
    if guessed.start_s is None:
        parts.append("and the server's start, of which health.expected says nothing")
    else:
        parts.insert(0, f"start {format_duration(guessed.start_s)}")
    most = f" to {format_duration(guessed.total_s + guessed.further_s)}" if guessed.further_s else ""
    return [*lines, "", f"# Estimated time: about {format_duration(guessed.total_s)}{most} ({', '.join(parts)})"]


def _order(profile: Profile) -> tuple[str, ...]:
    """Return what there is to say of the order of the points, if it is not the written one."""
    if profile.bench is None or profile.bench.order == "written" or len(points(profile.bench)) == 1:
        return ()
    return ("# The order is drawn by bench.seed and reversed in every other round (bench.order: written keeps yours)",)


def _further(profile: Profile) -> tuple[str, ...]:
    """Return what there is to say of repetitions that the results decide on."""
    if profile.bench is None or isinstance(profile.bench.repetitions, int):
        return ()
    rule = profile.bench.repetitions.auto
    text = (
        f"# Each point is measured {rule.at_least} to {rule.at_most} times, until its mean {rule.metric} is known to "
        f"±{100 * rule.width:.3g} %; the first {rule.at_least} are listed"
    )
    return (text,)
