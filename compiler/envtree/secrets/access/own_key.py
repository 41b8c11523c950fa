"""Find the age key of the user in the places where sops looks for it, or make one in the first of them."""

import os
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.system.git import find_ignored, repository_root
from envtree.system.installation import extra_hint

_DECLARE_HINT = "or declare your public key under 'people' in organization.yaml yourself"


class OwnKey(NamedTuple):
    """The public key, the file of the private one (empty for SOPS_AGE_KEY), and whether the file is new."""

    public: str
    file: str
    is_new: bool


def find_or_make_key(people: Container[str], environ: Mapping[str, str] = os.environ) -> OwnKey:
    """Return the first key at hand that is in `people`, else the first; a new one if there is no key file.

    Raise RefusedError for a key file that is not understood, and for a place in which git would see a new one.
    """
    try:
        identities = import_module("envtree.secrets.sops.identities")
    except ImportError:
        raise MachineError("ET620", "the library that makes age keys is not installed", extra_hint("sops")) from None
    place = identities.own_key_place(environ)
    if "SOPS_AGE_KEY_CMD" in environ or place is None:
        message = "SOPS_AGE_KEY_CMD prints your age key, and envtree does not run it" if place else "HOME is not set"
        raise RefusedError("ET645", message, f"name a file in SOPS_AGE_KEY_FILE, {_DECLARE_HINT}")
    try:
        keys = place.public_keys()
    except identities.NeedsSopsError:
        where = f"'{place.file}'" if place.file else "SOPS_AGE_KEY"
        hint = f"name another file in SOPS_AGE_KEY_FILE, {_DECLARE_HINT}"
        raise RefusedError("ET645", f"{where} does not hold plain age keys and nothing else", hint) from None
    if not keys:
        return _make_key(Path(place.file).absolute(), identities.make_identity())
    return OwnKey(next((key for key in keys if key in people), keys[0]), place.file, False)


def _make_key(file: Path, identity: Any) -> OwnKey:
    """Write a new private key, in the form of age-keygen, into a file that nobody else can read."""
    if _is_visible_to_git(file):
        hint = "name a file outside of the repository in SOPS_AGE_KEY_FILE"
        raise RefusedError("ET646", f"the private key '{file}' would be in a git repository", hint)
    public = str(identity.to_public())
    text = f"# created: {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n# public key: {public}\n{identity}\n"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise MachineError("ET805", f"cannot write '{file}': {os_error_reason(error)}") from None
    return OwnKey(public, str(file), True)


def _is_visible_to_git(file: Path) -> bool:
    folder = Path(os.path.realpath(file.parent))
    repository = repository_root(folder)
    if repository is None:
        return False
    path = (folder / file.name).relative_to(repository).as_posix()
    return path not in find_ignored(repository, [path])
