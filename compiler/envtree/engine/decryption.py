"""Decrypt the secrets files of a run in parallel with a given decrypter, and verify the plaintext."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import EncryptedValue, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import SCOPE_KEY, DecryptError, SecretsFile
from envtree.system.thread_pool import thread_pool

DecryptOutcome = dict[str, Any] | DecryptError

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bytes": (str,),
    "int": (int,),
    # sops writes a float without decimals as an integer.
    "float": (int, float),
    "bool": (bool,),
}


class Decrypter(Protocol):
    """A program or library that can decrypt the secrets files of a tree."""

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        """Return the plain data of a file, `_scope` included.

        Raise DecryptError if the file is at fault, else MachineError.
        """

    def stop(self) -> None:
        """End running decryptions, and let no further one start."""


def decrypt_all(
    decrypter: Decrypter, files: Iterable[SecretsFile], workers: int | None = None
) -> dict[str, DecryptOutcome]:
    """Decrypt every file once, in parallel; return by path the plain data, without `_scope`, or the error.

    The data has the structure and the types of the file's `content`. The first MachineError, by path, ends the others.
    """
    unique = {sealed.path: sealed for sealed in files}
    with thread_pool(decrypter.stop, workers) as pool:
        futures = {path: pool.submit(_decrypt_verified, decrypter, unique[path]) for path in sorted(unique)}
        return {path: future.result() for path, future in futures.items()}


def verify_plaintext(sealed: SecretsFile, plain: dict[str, Any]) -> dict[str, Any]:
    """Return the plain data without `_scope`; raise DecryptError if structure, types or scope are not as expected."""
    content = dict(plain)
    scope = content.pop(SCOPE_KEY, None)
    if sealed.scope is not None and scope != sealed.expected_scope:
        scope = sealed.expected_scope
        message = f"'{SCOPE_KEY}' of '{sealed.path}' does not say '{scope}': the file belongs to another place"
        hint = f"encrypt its own values there, and set '{SCOPE_KEY}' with 'sops edit {sealed.path}'"
        raise DecryptError("ET608", message, hint)
    path = next(_find_mismatches(sealed.content, content, ()), None)
    if path is not None:
        message = f"'{format_path(path)}' of '{sealed.path}' is not what the encrypted file says it is"
        raise DecryptError("ET611", message, "encrypt the file again")
    return content


def _decrypt_verified(decrypter: Decrypter, sealed: SecretsFile) -> DecryptOutcome:
    try:
        return verify_plaintext(sealed, decrypter.decrypt(sealed))
    except DecryptError as error:
        return error


def _find_mismatches(sealed: Node, plain: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Yield the paths at which the plain data has another structure or type than the encrypted file shows."""
    if isinstance(sealed, MappingNode):
        if not isinstance(plain, dict) or plain.keys() != sealed.entries.keys():
            yield path
        else:
            for key, child in sealed.entries.items():
                yield from _find_mismatches(child, plain[key], (*path, key))
    elif isinstance(sealed, SequenceNode):
        if not isinstance(plain, list) or len(plain) != len(sealed.items):
            yield path
        else:
            for index, item in enumerate(sealed.items):
                yield from _find_mismatches(item, plain[index], (*path, str(index)))
    elif not _is_of_type(sealed, plain):
        yield path


def _is_of_type(sealed: ScalarNode, plain: Any) -> bool:
    kind = sealed.value.type if isinstance(sealed.value, EncryptedValue) else ""
    return isinstance(plain, _PYTHON_TYPES.get(kind, ())) and isinstance(plain, bool) == (kind == "bool")
