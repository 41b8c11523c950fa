"""Translate the results of sops: exit codes into exceptions, JSON into data."""

import json
import os
from pathlib import Path
from typing import Any

from envtree.model.diagnostic import MachineError, NoKeyError
from envtree.model.secrets_file import DecryptError, SecretsFile, printable_key

# The exit codes of sops for problems of the file and of the keys; every other code is a failure of sops.
_MAC_CODES = frozenset({24, 51, 52})
_FILE_CODES = frozenset({2, 4, 25, 100})
_KEY_CODES = frozenset({111, 128})
_KEY_HINTS = {
    "age": "set SOPS_AGE_KEY_FILE to a file with one of its age keys",
    "pgp": "import one of its private keys into gpg",
}
_MISSING_KEY_FILE_HINT = "SOPS_AGE_KEY_FILE names no file: set it to one with one of its age keys"
_MAX_SHOWN_KEYS = 3


def check_exit_code(code: int, sealed: SecretsFile, hint: str = "") -> None:
    """Raise the exception for an exit code; `hint` is for a failure whose cause is unknown."""
    if code == 0:
        return
    if code in _MAC_CODES:
        repair = "restore the file from git, and change it with 'envtree secrets edit' only"
        raise DecryptError("ET610", f"the MAC of '{sealed.path}' does not match: it was changed without sops", repair)
    if code in _FILE_CODES:
        repair = "restore the file from git, or encrypt it again"
        raise DecryptError("ET611", f"'{sealed.path}' is damaged: sops cannot decrypt every value", repair)
    if code in _KEY_CODES:
        raise NoKeyError(f"no key on this machine opens '{sealed.path}'", _key_hint(sealed))
    hint = hint or f"'sops decrypt {sealed.path}' in a terminal shows why"
    raise MachineError("ET623", f"sops failed on '{sealed.path}' with exit code {code}", hint)


def _key_hint(sealed: SecretsFile) -> str:
    """Return what to do, with the public keys that identify the private keys needed."""
    hints = []
    for kind, hint in _KEY_HINTS.items():
        action = _MISSING_KEY_FILE_HINT if kind == "age" and _is_key_file_missing() else hint
        keys = [printable_key(kind, recipient.value) for recipient in sealed.recipients if recipient.kind == kind]
        more = f" and {len(keys) - _MAX_SHOWN_KEYS} more" if len(keys) > _MAX_SHOWN_KEYS else ""
        hints += [f"{action}: {', '.join(keys[:_MAX_SHOWN_KEYS])}{more}"] if keys else []
    return "; ".join(hints)


def _is_key_file_missing() -> bool:
    """Report whether SOPS_AGE_KEY_FILE names no existing file; its text is not shown, for it may be a key itself."""
    path = os.environ.get("SOPS_AGE_KEY_FILE")
    return bool(path) and not Path(str(path)).exists()


def parse_plaintext(output: bytes, sealed: SecretsFile) -> dict[str, Any]:
    """Parse a JSON object; MachineError for anything else, duplicate keys and NaN included."""
    # No exception of `json` may escape, for it contains the document.
    data = parse_json_object(output)
    if data is None:
        raise MachineError("ET623", f"what sops made of '{sealed.path}' is not a JSON object")
    return data


def parse_json_object(text: bytes | str) -> dict[str, Any] | None:
    """Parse a JSON object that every parser reads as the same data; None for anything else."""
    try:
        data = json.loads(text, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("duplicate key")
    return data


def _reject_constant(constant: str) -> float:
    raise ValueError(constant)
