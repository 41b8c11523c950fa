"""Turn a bundle into files: canonical JSON always, and what other programs read."""

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

# The first key that comes after the digest; deeper ones are indented further.
_KEY_AFTER_DIGEST = b'\n  "endpoints":'


def emit(bundle: Bundle, mode: SecretsMode, writers: Writers) -> tuple[Artifact, FormatResult]:
    """The files of one bundle; `plain` shows its secrets, `ref` refers to them, `seal` to a file beside it.

    What does not fit a format is told, and not among the files.
    """
    shown = bundle_data(bundle, mode)
    bare = encode_canonical(shown)
    digest = _compute_digest(bare)
    # The line of the digest is put where sorting would put it: to encode all of it again takes as long as hashing it.
    at = bare.index(_KEY_AFTER_DIGEST)
    data = b"".join((bare[:at], f'\n  "digest": "{digest}",'.encode(), bare[at:]))
    beside = write_formats(bundle, mode, writers, shown)
    return Artifact(bundle.target.id, _bundle_folder(bundle), digest, (("bundle.json", data), *beside.files)), beside


def emit_split(bundle: Bundle, writers: Writers) -> tuple[Artifact, Artifact, FormatResult]:
    """The files of one bundle that hold no secret, those that hold nothing else, and what does not fit."""
    whole, _ = emit(bundle, "ref", Writers(()))
    found = split_files(bundle, writers)
    secrets = hashlib.sha256(found.secret[0][1]).hexdigest()
    return (
        whole._replace(files=(*whole.files, *found.public)),
        Artifact(whole.id, whole.folder, f"sha256:{secrets}", found.secret),
        found.format_result,
    )


def bundle_json(bundle: Bundle, mode: SecretsMode | None) -> dict[str, Any]:
    """The bundle as JSON data with its digest; without a mode, what is hidden is null."""
    data = bundle_data(bundle, mode)
    return {**data, "digest": _compute_digest(encode_canonical(data))}


def _bundle_folder(bundle: Bundle) -> str:
    return f"{bundle.target.environment}/{bundle.target.agent_path}"


def _compute_digest(bare: bytes) -> str:
    return f"sha256:{hashlib.sha256(bare).hexdigest()}"


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
