"""The port to sops: encrypted files become plaintext, by the real program and nothing else.

sops is found once, outside of the tree. It gets no argument and no variable that the tree or the policy has not
earned, and what it says on stderr, which quotes plaintext after common mistakes, is never read.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from envtree import node
from envtree.diagnostic import Failure
from envtree.keypath import KeyPath, format_path
from envtree.secret import SCOPE, DecryptError, SealedFile, SecretsPolicy
from envtree.sops.environment import child_environment, find_sops
from envtree.sops.process import Finished, Leash, Overflowed, Stopped, TimedOut, run

Outcome = dict[str, Any] | DecryptError

_OUTPUT_LIMIT = 8 << 20
_INPUT_TYPES = {"yaml": "yaml", "json": "json", "env": "dotenv"}
# The exit codes of sops that speak of the file, or of the keys; every other one is a failure of sops.
_MAC_CODES = frozenset({24, 51, 52})
_FILE_CODES = frozenset({2, 4, 25, 100})
_KEY_CODES = frozenset({111, 128})
_KEY_HINTS = {
    "age": "set SOPS_AGE_KEY_FILE to a file with one of its age keys",
    "pgp": "import one of its private keys into gpg",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bytes": (str,),
    "int": (int,),
    # sops writes a float without decimals as an integer.
    "float": (int, float),
    "bool": (bool,),
}


class Decrypter(Protocol):
    """Whatever can open a file of the tree."""

    def decrypt(self, sealed: SealedFile) -> dict[str, Any]:
        """The plain data of a file, `_scope` included; DecryptError if the file is at fault, else Failure."""

    def stop(self) -> None:
        """End what is running, and let nothing start any more."""


class SopsDecrypter:
    """The real sops, run in the root of the tree."""

    def __init__(
        self, root: Path, policy: SecretsPolicy, *, environ: Mapping[str, str] = os.environ, timeout: float = 30.0
    ) -> None:
        self._root = root
        self._policy = policy
        self._search_path = environ.get("PATH", "")
        self._environment = child_environment(policy, environ, root)
        self._leash = Leash(timeout, _OUTPUT_LIMIT, threading.Event())

    def decrypt(self, sealed: SealedFile) -> dict[str, Any]:
        """The plain data of a file that the policy admits."""
        if not self._policy.admits(sealed):
            raise DecryptError("ET604", f"'{sealed.path}' is encrypted for keys that the policy does not allow")
        finished = self._run(sealed)
        self._check_unchanged(sealed)
        _check_code(finished.code, sealed)
        data = _load(finished.output)
        if data is None:
            raise Failure("ET623", f"what sops made of '{sealed.path}' is not a JSON object")
        return data

    def stop(self) -> None:
        """End the running processes, and let none start any more."""
        self._leash.stop.set()

    @cached_property
    def _binary(self) -> Path:
        return find_sops(self._search_path, self._root)

    def _run(self, sealed: SealedFile) -> Finished:
        # No configuration: decrypting needs none, and the tree could bring one.
        command = [str(self._binary), "--config", os.devnull, "decrypt"]
        command += ["--input-type", _INPUT_TYPES[sealed.format], "--output-type", "json", "--", f"./{sealed.path}"]
        try:
            return run(command, self._root, self._environment, self._leash)
        except TimedOut:
            message = f"sops did not open '{sealed.path}' within {self._leash.seconds:g} seconds"
            hint = "a key that asks for a passphrase or a touch cannot be used here, unless an agent knows it"
            raise Failure("ET622", message, hint) from None
        except Overflowed:
            raise Failure("ET623", f"sops wrote more than {_OUTPUT_LIMIT >> 20} MiB for '{sealed.path}'") from None
        except Stopped:
            raise Failure("ET623", f"sops was stopped before it opened '{sealed.path}'") from None
        except OSError as error:
            raise Failure("ET620", f"sops cannot be started: {error.strerror}") from None

    def _check_unchanged(self, sealed: SealedFile) -> None:
        """What sops read is what was checked."""
        try:
            digest = hashlib.sha256((self._root / sealed.path).read_bytes()).hexdigest()
        except OSError:
            digest = ""
        if digest != sealed.digest:
            raise Failure("ET623", f"'{sealed.path}' changed while it was being decrypted", "run the command again")


def decrypt_all(decrypter: Decrypter, files: Iterable[SealedFile], workers: int | None = None) -> dict[str, Outcome]:
    """Decrypt every file once, several at a time: by path the plain data, without `_scope`, or what is wrong with it.

    The data has the structure and the types of the file's `content`. The first Failure, by path, ends the others.
    """
    unique = {sealed.path: sealed for sealed in files}
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        futures = {path: pool.submit(_outcome, decrypter, unique[path]) for path in sorted(unique)}
        return {path: future.result() for path, future in futures.items()}
    except BaseException:
        decrypter.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def verify(sealed: SealedFile, plain: dict[str, Any]) -> dict[str, Any]:
    """The plain data without `_scope`; DecryptError if it is not what the file promised, or not for its place."""
    content = dict(plain)
    scope = content.pop(SCOPE, None)
    if sealed.scope is not None and scope != sealed.home:
        message = f"'{SCOPE}' of '{sealed.path}' does not say '{sealed.home}': the file belongs to another place"
        hint = f"encrypt its own values there, and set '{SCOPE}' with 'sops edit {sealed.path}'"
        raise DecryptError("ET608", message, hint)
    path = next(_differences(sealed.content, content, ()), None)
    if path is not None:
        message = f"'{format_path(path)}' of '{sealed.path}' is not what the encrypted file says it is"
        raise DecryptError("ET611", message, "encrypt the file again")
    return content


def _outcome(decrypter: Decrypter, sealed: SealedFile) -> Outcome:
    try:
        return verify(sealed, decrypter.decrypt(sealed))
    except DecryptError as error:
        return error


def _differences(sealed: node.Node, plain: Any, path: KeyPath) -> Iterator[KeyPath]:
    """The places where the plain data has another structure or type than the encrypted file shows."""
    if isinstance(sealed, node.Mapping):
        if not isinstance(plain, dict) or plain.keys() != sealed.entries.keys():
            yield path
        else:
            for key, child in sealed.entries.items():
                yield from _differences(child, plain[key], (*path, key))
    elif isinstance(sealed, node.Sequence):
        if not isinstance(plain, list) or len(plain) != len(sealed.items):
            yield path
        else:
            for index, item in enumerate(sealed.items):
                yield from _differences(item, plain[index], (*path, str(index)))
    elif not _is_of_type(sealed, plain):
        yield path


def _is_of_type(sealed: node.Scalar, plain: Any) -> bool:
    kind = sealed.value.type if isinstance(sealed.value, node.Cipher) else ""
    return isinstance(plain, _TYPES.get(kind, ())) and isinstance(plain, bool) == (kind == "bool")


def _check_code(code: int, sealed: SealedFile) -> None:
    if code == 0:
        return
    if code in _MAC_CODES:
        hint = "restore the file from git, and change it with 'sops edit' only"
        raise DecryptError("ET610", f"the MAC of '{sealed.path}' does not match: it was changed without sops", hint)
    if code in _FILE_CODES:
        hint = "restore the file from git, or encrypt it again"
        raise DecryptError("ET611", f"'{sealed.path}' is damaged: sops cannot decrypt every value", hint)
    if code in _KEY_CODES:
        hint = "; ".join(_KEY_HINTS[kind] for kind in sorted(sealed.key_types) if kind in _KEY_HINTS)
        raise Failure("ET621", f"no key on this machine opens '{sealed.path}'", hint)
    hint = f"'sops decrypt {sealed.path}' in a terminal shows why"
    raise Failure("ET623", f"sops failed on '{sealed.path}' with exit code {code}", hint)


def _load(output: bytes) -> dict[str, Any] | None:
    """JSON without duplicate keys and NaN; no exception, for those of `json` carry the document."""
    try:
        data = json.loads(output, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("duplicate key")
    return data


def _refuse(constant: str) -> float:
    raise ValueError(constant)
