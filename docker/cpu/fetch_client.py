"""Fetches vLLM 0.8.5's benchmark client from pip's package index: its source package has it, no wheel does.

The archive's checksum is fixed here, so the client is the published one wherever it was fetched from.
Usage: fetch_client.py TARGET_DIR
"""

import hashlib
import io
import json
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from pip._internal.models.index import PyPI

ARCHIVE = "vllm-0.8.5.tar.gz"
SHA256 = "c7e04d1046304397b4580334038b558fe491af155fdea508224f140172cf9a82"
FILES = ("benchmark_serving.py", "backend_request_func.py", "benchmark_dataset.py", "benchmark_utils.py")
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
ATTEMPTS = 5
TIMEOUT_S = 60.0


def pip_setting(name: str, default: str) -> str:
    """Read one of pip's settings, as the rest of the build uses it."""
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or default


def download(url: str, tls: ssl.SSLContext, accept: str = "*/*") -> bytes:
    """Fetch `url`, trying again after network errors; raises the last OSError."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310  (the index the user configured)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=tls) as answer:  # noqa: S310
                return bytes(answer.read())
        except OSError as error:
            if attempt == ATTEMPTS:
                raise
            print(f"attempt {attempt} of {ATTEMPTS}: {url}: {error}", file=sys.stderr)
            time.sleep(2 * attempt)
    raise AssertionError


def archive_bytes() -> bytes:
    """Return the source archive; exits when the index lacks it or its checksum differs."""
    index = pip_setting("index-url", PyPI.simple_url).rstrip("/")
    tls = ssl.create_default_context(cafile=pip_setting("cert", "") or None)
    page = f"{index}/vllm/"
    listing = json.loads(download(page, tls, SIMPLE_JSON))
    links = [file["url"] for file in listing["files"] if file["filename"] == ARCHIVE]
    if not links:
        sys.exit(f"fetch_client: {page} does not list {ARCHIVE}: use an index that mirrors PyPI's source packages")
    archive = download(urllib.parse.urljoin(page, links[0]), tls)
    if hashlib.sha256(archive).hexdigest() != SHA256:
        sys.exit(f"fetch_client: {ARCHIVE} from {page} is not the published one (checksum differs)")
    return archive


def write_client(target: Path) -> None:
    """Extract the four files of the client into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    folder = ARCHIVE.removesuffix(".tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive_bytes())) as archive:
        for name in FILES:
            member = archive.extractfile(f"{folder}/benchmarks/{name}")
            if member is None:
                sys.exit(f"fetch_client: {ARCHIVE} has no benchmarks/{name}")
            (target / name).write_bytes(member.read())


if __name__ == "__main__":
    write_client(Path(sys.argv[1]))
