"""Read a file again before it is decrypted, and require the checked digest.

This guards against a change between check and use.
"""

import hashlib
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import SecretsFile


def read_unchanged(root: Path, sealed: SecretsFile) -> bytes:
    """Return the bytes of a file; MachineError if they are not those that were checked."""
    try:
        # Not a Path: constructing one takes as long as reading the file.
        with open(f"{root}/{sealed.path}", "rb", buffering=0) as file:
            data = file.read()
    except OSError:
        data = None
    if data is None or hashlib.sha256(data).hexdigest() != sealed.digest:
        raise MachineError("ET623", f"'{sealed.path}' changed while it was being decrypted", "run the command again")
    return data
