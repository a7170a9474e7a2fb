"""Lays the combinations of a `vary` section over the rest of the profile; each comes out as a profile of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import ValidationError

from orchestrator.profile.checking.faults import faults_of
from orchestrator.profile.merging.combinations import Combination, combinations, problems
from orchestrator.profile.merging.merge import merge, without, without_nulls
from orchestrator.profile.schema.keys import split_key
from orchestrator.profile.schema.pairs import paired, with_list_of_hosts
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.schema.vary import Vary
from orchestrator.profile.text.tree import Entry, Fault, Mark, Node, entry_at, fault, marked, nested, plain

SECTION = "vary"
NOWHERE = Mark("", 1, 1)


def profiles_of(profile: Profile) -> Iterator[tuple[Combination, Profile]]:
    """Yield the combinations of a resolved profile, each with the profile that it comes to; that varies nothing."""
    root = marked(profile.model_dump(mode="json"), NOWHERE)
    for combination in combinations(profile.vary) if profile.vary else ():
        yield combination, Profile.model_validate(plain(laid(root, combination)))


def faults_of_variants(root: Node, name: str, *, incomplete: bool) -> list[Fault]:
    """Return what is wrong with the `vary` section of a profile's tree and with each variant, at the value to blame.

    What the types of the section tell is left out: validating the whole profile tells it.
    """
    try:
        vary = Vary.model_validate(plain(entry_at(root, (SECTION,)).node))
    except (KeyError, ValidationError):
        return []
    found = [fault(entry_at(root, (SECTION, *keys)).mark, (SECTION, *keys), text) for keys, text in problems(vary)]
    for combination in () if found else combinations(vary):
        tree = laid(root, combination)
        try:
            Profile.model_validate({"name": name, **plain(tree)})
        except ValidationError as error:
            found += faults_of(error.errors(include_url=False), tree, incomplete=incomplete)
    return list(dict.fromkeys(found))


def laid(root: Node, combination: Combination) -> Node:
    """Return a profile's tree with the values of a combination in it, and without the section that they come from."""
    section = entry_at(root, (SECTION,)).node
    tree, _ = paired(without(root, SECTION))
    for key, choice in combination.items():
        place = entry_at(section, choice.keys[: choice.keys.index(key) + 1]).mark
        value = entry_at(section, choice.keys).node
        over, faults = paired(nested(split_key(key), Entry(place, value)))
        if faults:  # for the schema to refuse as it stands
            over = nested(split_key(key), Entry(place, value))
        tree = replace(merge(tree, over), mark=root.mark)
    return with_list_of_hosts(without_nulls(tree))
