"""Layers of maps, merged by programs of others and by envtree: random ones in what all can say, and types."""

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.peer_programs import python_of
from tests.conformance.case import Case, Refused
from tests.support.trees import check, layers

ORACLES = Path(__file__).parent / "oracles"
TREES = 250
LAYERS = 4
# The sections of an organization whose lists are joined as a peer joins them, to the depth of the random trees.
LISTS = "merge: {{{}}}"
DEPTH = 4
# himl takes no reference to a key of one letter for one.
KEYS = ("ab", "bc", "cd", "de", "ef", "fg")


class Reference(NamedTuple):
    """A value that is another one, or a text with another one in it."""

    path: tuple[str, ...]
    before: str = ""
    after: str = ""

    def spelt(self, opening: str, separator: str, closing: str) -> str:
        """The text that a peer reads."""
        return f"{self.before}{opening}{separator.join(self.path)}{closing}{self.after}"


class Peer(NamedTuple):
    """A program that merges: its list policy in our words, and how it writes a reference, if it can."""

    name: str
    lists: str
    reference: Callable[[Reference], str] | None
    ask: Callable[[str, list[list[Any]]], list[Any]]


def asked(peer: str, cases: list[list[Any]]) -> list[Any]:
    """What a peer in Python makes of the layers of each case."""
    python = python_of(ORACLES / f"{peer}-requirements.txt")
    done = subprocess.run(
        [str(python), str(ORACLES / f"{peer}_merge.py")],
        input="".join(f"{json.dumps([json.dumps(layer) for layer in case])}\n" for case in cases),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return [answer["data"] if "data" in answer else Refused(answer["refused"]) for answer in answers]


HIML = Peer("himl", "union", lambda it: it.spelt("{{", ".", "}}"), asked)
RECLASS = Peer("reclass", "append", lambda it: it.spelt("${", ":", "}"), asked)
OMEGACONF = Peer("omegaconf", "replace", lambda it: it.spelt("${", ".", "}"), asked)


def ours(sections: list[Any], lists: str = "replace") -> Any:
    """What envtree makes of the same layers, as `config` of organization, project, team and agent."""
    policies = ", ".join(f"config.{'.'.join('*' * depth)}: {lists}" for depth in range(1, DEPTH + 1))
    files = layers(*(json.dumps({"config": section}) for section in sections), organization=LISTS.format(policies))
    result = check(files)
    errors = [finding.diagnostic.code for finding in result.outcome.findings if finding.severity.value == "error"]
    return Refused(errors[0]) if errors else result.data()["config"]


def random_trees(peer: Peer) -> Iterator[Case]:
    """Random layers in which each path has one type; references lead to values without any."""
    chance = random.Random(peer.name)
    trees = [[_map(chance, ()) for _ in range(chance.randint(2, LAYERS))] for _ in range(TREES)]
    written = trees
    if peer.reference:
        for tree in trees:
            _refer(tree, chance)
        written = [[_spelt(layer, peer.reference) for layer in tree] for tree in trees]
    theirs = peer.ask(peer.name, written)
    for number, (tree, answer) in enumerate(zip(trees, theirs, strict=True)):
        mine = ours([_spelt(layer, _our_reference) for layer in tree], peer.lists)
        yield Case(f"tree {number}", mine, answer)


def _our_reference(it: Reference) -> str:
    return it.spelt("${{ config.", ".", " }}")


def _map(chance: random.Random, path: tuple[str, ...]) -> dict[str, Any]:
    keys = chance.sample(KEYS, chance.randint(1, 4))
    return {key: _value(chance, (*path, key)) for key in keys}


def _value(chance: random.Random, path: tuple[str, ...]) -> Any:
    """A value of the type that its path has in all layers."""
    kind = random.Random("/".join(path)).randrange(6 if len(path) < DEPTH else 4)
    if kind > 3:
        return _map(chance, path)
    if kind == 3:
        return chance.sample("uvwxyz", chance.randint(1, 3))
    if kind == 2:
        return chance.randrange(100)
    return "".join(chance.choice("klmnop ") for _ in range(5)).strip() or "text"


def _refer(tree: list[Any], chance: random.Random) -> None:
    """Put references under keys of their own; all layers agree on what they lead to only in the end."""
    paths = [path for layer in tree for path in _scalars(layer, ())]
    for number in range(chance.randint(0, 3) if paths else 0):
        path = chance.choice(paths)
        text = chance.random() < 0.5 and isinstance(_at(tree, path), str)
        chance.choice(tree)[f"r{number}"] = Reference(path, "[", "]") if text else Reference(path)


def _scalars(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _scalars(inner, (*path, key))
    elif not isinstance(value, list | Reference):
        yield path


def _at(tree: list[Any], path: tuple[str, ...]) -> Any:
    for layer in reversed(tree):
        value = layer
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _spelt(value: Any, reference: Callable[[Reference], str]) -> Any:
    if isinstance(value, Reference):
        return reference(value)
    if isinstance(value, dict):
        return {key: _spelt(inner, reference) for key, inner in value.items()}
    return value


# One of each type, and a second one to put over it.
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
    """Every type over every type, below a key."""
    pairs = [(below, above) for below in VALUES for above in VALUES]
    cases = [[{"k": {"v": VALUES[below][0]}}, {"k": {"v": VALUES[above][1]}}] for below, above in pairs]
    for (below, above), case, theirs in zip(pairs, cases, peer.ask(peer.name, cases), strict=True):
        yield Case(f"{above} over {below}", ours(case, peer.lists), theirs)
