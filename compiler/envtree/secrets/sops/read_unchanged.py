"""What is decrypted is what was checked."""

import hashlib
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import SecretsFile


def read_unchanged(root: Path, sealed: SecretsFile) -> bytes:
    """The bytes of a file, which must be those that were checked."""
    try:
        # A Path takes as long to make as the file to read.
        with open(f"{root}/{sealed.path}", "rb", buffering=0) as file:
            data = file.read()
    except OSError:
        data = None
    if data is None or hashlib.sha256(data).hexdigest() != sealed.digest:
        raise MachineError("ET623", f"'{sealed.path}' changed while it was being decrypted", "run the command again")
    return data
