"""Remove one key of a secrets file."""

from typing import Any

from envtree.engine.decryption import verify_plaintext
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError
from envtree.secrets.edit.set_value import other_ciphertexts
from envtree.secrets.edit.sops_document import SopsDocument, read_sops_document
from envtree.secrets.sops.writer import SopsWriter, UnsetKey


def unset_key(document: SopsDocument, path: KeyPath, writer: SopsWriter) -> SopsDocument:
    """Return the file without a key; sops decrypts it again, to check the MAC and that nothing else changed."""
    path = _outermost_emptied(document, path)
    data = writer.apply_edits(document.file, document.data, [UnsetKey(path)])
    result = read_sops_document(data, document.file.path, document.file.location)
    plain: Any = writer.decrypt(result.file, result.data)
    verify_plaintext(result.file, plain)
    if result.find_node(path) is not None or other_ciphertexts(result, path) != other_ciphertexts(document, path):
        raise DecryptError("ET611", f"sops did not remove '{format_path(path)}' from '{document.file.path}'")
    return result


def _outermost_emptied(document: SopsDocument, path: KeyPath) -> KeyPath:
    """Return the path of the outermost map in which nothing else is, or the path itself."""
    others = other_ciphertexts(document, path)
    lengths = range(1, len(path))
    return next(
        (path[:length] for length in lengths if not any(other[:length] == path[:length] for other in others)), path
    )
