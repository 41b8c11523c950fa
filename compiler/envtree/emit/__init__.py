"""Turn a bundle into files: canonical JSON always, and what other programs read."""

import hashlib
from collections.abc import Mapping
from typing import Any

from envtree.artifact import Artifact, Mode
from envtree.canonical import canonical
from envtree.diagnostic import Refusal
from envtree.emit.compose import compose
from envtree.emit.reference import referenced
from envtree.resolved import Bundle, Hidden, reveal

FORMATS = ("bundle", "compose")
# The first key that comes after the digest; deeper ones are indented further.
_BEHIND = b'\n  "endpoints":'


def emit(bundle: Bundle, mode: Mode, formats: frozenset[str]) -> Artifact:
    """The files of one bundle; `plain` shows its secrets, `ref` says where they are kept."""
    data = _values(bundle, mode)
    bare = canonical(data)
    digest = _digest(bare)
    # The line of the digest is put where sorting would put it: to encode all of it again takes as long as hashing it.
    files = [("bundle.json", bare.replace(_BEHIND, f'\n  "digest": "{digest}",'.encode() + _BEHIND, 1))]
    if "compose" in formats:
        files.append((".env", _dotenv(bundle, data["env_vars"])))
    target = bundle.target
    folder = f"{target.environment}/{target.folder_in_environment}"
    return Artifact(target.id, folder, digest, tuple(files))


def materialize(bundle: Bundle, mode: Mode | None) -> dict[str, Any]:
    """The bundle as JSON data with its digest; without a mode, what is hidden is null."""
    data = _values(bundle, mode)
    return {**data, "digest": _digest(canonical(data))}


def _values(bundle: Bundle, mode: Mode | None) -> Mapping[str, Any]:
    if not bundle.sensitive and mode is not None:
        return bundle.data
    return {key: _plain(value, mode) for key, value in bundle.data.items()}


def _digest(bare: bytes) -> str:
    return f"sha256:{hashlib.sha256(bare).hexdigest()}"


def _plain(value: Any, mode: Mode | None) -> Any:
    if isinstance(value, Hidden):
        return None if mode is None else referenced(value) if mode == "ref" else reveal(value)
    if isinstance(value, dict):
        return {key: _plain(child, mode) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child, mode) for child in value]
    return value


def _dotenv(bundle: Bundle, values: Mapping[str, Any]) -> bytes:
    """All variables, but for those of which only a reference is known."""
    plain = {name: value for name, value in values.items() if type(value) is str} if bundle.sensitive else values
    try:
        return compose(plain, [name for name in values if name not in plain])
    except ValueError as wrong:
        raise Refusal("ET803", f"{wrong}, in bundle '{bundle.target.id}'", "compile with --format bundle") from None
