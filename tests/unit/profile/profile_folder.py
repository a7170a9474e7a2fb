"""A search folder that tests write profiles into."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.reading.resolve import resolve

if TYPE_CHECKING:
    from orchestrator.profile.schema.profile import Profile

SHIPPED = Path(__file__).parents[3] / "profiles"
GOOD = "container: {image: 'i:1'}\nserver: {model: /m}\n"


class Folder:
    """A search folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def load(self, name: str = "p", *sets: str) -> Profile:
        return load_profile(name, [self.path], sets)

    def faults(self, name: str = "p", *sets: str) -> list[str]:
        """Return the faults as text, the folder's own path left out."""
        reference = Path(name) if "/" in name else self.path / f"{name}.yaml"
        faults = resolve(reference, [self.path], sets).faults
        return [str(fault).replace(f"{self.path}/", "") for fault in faults]

    def faults_in(self, text: str, *sets: str) -> list[str]:
        self.write("p.yaml", text)
        return self.faults("p", *sets)
