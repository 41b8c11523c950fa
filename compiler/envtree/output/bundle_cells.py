"""The cells of a bundle: each key with its value, fit to be compared and to be shown without a key."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import orjson

from envtree.model.keypath import KeyPath
from envtree.model.merged import Leaf
from envtree.model.resolved import SECTIONS, Bundle, Hidden, Resolved, hidden_parts
from envtree.output.emit.marks import mark, sealed_leaves
from envtree.output.emit.reference import referenced
from envtree.output.masking import veiled

__all__ = ["PARTS", "Cell", "cell", "cells", "is_secret", "leaves_read", "mark", "sealed_leaves", "section", "shape"]

# What a bundle has beside what identifies it and what follows from its values.
PARTS = ("organization", "model_id", "env_vars", "secrets", *SECTIONS)
# Their keys are not looked into: what one of them holds belongs together.
FLAT = frozenset({"secrets"})


class Cell(NamedTuple):
    """One value; `value` is JSON data and null where it is hidden.

    A `secret` one must not be shown, an `unknown` one depends on an input without a value. Two values are the same if
    their marks are: that of a secret has its reference and its ciphertext. Marks are for comparing, not for showing.
    """

    value: Any
    hidden: Literal["", "secret", "unknown"]
    mark: bytes

    @property
    def sensitive(self) -> bool:
        """Whether the value is a secret."""
        return self.hidden == "secret"


def cells(bundle: Bundle, secretive: frozenset[str] = frozenset()) -> dict[KeyPath, Cell]:
    """The cells of a bundle, by paths that begin with the section; maps are looked into, lists are not.

    `secretive` are variables that must not be shown though no secret is in them. A null, and an empty list or map that
    every bundle has, is no cell.
    """
    return {path: cell for name in PARTS for path, cell in section(bundle, name, secretive)}


def section(bundle: Bundle, name: str, secretive: frozenset[str] = frozenset()) -> Iterator[tuple[KeyPath, Cell]]:
    """The cells of one section."""
    value = bundle.data[name]
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from inside(inner, (name, key), name in FLAT, secretive)
    elif value not in (None, []):
        yield (name,), cell(value, (name,), secretive)


def shape(value: Any) -> bytes:
    """What is the same for two values if they are computed in the same way, whatever the secrets in them are."""
    return orjson.dumps(value, default=referenced, option=orjson.OPT_SORT_KEYS)


def inside(value: Any, path: KeyPath, flat: bool, secretive: frozenset[str]) -> Iterator[tuple[KeyPath, Cell]]:
    """The cells of a value at a path; a map is looked into unless its section is `flat`."""
    if isinstance(value, dict) and value and not flat:
        for key, inner in value.items():
            yield from inside(inner, (*path, key), flat, secretive)
    else:
        yield path, cell(value, path, secretive)


def cell(value: Any, path: KeyPath, secretive: frozenset[str] = frozenset()) -> Cell:
    """A value of a bundle as a cell, a map too."""
    if any(hidden_parts(value)):
        return Cell(None, "secret" if is_secret(value) else "unknown", mark(value))
    shown = veiled(value, path)
    if shown != value or (path[0] == "env_vars" and path[1] in secretive):
        return Cell(None, "secret", mark(value))
    return Cell(value, "", mark(value))


def leaves_read(resolved: Resolved) -> Iterator[Leaf]:
    """The leaves of secrets files that a bundle reads."""
    sections = resolved.merged.sections
    values = [value for value in resolved.env_vars.values() if type(value) is Hidden]
    values += [data for name, data in resolved.sections.items() if sections[name].dynamic]
    return (leaf for value in values for leaf in sealed_leaves(value))


def is_secret(value: Any) -> bool:
    """Whether a value of a bundle is computed from a secret, in any part."""
    return any(part.secret for _, part in hidden_parts(value))
