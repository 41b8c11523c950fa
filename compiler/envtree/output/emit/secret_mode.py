"""Apply a secrets mode to the values of a bundle."""

from collections.abc import Mapping
from typing import Any

from envtree.model.artifact import SecretsMode
from envtree.model.resolved import Bundle, HiddenValue, reveal
from envtree.output.emit.reference import secret_reference
from envtree.output.emit.sealed_entries import with_placeholders


def bundle_data(bundle: Bundle, mode: SecretsMode | None) -> Mapping[str, Any]:
    """Return the data of a bundle as a mode shows it; without a mode, hidden values are null."""
    if not bundle.sensitive and mode is not None:
        return bundle.data
    if mode == "seal":
        return with_placeholders(bundle.data)
    hidden_keys = bundle.keys_with_hidden_values
    return {key: apply_mode(value, mode) if key in hidden_keys else value for key, value in bundle.data.items()}


def apply_mode(value: Any, mode: SecretsMode | None) -> Any:
    """Return a value with its hidden parts in plain text, as references, or null."""
    kind = type(value)
    if kind is dict:
        return {key: child if type(child) is str else apply_mode(child, mode) for key, child in value.items()}
    if kind is list:
        return [apply_mode(child, mode) for child in value]
    if kind is not HiddenValue:
        return value
    return None if mode is None else secret_reference(value) if mode == "ref" else reveal(value)
