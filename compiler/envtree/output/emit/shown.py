"""Values of a bundle as a mode shows them."""

from collections.abc import Mapping
from typing import Any

from envtree.model.artifact import Mode
from envtree.model.resolved import Bundle, Hidden, reveal
from envtree.output.emit.reference import referenced
from envtree.output.emit.sealed import placeholders


def values(bundle: Bundle, mode: Mode | None) -> Mapping[str, Any]:
    """The data of a bundle; without a mode, what is hidden is null."""
    if not bundle.sensitive and mode is not None:
        return bundle.data
    if mode == "seal":
        return placeholders(bundle.data)
    hiding = bundle.hiding
    return {key: shown(value, mode) if key in hiding else value for key, value in bundle.data.items()}


def shown(value: Any, mode: Mode | None) -> Any:
    """A value with its hidden parts in clear, as references, or null."""
    kind = type(value)
    if kind is dict:
        return {key: child if type(child) is str else shown(child, mode) for key, child in value.items()}
    if kind is list:
        return [shown(child, mode) for child in value]
    if kind is not Hidden:
        return value
    return None if mode is None else referenced(value) if mode == "ref" else reveal(value)
