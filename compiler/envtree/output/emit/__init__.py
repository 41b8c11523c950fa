"""Encode a bundle as files: always as canonical JSON, and in the formats that other programs read."""

import hashlib
from typing import Any

from envtree.model.artifact import Artifact, SecretsMode
from envtree.model.canonical_json import encode_canonical
from envtree.model.resolved import Bundle
from envtree.output.emit.format_problems import FormatProblem
from envtree.output.emit.plaintexts import collect_plaintexts
from envtree.output.emit.sealed_entries import sealed_entries
from envtree.output.emit.secret_mode import bundle_data
from envtree.output.emit.split import split_files
from envtree.output.emit.write_formats import FormatResult, Unchecked, Writers, write_formats

# The first key after the digest; keys of inner maps are indented further.
_KEY_AFTER_DIGEST = b'\n  "endpoints":'


def emit(bundle: Bundle, mode: SecretsMode, writers: Writers) -> tuple[Artifact, FormatResult]:
    """Return the files of one bundle, and the format problems; a format with problems is not among the files.

    `plain` shows the secrets of the bundle, `ref` refers to where they are stored, `seal` to a file beside the bundle.
    """
    data = bundle_data(bundle, mode)
    undigested = encode_canonical(data)
    digest = _compute_digest(undigested)
    # Insert the digest where sorting would put it: encoding everything again takes as long as hashing it.
    at = undigested.index(_KEY_AFTER_DIGEST)
    content = b"".join((undigested[:at], f'\n  "digest": "{digest}",'.encode(), undigested[at:]))
    result = write_formats(bundle, mode, writers, data)
    return Artifact(bundle.target.id, _bundle_folder(bundle), digest, (("bundle.json", content), *result.files)), result


def emit_split(bundle: Bundle, writers: Writers) -> tuple[Artifact, Artifact, FormatResult]:
    """Return the files of one bundle without secrets, those with nothing but secrets, and the format problems."""
    artifact, _ = emit(bundle, "ref", Writers(()))
    split = split_files(bundle, writers)
    return (
        artifact._replace(files=(*artifact.files, *split.public)),
        Artifact(artifact.id, artifact.folder, _compute_digest(split.secret[0][1]), split.secret),
        split.format_result,
    )


def bundle_json(bundle: Bundle, mode: SecretsMode | None) -> dict[str, Any]:
    """Return the bundle as JSON data with its digest; without a mode, hidden values are null."""
    data = bundle_data(bundle, mode)
    return {**data, "digest": _compute_digest(encode_canonical(data))}


def _bundle_folder(bundle: Bundle) -> str:
    return f"{bundle.target.environment}/{bundle.target.agent_path}"


def _compute_digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


__all__ = [
    "FormatProblem",
    "FormatResult",
    "Unchecked",
    "Writers",
    "bundle_data",
    "bundle_json",
    "collect_plaintexts",
    "emit",
    "emit_split",
    "sealed_entries",
    "write_formats",
]
