"""Hands this machine's pip settings to an image build: indexes, proxy, certificates and local wheels.

Nothing of it is in a committed file, and on a machine without settings the result is pip's own default. The
files go into the build context only; an image's last stage must not copy them.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Settings = dict[str, list[str]]  # a pip option's name → its words

LOCATIONS = ("index-url", "extra-index-url", "find-links")
PLAIN_OPTIONS = ("trusted-host", "proxy")
SECTIONS = ("global", "install", ":env:")  # later ones win, as in pip


def read_settings() -> Settings:
    """Ask pip for its settings; a Python without pip has none."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found: dict[str, Settings] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        with contextlib.suppress(ValueError, SyntaxError):
            found.get(section, {})[option] = str(ast.literal_eval(value)).split()
    return {option: words for section in SECTIONS for option, words in found[section].items()}


def local_folder(location: str) -> Path | None:
    """Return the path that a location names on this machine, None for one elsewhere."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(location).expanduser()


def local_folders(locations: Iterable[str]) -> list[Path]:
    """Return those of pip's locations that lie on this machine."""
    return [folder for folder in map(local_folder, locations) if folder is not None]


def normal_name(name: str) -> str:
    """Spell a distribution's name the way indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(requirements: Path) -> dict[str, str]:
    """Return name → version of the `name==version` lines of a requirements file."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {normal_name(name): version for name, version in pins}


def is_pinned(wheel: Path, pins: Mapping[str, str]) -> bool:
    """Tell whether a file is the wheel of a pinned release, if with a local version such as `+cpu`."""
    name, version, *_ = [*unquote(wheel.name).split("-"), "", ""]
    return wheel.suffix == ".whl" and pins.get(normal_name(name)) == version.partition("+")[0]


def wheels_in_index(index: Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield what a simple index on this machine offers for `names`."""
    for name in names:
        page = index / name / "index.html"
        if page.is_file():
            links = re.findall(r'href="([^"#]+)', page.read_text(encoding="utf-8"))
            yield from local_folders(urljoin(page.as_uri(), link) for link in links)


def local_wheels(settings: Settings, pins: Mapping[str, str]) -> list[Path]:
    """Return the wheels on this machine that fit `pins`, so that they need no download."""
    offered: list[Path] = []
    for folder in local_folders(settings.get("find-links", [])):
        offered += sorted(folder.glob("*.whl"))
    for index in local_folders(settings.get("index-url", []) + settings.get("extra-index-url", [])):
        offered += wheels_in_index(index, pins)
    return [wheel for wheel in offered if wheel.is_file() and is_pinned(wheel, pins)]


def ca_bundle(settings: Settings) -> Path | None:
    """Return the file of certificates that this machine trusts for downloads."""
    names = [
        *settings.get("cert", []),
        os.environ.get("REQUESTS_CA_BUNDLE", ""),
        os.environ.get("SSL_CERT_FILE", ""),
        ssl.get_default_verify_paths().cafile or "",
    ]
    return next((Path(name) for name in names if Path(name).is_file()), None)


def render_conf(settings: Settings, place: str, *, has_ca: bool) -> str:
    """Render pip.conf for the image that is built, in which the staged files lie in `place`."""
    words: dict[str, Sequence[str]] = {
        option: [word for word in settings.get(option, []) if local_folder(word) is None] for option in LOCATIONS
    }
    words["find-links"] = [*words["find-links"], f"{place}/wheels"]
    words.update({option: settings.get(option, []) for option in PLAIN_OPTIONS})
    words["cert"] = [f"{place}/ca.pem"] if has_ca else []
    return "[global]\n" + "".join(f"{option} = {' '.join(value)}\n" for option, value in words.items() if value)


def stage(target: Path, requirements: Path, place: str) -> None:
    """Write pip.conf, ca.pem and wheels/ into `target`, which the image that is built sees as `place`."""
    settings = read_settings()
    (target / "wheels").mkdir(parents=True)
    for wheel in local_wheels(settings, read_pins(requirements)):
        shutil.copyfile(wheel, target / "wheels" / wheel.name)
    bundle = ca_bundle(settings)
    if bundle is not None:
        shutil.copyfile(bundle, target / "ca.pem")
    conf = render_conf(settings, place, has_ca=bundle is not None)
    (target / "pip.conf").write_text(conf, encoding="utf-8")
