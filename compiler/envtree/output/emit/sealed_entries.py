"""The sensitive values of a bundle, apart from it: what is sealed, and what stands in its place."""

from collections.abc import Mapping
from typing import Any

from envtree.model.keypath import KeyPath
from envtree.model.resolved import Bundle, HiddenValue, hidden_parts, reveal
from envtree.model.secret_entries import BUNDLE_ID_ENTRY, entry_name, pack_entry


def sealed_entries(bundle: Bundle) -> dict[str, Any]:
    """What the sealed file of a bundle holds, sorted by name."""
    found = {entry_name(path): pack_entry(reveal(value)) for path, value in hidden_parts(bundle.data)}
    return dict(sorted({BUNDLE_ID_ENTRY: bundle.target.id, **found}.items()))


def with_placeholders(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a bundle with the names of entries in the place of sensitive values."""
    return {key: _replace_hidden(value, (key,)) for key, value in data.items()}


def _replace_hidden(value: Any, path: KeyPath) -> Any:
    if isinstance(value, HiddenValue):
        return {"$sealed": entry_name(path)}
    if isinstance(value, dict):
        return {key: _replace_hidden(child, (*path, key)) for key, child in value.items()}
    if isinstance(value, list):
        return [_replace_hidden(child, (*path, str(n))) for n, child in enumerate(value)]
    return value
