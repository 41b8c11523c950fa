"""The sensitive values of a bundle: the entries of its sealed file, and the placeholders in the bundle."""

from collections.abc import Mapping
from typing import Any

from envtree.model.keypath import KeyPath
from envtree.model.resolved import Bundle, HiddenValue, hidden_parts, reveal
from envtree.model.secret_entries import BUNDLE_ID_ENTRY, entry_name, pack_entry


def sealed_entries(bundle: Bundle) -> dict[str, Any]:
    """Return the entries of the sealed file of a bundle, sorted by name."""
    entries = {entry_name(path): pack_entry(reveal(value)) for path, value in hidden_parts(bundle.data)}
    return dict(sorted({BUNDLE_ID_ENTRY: bundle.target.id, **entries}.items()))


def with_placeholders(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a bundle with names of entries in place of sensitive values."""
    return {key: _replace_hidden(value, (key,)) for key, value in data.items()}


def _replace_hidden(value: Any, path: KeyPath) -> Any:
    if isinstance(value, HiddenValue):
        return {"$sealed": entry_name(path)}
    if isinstance(value, dict):
        return {key: _replace_hidden(child, (*path, key)) for key, child in value.items()}
    if isinstance(value, list):
        return [_replace_hidden(child, (*path, str(n))) for n, child in enumerate(value)]
    return value
