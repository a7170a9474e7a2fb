"""Resolves a profile: reads a file and what it extends, merges, applies overrides, validates.

Either a resolved profile comes out, or all faults of all files at once, in the order in which one reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import ProfileError
from orchestrator.profile.checking.faults import faults_of
from orchestrator.profile.merging.merge import merge, without, without_nulls
from orchestrator.profile.merging.overrides import parse_override, place
from orchestrator.profile.reading.node_files import ReadPath, with_whole_paths
from orchestrator.profile.reading.nulls import stray_nulls
from orchestrator.profile.reading.variants import faults_of_variants
from orchestrator.profile.reading.written import as_written
from orchestrator.profile.schema.pairs import paired, with_list_of_hosts
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.document import parse_profile, read_text
from orchestrator.profile.text.find import candidates, is_path, names
from orchestrator.profile.text.names import did_you_mean, nearest
from orchestrator.profile.text.tree import Fault, Mark, Node, fault, plain


@dataclass(frozen=True)
class Resolved:
    """What comes of a file: a profile and no faults, or faults and no profile."""

    profile: Profile | None
    root: Node
    """The merged tree, in which every key and value knows its place."""
    faults: tuple[Fault, ...]
    paths: tuple[ReadPath, ...] = ()
    """Paths that are not written out, and what they were read as."""


def resolve(path: Path, search: Sequence[Path], sets: Sequence[str] = ()) -> Resolved:
    """Return a file's resolved profile, or every fault.

    Raises:
        ProfileError: the file cannot be read.
    """
    reading = _Reading(search)
    root = reading.read(path, ())
    for text in sets:
        document = parse_override(text)
        reading.files.append(place(text))
        reading.take(document.faults)
        if document.root is not None:
            override = reading.with_pairs(document.root)
            reading.overrides.append(override)
            root = replace(merge(root, override), mark=root.mark)
    reading.take(stray_nulls(root, reading.layers()))
    root, paths = with_whole_paths(as_written(with_list_of_hosts(without_nulls(root))))
    data = plain(root)
    named = "name" in data
    data.setdefault("name", path.stem)
    profile = None
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        reading.take(faults_of(error.errors(include_url=False), root, incomplete=reading.incomplete))
    known = {(item.key, item.problem) for item in reading.faults}
    in_variants = faults_of_variants(root, data["name"], incomplete=reading.incomplete)
    reading.take([item for item in in_variants if (item.key, item.problem) not in known])
    if not named:
        reading.faults = [_of_the_file(item) for item in reading.faults]
    return Resolved(None if reading.faults else profile, root, reading.in_order(), paths)


def _of_the_file(item: Fault) -> Fault:
    """Return the fault; one of a name that the file does not give says where the name is from."""
    return replace(item, problem=f"{item.problem}; it is the file's own, give another") if item.key == "name" else item


@dataclass
class _Reading:
    """One reading of a profile and of everything it extends."""

    search: Sequence[Path]
    faults: list[Fault] = field(default_factory=list)
    incomplete: bool = False
    """Whether some file could not be read, so that keys may be missing for that reason alone."""
    documents: dict[Path, Node] = field(default_factory=dict)
    """What was read already; a base of two bases is read once."""
    files: list[str] = field(default_factory=list)
    overrides: list[Node] = field(default_factory=list)

    def layers(self) -> tuple[Node, ...]:
        """Return the trees of everything that was read."""
        return (*self.documents.values(), *self.overrides)

    def read(self, path: Path, chain: tuple[Path, ...]) -> Node:
        """Return a file's tree laid over what it extends; a base's name and description stay its own."""
        root = self.document(path)
        chain = (*chain, _real(path))
        under: Node | None = None
        for reference, mark in self.extends(root):
            base = self.base(reference, mark, chain)
            if base is not None:
                below = without(self.read(base, chain), "name", "description")
                under = below if under is None else merge(under, below)
        own = without(root, "extends")
        return own if under is None else merge(under, own)

    def document(self, path: Path) -> Node:
        real = _real(path)
        if real not in self.documents:
            file = str(path)
            document = parse_profile(read_text(path), file)
            self.files.append(file)
            self.take(document.faults)
            self.incomplete |= document.root is None
            self.documents[real] = self.with_pairs(document.root or Node(Mark(file, 1, 1), {}))
        return self.documents[real]

    def with_pairs(self, root: Node) -> Node:
        """Return a tree in which what may be a list of names with values is a mapping, as it is merged."""
        made, faults = paired(root)
        self.take(faults)
        return made

    def extends(self, root: Node) -> Iterator[tuple[str, Mark]]:
        entry = root.value.get("extends") if isinstance(root.value, Mapping) else None
        if entry is None or entry.node.value is None:
            return
        value = entry.node.value
        for item in value if isinstance(value, tuple) else (entry.node,):
            if isinstance(item.value, str) and item.value:
                yield item.value, item.mark
            else:
                self.miss(item.mark, "must be a profile's name, a path, or a list of them")

    def base(self, reference: str, mark: Mark, chain: tuple[Path, ...]) -> Path | None:
        """Return the file that an `extends` means; None, with the fault taken, if there is none.

        A profile that extends its own name means the next one of that name in the search folders.
        """
        if is_path(reference):
            found = [Path(mark.file).parent / reference]
        else:
            found = candidates(reference, self.search)
            found = [path for path in found if _real(path) != chain[-1]] or found
        if not found:
            near = did_you_mean(nearest(reference, names(self.search), 3))
            self.miss(mark, f"there is no profile '{reference}' to extend{near}")
            return None
        path = found[0]
        if _real(path) in chain:
            circle = [*chain[chain.index(_real(path)) :], path]
            self.miss(mark, f"extends itself: {' → '.join(step.stem for step in circle)}")
            return None
        try:
            self.document(path)
        except ProfileError as error:
            self.miss(mark, error.message)
            return None
        return path

    def miss(self, mark: Mark, problem: str) -> None:
        self.incomplete = True
        self.take([fault(mark, ("extends",), problem)])

    def take(self, faults: Sequence[Fault]) -> None:
        self.faults += [item for item in faults if item not in self.faults]

    def in_order(self) -> tuple[Fault, ...]:
        """Return the faults as one reads them: the profile, what it extends, overrides; each from the top."""
        rank = {file: index for index, file in reversed(list(enumerate(self.files)))}
        return tuple(sorted(self.faults, key=lambda item: (rank[item.file], item.line, item.column)))


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # reading it will say why
        return path
