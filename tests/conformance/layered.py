"""Layers merged by other programs and by envtree: random trees of common features, and all pairs of types."""

import json
import random
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.conformance.case import Case, Refused
from tests.conformance.installed import python_of
from tests.support.trees import check, layers

ORACLES = Path(__file__).parent / "oracles"
TREES = 250
LAYERS = 4
# The list policies by which envtree joins lists like a peer, to the depth of the random trees.
LISTS = "merge: {{{}}}"
DEPTH = 4
# himl ignores references to keys of one letter.
KEYS = ("ab", "bc", "cd", "de", "ef", "fg")


class Reference(NamedTuple):
    """A reference to another value, alone or embedded in a text."""

    path: tuple[str, ...]
    before: str = ""
    after: str = ""

    def spell(self, opening: str, separator: str, closing: str) -> str:
        """Return the reference in the syntax of a peer."""
        return f"{self.before}{opening}{separator.join(self.path)}{closing}{self.after}"


class Peer(NamedTuple):
    """A program that merges layers: its list policy in envtree's terms, and its syntax of references, if it has one."""

    name: str
    lists: str
    reference: Callable[[Reference], str] | None
    merge: Callable[[str, list[list[Any]]], list[Any]]


def merge_with_peer(peer: str, cases: list[list[Any]]) -> list[Any]:
    """Merge the layers of each case with a peer written in Python."""
    python = python_of(peer)
    process = subprocess.run(
        [str(python), str(ORACLES / f"{peer}_merge.py")],
        input="".join(f"{json.dumps([json.dumps(layer) for layer in case])}\n" for case in cases),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(answers) == len(cases)
    return [answer["data"] if "data" in answer else Refused(answer["refused"]) for answer in answers]


HIML = Peer("himl", "union", lambda reference: reference.spell("{{", ".", "}}"), merge_with_peer)
RECLASS = Peer("reclass", "append", lambda reference: reference.spell("${", ":", "}"), merge_with_peer)
OMEGACONF = Peer("omegaconf", "replace", lambda reference: reference.spell("${", ".", "}"), merge_with_peer)


def merge_with_envtree(sections: list[Any], lists: str = "replace") -> Any:
    """Merge the same layers with envtree, as `config` of organization, project, team and agent."""
    # Lists are replaced without a policy, and a policy `replace` would replace maps, too.
    paths = [] if lists == "replace" else [".".join("*" * depth) for depth in range(1, DEPTH + 1)]
    return merge_by_policies(sections, dict.fromkeys(paths, lists))


def merge_by_policies(sections: list[Any], policies: Mapping[str, str]) -> Any:
    """Merge layers with the given list policies, by path in `config`."""
    rules = ", ".join(f"config.{path}: {policy}" for path, policy in policies.items())
    files = layers(*(json.dumps({"config": section}) for section in sections), organization=LISTS.format(rules))
    result = check(files)
    errors = [finding.diagnostic.code for finding in result.outcome.findings if finding.severity.value == "error"]
    return Refused(errors[0]) if errors else result.data()["config"]


def random_trees(peer: Peer) -> Iterator[Case]:
    """Yield random layers in which each path has one type; references refer to values without references."""
    rng = random.Random(peer.name)
    trees = [[_random_map(rng, ()) for _ in range(rng.randint(2, LAYERS))] for _ in range(TREES)]
    peer_trees = trees
    if peer.reference:
        for tree in trees:
            _add_references(tree, rng)
        peer_trees = [[_spell(layer, peer.reference) for layer in tree] for tree in trees]
    for number, (tree, theirs) in enumerate(zip(trees, peer.merge(peer.name, peer_trees), strict=True)):
        ours = merge_with_envtree([_spell(layer, _spell_for_envtree) for layer in tree], peer.lists)
        yield Case(f"tree {number}", ours, theirs)


def _spell_for_envtree(reference: Reference) -> str:
    return reference.spell("${{ config.", ".", " }}")


def _random_map(rng: random.Random, path: tuple[str, ...]) -> dict[str, Any]:
    keys = rng.sample(KEYS, rng.randint(1, 4))
    return {key: _random_value(rng, (*path, key)) for key in keys}


def _random_value(rng: random.Random, path: tuple[str, ...]) -> Any:
    """Return a random value of the type that its path has in all layers."""
    kind = random.Random("/".join(path)).randrange(6 if len(path) < DEPTH else 4)
    if kind > 3:
        return _random_map(rng, path)
    if kind == 3:
        return rng.sample("uvwxyz", rng.randint(1, 3))
    if kind == 2:
        return rng.randrange(100)
    return "".join(rng.choice("klmnop ") for _ in range(5)).strip() or "text"


def _add_references(tree: list[Any], rng: random.Random) -> None:
    """Add references under keys of their own; their targets are final only after all layers are merged."""
    paths = [path for layer in tree for path in _scalar_paths(layer, ())]
    for number in range(rng.randint(0, 3) if paths else 0):
        path = rng.choice(paths)
        is_embedded = rng.random() < 0.5 and isinstance(_merged_scalar(tree, path), str)
        rng.choice(tree)[f"r{number}"] = Reference(path, "[", "]") if is_embedded else Reference(path)


def _scalar_paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _scalar_paths(inner, (*path, key))
    elif not isinstance(value, list | Reference):
        yield path


def _merged_scalar(tree: list[Any], path: tuple[str, ...]) -> Any:
    for layer in reversed(tree):
        value = layer
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _spell(value: Any, spell_reference: Callable[[Reference], str]) -> Any:
    """Replace references in a layer by their text."""
    if isinstance(value, Reference):
        return spell_reference(value)
    if isinstance(value, dict):
        return {key: _spell(inner, spell_reference) for key, inner in value.items()}
    return value


# Two values of each type: for the lower and for the upper layer.
VALUES: dict[str, tuple[Any, Any]] = {
    "map": ({"x": 1}, {"y": 2}),
    "empty map": ({}, {}),
    "list": (["u", "v"], ["v", "w"]),
    "empty list": ([], []),
    "text": ("one", "two"),
    "number": (1, 2),
    "boolean": (True, False),
    "null": (None, None),
}


def merge_table(peer: Peer) -> Iterator[Case]:
    """Yield every type over every type, below a key."""
    pairs = [(lower, upper) for lower in VALUES for upper in VALUES]
    cases = [[{"k": {"v": VALUES[lower][0]}}, {"k": {"v": VALUES[upper][1]}}] for lower, upper in pairs]
    for (lower, upper), case, theirs in zip(pairs, cases, peer.merge(peer.name, cases), strict=True):
        yield Case(f"{upper} over {lower}", merge_with_envtree(case, peer.lists), theirs)
