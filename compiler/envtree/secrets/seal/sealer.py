"""Encrypt what a bundle keeps to itself, unless a file that is there already holds just that."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envtree.frontend.link.readers import identity
from envtree.model.artifact import Output
from envtree.model.canonical_json import canonical
from envtree.model.diagnostic import Diagnostics, NoKey
from envtree.model.secrets_file import DecryptError, SealedFile, SecretsPolicy
from envtree.secrets.seal.beside import read_beside
from envtree.secrets.sops import verify
from envtree.secrets.sops.choice import choose
from envtree.secrets.sops.writing import Keys, SopsWriter
from envtree.system import disk


class Sealer:
    """Seals the files of one output."""

    def __init__(self, output: Output, policy: SecretsPolicy, *, only_check: bool) -> None:
        self._folder = output.folder
        self._root = Path(os.path.abspath(output.folder))
        self._only_check = only_check
        assert output.root
        self._writer = SopsWriter(output.root, policy)
        self._decrypter = choose(self._root, policy, tree=output.root)

    def seal(self, path: str, entries: Mapping[str, Any], keys: Keys) -> bytes:
        """The sealed file of a bundle, which lies or will lie at `path` in the output."""
        found = self._read(path)
        if found and self._is_right(found[0], entries, keys):
            return found[1]
        return self._writer.encrypt(path, "json", entries, keys)

    def stop(self) -> None:
        """End what is running, and start nothing any more."""
        self._writer.program.stop()
        self._decrypter.stop()

    def _read(self, path: str) -> tuple[SealedFile, bytes] | None:
        """What lies there, if it is a SOPS file."""
        with disk.errors(self._folder):
            try:
                data = disk.read(f"{self._root}/{path}")
            except NotADirectoryError:
                return None
        if data is None:
            return None
        sealed = read_beside(path, data, Diagnostics())
        return (sealed, data) if sealed else None

    def _is_right(self, sealed: SealedFile, entries: Mapping[str, Any], keys: Keys) -> bool:
        """Whether a file holds these entries for these readers, and is whole; what shows without a key comes first."""
        present = {identity(recipient.value) for recipient in sealed.recipients}
        one_group = sealed.threshold == 1 and not any(recipient.group for recipient in sealed.recipients)
        if present != {*keys.age, *keys.pgp} or not one_group or sealed.content.entries.keys() != entries.keys():
            return False
        try:
            plain = verify(sealed, self._decrypter.decrypt(sealed))
        except DecryptError:
            return False
        except NoKey:
            if self._only_check:
                raise
            return False
        return canonical(plain) == canonical(entries)
