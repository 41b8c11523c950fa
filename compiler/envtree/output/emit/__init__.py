"""Turn a bundle into files: canonical JSON always, and what other programs read."""

import hashlib
from typing import Any

from envtree.model.artifact import Artifact, Mode
from envtree.model.canonical_json import canonical
from envtree.model.resolved import Bundle
from envtree.output.emit.halves import halves
from envtree.output.emit.plaintexts import plaintexts
from envtree.output.emit.sealed import entries
from envtree.output.emit.shown import values
from envtree.output.emit.unfit import Unfit
from envtree.output.emit.written import Unseen, Writers, Written, written

# The first key that comes after the digest; deeper ones are indented further.
_BEHIND = b'\n  "endpoints":'


def emit(bundle: Bundle, mode: Mode, writers: Writers) -> tuple[Artifact, Written]:
    """The files of one bundle; `plain` shows its secrets, `ref` refers to them, `seal` to a file beside it.

    What does not fit a format is told, and not among the files.
    """
    shown = values(bundle, mode)
    bare = canonical(shown)
    digest = _digest(bare)
    # The line of the digest is put where sorting would put it: to encode all of it again takes as long as hashing it.
    at = bare.index(_BEHIND)
    data = b"".join((bare[:at], f'\n  "digest": "{digest}",'.encode(), bare[at:]))
    beside = written(bundle, mode, writers, shown)
    return Artifact(bundle.target.id, _folder(bundle), digest, (("bundle.json", data), *beside.files)), beside


def divide(bundle: Bundle, writers: Writers) -> tuple[Artifact, Artifact, Written]:
    """The files of one bundle that hold no secret, those that hold nothing else, and what does not fit."""
    whole, _ = emit(bundle, "ref", Writers(()))
    found = halves(bundle, writers)
    secrets = hashlib.sha256(found.secret[0][1]).hexdigest()
    return (
        whole._replace(files=(*whole.files, *found.open)),
        Artifact(whole.id, whole.folder, f"sha256:{secrets}", found.secret),
        found.told,
    )


def materialize(bundle: Bundle, mode: Mode | None) -> dict[str, Any]:
    """The bundle as JSON data with its digest; without a mode, what is hidden is null."""
    data = values(bundle, mode)
    return {**data, "digest": _digest(canonical(data))}


def _folder(bundle: Bundle) -> str:
    return f"{bundle.target.environment}/{bundle.target.folder_in_environment}"


def _digest(bare: bytes) -> str:
    return f"sha256:{hashlib.sha256(bare).hexdigest()}"


__all__ = [
    "Unfit",
    "Unseen",
    "Writers",
    "Written",
    "divide",
    "emit",
    "entries",
    "materialize",
    "plaintexts",
    "values",
    "written",
]
