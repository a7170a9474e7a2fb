"""Builds the project's container images: a Debian base, the stub server, real vLLM on a CPU, and what is laid over it.

A tag that ends in a content hash is given to a finished image only, and the hash covers everything that
determines the image; so a tag that exists is never built again, and a changed file never meets a stale image.
A stable alias (`orch-cpu:0.32.0`, `orch-stub:dev`) follows the newest build.

Standard output carries image tags alone; what happens is told on standard error.
Exit codes: 0 done, 2 usage, 3 a step failed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import host_pip
from engine_client import BuildError, Docker, find_docker, run_logged, say, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
SUITE = "trixie"
REGISTRY_ROOT = f"debian:{SUITE}-slim"
APT = Path("/etc/apt")
DEFAULT_VLLM = "0.32.0"
EACH_LANDING = ("0.8.5", "0.29.0", "0.32.0")
"""Releases whose server is tested on each landing: the guide's, the default, and the smallest of the others."""
NEEDS = {"0.20.2": {"TORCHDYNAMO_DISABLE": "1"}, "0.26.0": {"TORCHDYNAMO_DISABLE": "1"}}
"""Build arguments of releases that need more than their requirements."""
CLIENTS = {"0.9.2": "0.8.5", "0.11.2": "0.32.0", "0.14.1": "0.32.0", "0.33.0": "0.32.0"}
"""Releases whose client is tested, and the release whose image, libraries and all, it is laid over."""
SOURCED = ("0.8.5", "0.32.0")
"""Releases that there is an image of which imports vLLM only after a toolkit's file was sourced."""
EXIT_FAILED = 3
SIGNALLED = 128
ANOTHER_BASE = "name an image instead, for example ORCH_BASE_IMAGE=python:3.11-slim-trixie"


@dataclass(frozen=True)
class Image:
    """An image to be built, from the files of `folder` and the build arguments alone."""

    name: str  # repository, and a version where there are several
    alias: str
    digest: str

    @property
    def tag(self) -> str:
        """The name that belongs to this very content."""
        return f"{self.name}{'-' if ':' in self.name else ':'}{self.digest}"


@dataclass(frozen=True)
class Builder:
    """The engine to build with and what the caller chose; an empty string stands for "not said"."""

    docker: Docker
    base: str
    torch_index: str
    cache: Path

    def log(self, name: str) -> Path:
        """Return the path of a log."""
        return self.cache / f"{name}.log"


# --- contents ---------------------------------------------------------------------------------------------


def files_of(folder: Path, version: str = "") -> list[Path]:
    """Return the files that make an image, relative to `folder`, without other versions' requirements."""
    own = f"requirements-{version}.txt"
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path
        for path in files
        if not any(part.startswith((".", "__pycache__")) for part in path.parts)
        and (path.name == own or not path.match("requirements-*.txt"))
    ]


def content_hash(folder: Path, *facts: str, version: str = "") -> str:
    """Return 12 hexadecimal digits over the files of `folder` (names, modes, bytes) and over `facts`."""
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in files_of(folder, version):
        file = folder / path
        digest.update(f"\0{path}\0{os.access(file, os.X_OK)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def build_context(builder: Builder, folder: Path, version: str = "") -> Iterator[Path]:
    """Copy what the content hash covers, and nothing else, into a private folder for the build."""
    with tempfile.TemporaryDirectory(prefix="context-", dir=builder.cache) as scratch:
        for path in files_of(folder, version):
            target = Path(scratch, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / path, target)
        yield Path(scratch)


@contextlib.contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Let one process build; a second one waits and then finds the image finished."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build is running (it holds {lock.name}): waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def provide(builder: Builder, image: Image, build: Callable[[Image], None]) -> str:
    """Build an image unless it is there, point its alias at it, and return its tag."""
    if not builder.docker.image_id(image.tag):
        with one_at_a_time(builder.cache):
            if not builder.docker.image_id(image.tag):
                build(image)
    builder.docker("tag", image.tag, image.alias)
    say(f"{image.alias} is {image.tag}")
    return image.tag


# --- the base ---------------------------------------------------------------------------------------------


def base_image() -> Image:
    """Describe the project's own base."""
    return Image(f"orch-base:{SUITE}", f"orch-base:{SUITE}", content_hash(HERE / "base", SUITE, REGISTRY_ROOT))


def base_identity(builder: Builder) -> str:
    """Return what the images on top take into their content hash; pulls a base that the caller named."""
    if not builder.base:
        return base_image().tag
    log = builder.log("pull")
    if not builder.docker.image_id(builder.base) and not builder.docker.pull(builder.base, log):
        raise BuildError(
            f"base image {builder.base} is not there and cannot be pulled: {tail(log, 3)}",
            "correct ORCH_BASE_IMAGE (or --base), or leave it out to have a base built",
        )
    return builder.docker.image_id(builder.base)


def provide_base(builder: Builder) -> str:
    """Return the name of the base to build on: the caller's, or the project's own, built when missing."""
    return builder.base or provide(builder, base_image(), lambda image: build_base(builder, image))


def build_base(builder: Builder, image: Image) -> None:
    """Build the base on Debian from a registry or, where none is reachable, from Debian's packages."""
    docker, root = builder.docker, REGISTRY_ROOT
    if not docker.image_id(root) and not docker.pull(root, builder.log("pull")):
        root = f"orch-rootfs:{image.digest}"
        if not docker.image_id(root):
            bootstrap_root(builder, root)
    with build_context(builder, HERE / "base") as context:
        docker.build(image.tag, context, {"ROOT": root, "MIRROR": debian_mirror()}, builder.log(f"base-{image.digest}"))
    if root != REGISTRY_ROOT:
        docker("rmi", root)  # its layer lives on in the base


def bootstrap_root(builder: Builder, name: str) -> None:
    """Make a Debian root file system out of packages and import it as image `name`; raises BuildError."""
    say(f"{REGISTRY_ROOT} cannot be pulled ({tail(builder.log('pull'), 1)}): bootstrapping Debian instead")
    need_debootstrap(builder.log("debootstrap-install"))
    with tempfile.TemporaryDirectory(prefix="rootfs-", dir=builder.cache) as scratch:
        root, archive = Path(scratch, "root"), Path(scratch, "root.tar")
        script = ["sh", str(HERE / "base" / "rootfs.sh"), SUITE, str(root), str(archive), debian_mirror()]
        run_logged(f"bootstrapping Debian {SUITE}", script, builder.log("debootstrap"))
        builder.docker("import", str(archive), name)


def need_debootstrap(log: Path) -> None:
    """Install debootstrap where it is missing; raises BuildError when that is not possible."""
    if os.geteuid() != 0:
        raise BuildError("building a base image from Debian's packages needs root", f"{ANOTHER_BASE}; or be root")
    os.environ["PATH"] = os.pathsep.join([*os.get_exec_path(), "/usr/sbin", "/sbin"])
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise BuildError("debootstrap is missing and there is no apt-get to install it", ANOTHER_BASE)
    run_logged("reading Debian's package lists", ["apt-get", "update"], log)
    packages = ["debootstrap", "debian-archive-keyring"]
    run_logged("installing debootstrap", ["apt-get", "install", "-y", "--no-install-recommends", *packages], log)


def debian_mirror() -> str:
    """Return the Debian mirror of this machine's apt; an empty string, for the default, on other systems."""
    files = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.*"))]
    lines = [line for file in files if file.is_file() for line in file.read_text(encoding="utf-8").splitlines()]
    mirrors = re.findall(r"^[^#\n]*?(https?://\S+/debian)/?(?:\s|$)", "\n".join(lines), re.MULTILINE)
    return os.environ.get("ORCH_DEBIAN_MIRROR") or next(iter(mirrors), "")


# --- the images on top ------------------------------------------------------------------------------------


def provide_stub(builder: Builder) -> str:
    """Return the tag of the fault-injecting stand-in for vLLM, built when missing."""
    folder = HERE / "stub"
    if not (folder / "Dockerfile").is_file():
        raise BuildError(f"{folder} has no Dockerfile", "check the project out completely")

    def build(image: Image, base: str) -> None:
        with build_context(builder, folder) as context:
            builder.docker.build(image.tag, context, {"BASE": base}, builder.log(f"stub-{image.digest}"))

    image = Image("orch-stub", "orch-stub:dev", content_hash(folder, base_identity(builder)))
    return provide_on_base(builder, image, build)


def provide_cpu(builder: Builder, version: str) -> str:
    """Return the tag of real vLLM `version` on a CPU, built when missing."""
    folder, needs = HERE / "cpu", NEEDS.get(version, {})

    def build(image: Image, base: str) -> None:
        arguments = {"BASE": base, "VLLM_VERSION": version, "TORCH_INDEX": builder.torch_index, **needs}
        with build_context(builder, folder, version) as context:
            host_pip.stage(context / "host", context / f"requirements-{version}.txt", "/build/host")
            builder.docker.build(image.tag, context, arguments, builder.log(f"cpu-{version}-{image.digest}"))
        builder.docker.drop_builder_stages()

    said = (f"{name}={value}" for name, value in needs.items())
    facts = (base_identity(builder), version, builder.torch_index, *said)
    name = f"orch-cpu:{version}"
    return provide_on_base(builder, Image(name, name, content_hash(folder, *facts, version=version)), build)


def provide_client(builder: Builder, version: str) -> str:
    """Return the tag of an image with the client of vLLM `version`, built when missing."""
    folder, base = HERE / "client", provide_cpu(builder, CLIENTS[version])

    def build(image: Image) -> None:
        arguments = {"BASE": base, "VLLM_VERSION": version}
        with build_context(builder, folder, version) as context:
            host_pip.stage(context / "host", context / f"requirements-{version}.txt", "/build/host")
            builder.docker.build(image.tag, context, arguments, builder.log(f"client-{version}-{image.digest}"))
        builder.docker.drop_builder_stages()

    name = f"orch-client:{version}"
    return provide(builder, Image(name, name, content_hash(folder, base, version, version=version)), build)


def provide_sourced(builder: Builder, version: str) -> str:
    """Return the tag of an image in which vLLM `version` imports only after /opt/dtk/env.sh, built when missing."""
    folder, base = HERE / "sourced", provide_cpu(builder, version)

    def build(image: Image) -> None:
        with build_context(builder, folder) as context:
            builder.docker.build(image.tag, context, {"BASE": base}, builder.log(f"sourced-{version}-{image.digest}"))

    name = f"orch-sourced:{version}"
    return provide(builder, Image(name, name, content_hash(folder, base)), build)


def provide_on_base(builder: Builder, image: Image, build: Callable[[Image, str], None]) -> str:
    """Provide an image, and first its base when it has to be built."""
    base = "" if builder.docker.image_id(image.tag) else provide_base(builder)
    return provide(builder, image, lambda missing: build(missing, base))


def known_versions() -> list[str]:
    """Return the vLLM versions that have a list of requirements, oldest first."""
    found = (path.stem.removeprefix("requirements-") for path in (HERE / "cpu").glob("requirements-*.txt"))
    return sorted(found, key=lambda version: [int(number) for number in version.split(".")])


# --- the command ------------------------------------------------------------------------------------------

TARGETS = (
    "`all` is what each landing is tested with: the stub, the clients, and vLLM "
    + ", ".join(EACH_LANDING)
    + "; `versions` is vLLM of every version; `cpu` and `client` are those of --vllm-version"
)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; the environment supplies defaults."""
    parser = argparse.ArgumentParser(description="Build the project's images; prints the tag of each.")
    parser.add_argument("target", choices=("base", "stub", "cpu", "client", "sourced", "all", "versions"), help=TARGETS)
    parser.add_argument(
        "--vllm-version",
        choices=tuple(dict.fromkeys((*known_versions(), *CLIENTS))),
        help=f"for `cpu`, {DEFAULT_VLLM} unless given; `client` and `sourced`, all of them unless given",
    )
    parser.add_argument(
        "--base",
        default=os.environ.get("ORCH_BASE_IMAGE", ""),
        help="Debian-like image with Python 3.11 to build on, instead of the project's own (ORCH_BASE_IMAGE)",
    )
    parser.add_argument(
        "--torch-index",
        default=os.environ.get("ORCH_TORCH_INDEX", ""),
        help="extra package index that has CPU builds of torch (ORCH_TORCH_INDEX)",
    )
    options = parser.parse_args(arguments)
    offered = {"cpu": known_versions(), "client": list(CLIENTS), "sourced": list(SOURCED)}.get(options.target, [])
    if options.vllm_version and options.vllm_version not in offered:
        parser.error(f"{options.target} has no vLLM {options.vllm_version}; there is {', '.join(offered) or 'none'}")
    return options


def build_target(builder: Builder, target: str, version: str | None) -> Iterator[str]:
    """Provide the images of one target and yield their tags."""
    if target == "base":
        base_identity(builder)
        yield provide_base(builder)
    if target in ("stub", "all"):
        yield provide_stub(builder)
    if target in ("cpu", "all"):
        for each in EACH_LANDING if target == "all" else [version or DEFAULT_VLLM]:
            yield provide_cpu(builder, each)
    if target == "versions":
        for each in known_versions():
            yield provide_cpu(builder, each)
    if target in ("client", "all"):
        for each in [version] if version else CLIENTS:
            yield provide_client(builder, each)
    if target in ("sourced", "all"):
        for each in [version] if version else SOURCED:
            yield provide_sourced(builder, each)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(SIGNALLED + number))  # so that temporary files go
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orch" / "images"
    try:
        builder = Builder(find_docker(), options.base, options.torch_index, cache)
        for tag in build_target(builder, options.target, options.vllm_version):
            print(tag, flush=True)
    except BuildError as error:
        say(f"error: {error}\nnext: {error.hint}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        say("interrupted: finished steps are kept")
        return SIGNALLED + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
