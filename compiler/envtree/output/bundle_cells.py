"""Flatten a bundle to (path, value) cells with secrets masked, for comparison and display."""

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

# The sections of a bundle without its identity and what is derived from its values.
CELL_SECTIONS = ("organization", "model_id", "env_vars", "secrets", *SECTIONS)
# Sections with one cell per key: the content of a key belongs together.
OPAQUE_SECTIONS = frozenset({"secrets"})


class Cell(NamedTuple):
    """One value: `value` is JSON data, null if it is hidden.

    A `secret` value must not be shown; an `unknown` one depends on an input without a value. Two values are equal if
    their `comparison_key` is; that of a secret contains its reference and its ciphertext. Keys are for comparison, not
    for display.
    """

    value: Any
    hidden: Literal["", "secret", "unknown"]
    comparison_key: bytes

    @property
    def is_secret(self) -> bool:
        """Whether the value is a secret."""
        return self.hidden == "secret"


def flatten_bundle(bundle: Bundle, secret_names: frozenset[str] = frozenset()) -> dict[KeyPath, Cell]:
    """Return the cells of a bundle by path, section first; maps are flattened, lists are not.

    `secret_names` are variables to hide even where they contain no secret. A section that is null or empty has no cell.
    """
    return {path: cell for name in CELL_SECTIONS for path, cell in flatten_section(bundle, name, secret_names)}


def flatten_section(
    bundle: Bundle, name: str, secret_names: frozenset[str] = frozenset()
) -> Iterator[tuple[KeyPath, Cell]]:
    """Yield the cells of one section."""
    value = bundle.data[name]
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten_value(inner, (name, key), name in OPAQUE_SECTIONS, secret_names)
    elif value not in (None, []):
        yield (name,), make_cell(value, (name,), secret_names)


def derivation_key(value: Any) -> bytes:
    """Return a key that two values share if they are computed in the same way, whatever their secrets are."""
    return orjson.dumps(value, default=secret_reference, option=orjson.OPT_SORT_KEYS)


def flatten_value(
    value: Any, path: KeyPath, is_opaque: bool, secret_names: frozenset[str]
) -> Iterator[tuple[KeyPath, Cell]]:
    """Yield the cells of the value at a path; a map is flattened unless its section `is_opaque`."""
    if isinstance(value, dict) and value and not is_opaque:
        for key, inner in value.items():
            yield from flatten_value(inner, (*path, key), is_opaque, secret_names)
    else:
        yield path, make_cell(value, path, secret_names)


def make_cell(value: Any, path: KeyPath, secret_names: frozenset[str] = frozenset()) -> Cell:
    """Return a value of a bundle, even a map, as one cell."""
    if any(hidden_parts(value)):
        return Cell(None, "secret" if contains_secret(value) else "unknown", comparison_key(value))
    shown = masked(value, path)
    if shown != value or (path[0] == "env_vars" and path[1] in secret_names):
        return Cell(None, "secret", comparison_key(value))
    return Cell(value, "", comparison_key(value))


def bundle_sealed_leaves(resolved: Resolved) -> Iterator[MergedScalar]:
    """Return the leaves of secrets files that a bundle reads."""
    sections = resolved.merged.sections
    values = [value for value in resolved.env_vars.values() if type(value) is HiddenValue]
    values += [data for name, data in resolved.sections.items() if sections[name].is_dynamic]
    return (leaf for value in values for leaf in sealed_leaves(value))


def contains_secret(value: Any) -> bool:
    """Return whether any part of a value of a bundle is computed from a secret."""
    return any(part.secret for _, part in hidden_parts(value))
