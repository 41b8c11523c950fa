"""Encrypt the secrets of a bundle, unless an existing file has the same values for the same readers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envtree.engine.decryption import verify_plaintext
from envtree.frontend.link.declared_readers import normalize_public_key
from envtree.model.artifact import Output
from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import Diagnostics, NoKeyError
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.secrets.seal.sealed_secrets import read_sealed_secrets
from envtree.secrets.sops.select_decrypter import select_decrypter
from envtree.secrets.sops.writer import RecipientKeys, SopsWriter
from envtree.system import disk


class Sealer:
    """A sealer for the bundles of one output, which reuses existing files."""

    def __init__(self, output: Output, policy: SecretsPolicy, *, only_check: bool) -> None:
        self._folder = output.folder
        self._root = Path(os.path.abspath(output.folder))
        self._only_check = only_check
        assert output.tree_root
        self._writer = SopsWriter(output.tree_root, policy)
        self._decrypter = select_decrypter(self._root, policy, tree=output.tree_root)

    def seal(self, path: str, entries: Mapping[str, Any], keys: RecipientKeys) -> bytes:
        """Return the sealed file of a bundle, whose path in the output is `path`."""
        existing = self._read_existing(path)
        if existing:
            sealed, data = existing
            if self._is_up_to_date(sealed, entries, keys):
                return data
        return self._writer.encrypt(path, "json", entries, keys)

    def stop(self) -> None:
        """End the running processes, and start no others."""
        self._writer.program.stop()
        self._decrypter.stop()

    def _read_existing(self, path: str) -> tuple[SecretsFile, bytes] | None:
        """Return the existing file, if it is a SOPS file."""
        with disk.translate_os_errors(self._folder):
            try:
                data = disk.read_file(f"{self._root}/{path}")
            except NotADirectoryError:
                return None
        if data is None:
            return None
        sealed = read_sealed_secrets(path, data, Diagnostics())
        return (sealed, data) if sealed else None

    def _is_up_to_date(self, sealed: SecretsFile, entries: Mapping[str, Any], keys: RecipientKeys) -> bool:
        """Report whether a file is intact and has these entries for these readers; checks without a key come first."""
        present = {normalize_public_key(recipient.value) for recipient in sealed.recipients}
        is_single_group = sealed.threshold == 1 and not any(recipient.group for recipient in sealed.recipients)
        if present != {*keys.age, *keys.pgp} or not is_single_group or sealed.content.entries.keys() != entries.keys():
            return False
        try:
            plain = verify_plaintext(sealed, self._decrypter.decrypt(sealed))
        except DecryptError:
            return False
        except NoKeyError:
            if self._only_check:
                raise
            return False
        return encode_canonical(plain) == encode_canonical(entries)
