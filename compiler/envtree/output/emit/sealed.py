"""The sensitive values of a bundle, apart from it: what is sealed, and what stands in its place."""

from collections.abc import Mapping
from typing import Any

from envtree.model.keypath import KeyPath
from envtree.model.resolved import Bundle, Hidden, hidden_parts, reveal
from envtree.model.secret_placeholders import OWNER, entry_name, packed


def entries(bundle: Bundle) -> dict[str, Any]:
    """What the sealed file of a bundle holds, sorted by name."""
    found = {entry_name(path): packed(reveal(value)) for path, value in hidden_parts(bundle.data)}
    return dict(sorted({OWNER: bundle.target.id, **found}.items()))


def placeholders(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a bundle with the names of entries in the place of sensitive values."""
    return {key: _shown(value, (key,)) for key, value in data.items()}


def _shown(value: Any, path: KeyPath) -> Any:
    if isinstance(value, Hidden):
        return {"$sealed": entry_name(path)}
    if isinstance(value, dict):
        return {key: _shown(child, (*path, key)) for key, child in value.items()}
    if isinstance(value, list):
        return [_shown(child, (*path, str(n))) for n, child in enumerate(value)]
    return value
