"""The cells of a bundle: each key with its value, fit to be compared and to be shown without a key."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import orjson

from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedScalar
from envtree.model.resolved import SECTIONS, Bundle, HiddenValue, Resolved, hidden_parts
from envtree.output.emit.comparison_key import comparison_key, sealed_leaves
from envtree.output.emit.reference import secret_reference
from envtree.output.masking import masked

__all__ = [
    "CELL_SECTIONS",
    "Cell",
    "bundle_sealed_leaves",
    "comparison_key",
    "contains_secret",
    "derivation_key",
    "flatten_bundle",
    "flatten_section",
    "make_cell",
    "sealed_leaves",
]

# What a bundle has beside what identifies it and what follows from its values.
CELL_SECTIONS = ("organization", "model_id", "env_vars", "secrets", *SECTIONS)
# Their keys are not looked into: what one of them holds belongs together.
OPAQUE_SECTIONS = frozenset({"secrets"})


class Cell(NamedTuple):
    """One value; `value` is JSON data and null where it is hidden.

    A `secret` one must not be shown, an `unknown` one depends on an input without a value. Two values are the same if
    their marks are: that of a secret has its reference and its ciphertext. Marks are for comparing, not for showing.
    """

    value: Any
    hidden: Literal["", "secret", "unknown"]
    comparison_key: bytes

    @property
    def is_secret(self) -> bool:
        """Whether the value is a secret."""
        return self.hidden == "secret"


def flatten_bundle(bundle: Bundle, secret_names: frozenset[str] = frozenset()) -> dict[KeyPath, Cell]:
    """The cells of a bundle, by paths that begin with the section; maps are looked into, lists are not.

    `secretive` are variables that must not be shown though no secret is in them. A null, and an empty list or map that
    every bundle has, is no cell.
    """
    return {path: cell for name in CELL_SECTIONS for path, cell in flatten_section(bundle, name, secret_names)}


def flatten_section(
    bundle: Bundle, name: str, secret_names: frozenset[str] = frozenset()
) -> Iterator[tuple[KeyPath, Cell]]:
    """The cells of one section."""
    value = bundle.data[name]
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten_value(inner, (name, key), name in OPAQUE_SECTIONS, secret_names)
    elif value not in (None, []):
        yield (name,), make_cell(value, (name,), secret_names)


def derivation_key(value: Any) -> bytes:
    """What is the same for two values if they are computed in the same way, whatever the secrets in them are."""
    return orjson.dumps(value, default=secret_reference, option=orjson.OPT_SORT_KEYS)


def flatten_value(
    value: Any, path: KeyPath, is_opaque: bool, secret_names: frozenset[str]
) -> Iterator[tuple[KeyPath, Cell]]:
    """The cells of a value at a path; a map is looked into unless its section is `flat`."""
    if isinstance(value, dict) and value and not is_opaque:
        for key, inner in value.items():
            yield from flatten_value(inner, (*path, key), is_opaque, secret_names)
    else:
        yield path, make_cell(value, path, secret_names)


def make_cell(value: Any, path: KeyPath, secret_names: frozenset[str] = frozenset()) -> Cell:
    """A value of a bundle as a cell, a map too."""
    if any(hidden_parts(value)):
        return Cell(None, "secret" if contains_secret(value) else "unknown", comparison_key(value))
    shown = masked(value, path)
    if shown != value or (path[0] == "env_vars" and path[1] in secret_names):
        return Cell(None, "secret", comparison_key(value))
    return Cell(value, "", comparison_key(value))


def bundle_sealed_leaves(resolved: Resolved) -> Iterator[MergedScalar]:
    """The leaves of secrets files that a bundle reads."""
    sections = resolved.merged.sections
    values = [value for value in resolved.env_vars.values() if type(value) is HiddenValue]
    values += [data for name, data in resolved.sections.items() if sections[name].is_dynamic]
    return (leaf for value in values for leaf in sealed_leaves(value))


def contains_secret(value: Any) -> bool:
    """Whether a value of a bundle is computed from a secret, in any part."""
    return any(part.secret for _, part in hidden_parts(value))
