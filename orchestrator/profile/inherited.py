"""Variables of a container that come from elsewhere and are no secrets, put in their place when a deployment starts.

They are those of docker's `--env NAME` and `--env-file`. From then on they are like any that the profile writes out:
not masked, part of the container's definition, and on record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.errors import EnvironmentFault
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.schema.values import ENV_NAME, Inherit
from orchestrator.text import Text

SECRET_NAME = re.compile(r"(^|_)(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)")
"""Names of variables that hold secrets by all that one can tell."""


TAKEN_AWAY = Inherit.model_construct(inherit=False)
"""What a variable becomes that is passed on only if it is set, and is not: docker then takes the image's own away.

One of a file of variables stays: docker's client sends both, and the engine takes the value.
"""


def with_values(profile: Profile, environ: Mapping[str, str]) -> Profile:
    """Return a profile with the values of its files of variables and of those that it passes on.

    Args:
        profile: The resolved profile.
        environ: Environment of the shell that runs orch.

    Raises:
        EnvironmentFault: A file cannot be read or is none of docker's, or a variable is not set.
    """
    container = profile.container
    if not container.env_file and not any(isinstance(value, Inherit) for value in container.env.values()):
        return profile
    env: dict[str, object] = {}
    for file in container.env_file:
        for name, text in _of_file(file, environ):
            if name not in container.env and SECRET_NAME.search(name):
                raise EnvironmentFault(
                    Text(
                        "{file} sets {name}, which looks like a secret and would be on record and in the "
                        "container's definition",
                        file=file,
                        name=name,
                    ),
                    Text("Name it in container.env, which wins over the file: {name}: {{from_env: {name}}}", name=name),
                )
            env[name] = text
    for name, value in container.env.items():
        if not isinstance(value, Inherit) or value.inherit is False:
            env[name] = value
        elif name in environ:
            env[name] = environ[name]
        elif value.inherit is True:
            raise EnvironmentFault(
                Text("container.env passes on {name}, which is not set here", name=name),
                Text("export {name}=…   Or let the container go without it: {name}: {{inherit: if-set}}", name=name),
            )
        else:
            env.setdefault(name, TAKEN_AWAY)
    return profile.model_copy(update={"container": container.model_copy(update={"env": env, "env_file": ()})})


def _of_file(file: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables of a file, as the docker client reads one.

    A line is `NAME=value`, value to the end as it is, quotes included; `NAME` passes on a variable that is set; lines
    that are empty or begin with `#` say nothing.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EnvironmentFault(
            Text("container.env_file: {file} cannot be read: {reason}", file=file, reason=reason),
            "A relative path is relative to the profile's file.",
        ) from error
    for number, written in enumerate(lines, start=1):
        line = written.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not ENV_NAME.fullmatch(name) or "\0" in value:
            raise EnvironmentFault(
                Text("container.env_file: line {number} of {file} is not NAME=value", number=number, file=file),
                "Docker's files of variables know no `export`, no spaces before `=` and no quoting.",
            )
        if equals:
            yield name, value
        elif name in environ:
            yield name, environ[name]
