"""Set one value of a secrets file, or encrypt a new file with its first value."""

from typing import Any

from envtree.engine.decryption import verify_plaintext
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import MappingNode, SequenceNode
from envtree.model.secrets_file import SCOPE_KEY, DecryptError
from envtree.secrets.edit.sops_document import SopsDocument, read_sops_document
from envtree.secrets.edit.sops_edits import set_argument, types_to_restore
from envtree.secrets.edit.sops_values import ciphertext, collect_values, node_types
from envtree.secrets.edit.splice import replace_types
from envtree.secrets.edit.value_input import value_types
from envtree.secrets.sops.writer import RecipientKeys, SetValue, SopsFormat, SopsWriter

_ENV_HINT = "a '.env' file holds one line for each variable: use a '.yaml' or '.json' file"


class CannotSetError(Exception):
    """A value does not fit at a path; the hint is what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def check_fits(document: SopsDocument | None, format: SopsFormat, path: KeyPath, value: Any) -> None:
    """Raise CannotSetError if a value would be inside another one, or replace a map."""
    if format == "env" and (len(path) > 1 or isinstance(value, dict | list)):
        raise CannotSetError("a '.env' file has no maps and lists", _ENV_HINT)
    for length in range(1, len(path)):
        above = document.find_node(path[:length]) if document else None
        name = format_path(path[:length])
        if isinstance(above, SequenceNode):
            raise CannotSetError(f"'{name}' is a list", "set it as a whole, with --type json")
        if above is not None and not isinstance(above, MappingNode):
            raise CannotSetError(f"'{name}' is a value, not a map", "take it out with 'envtree secrets edit' first")
    if document and isinstance(document.find_node(path), MappingNode) and not isinstance(value, dict):
        name = format_path(path)
        raise CannotSetError(f"'{name}' is a map", f"name a key in it, such as '{name}.…', or give it with --type json")


def set_value(document: SopsDocument, path: KeyPath, value: Any, writer: SopsWriter) -> SopsDocument:
    """Return the file with a value set; sops decrypts it again, to check the MAC and that nothing else changed."""
    types = value_types(value)
    data = writer.apply_edits(document.file, document.data, [SetValue(path, set_argument(value, types))])
    result = read_sops_document(data, document.file.path, document.file.location)
    result = read_sops_document(
        replace_types(result, {path: types_to_restore(types)}).encode(), document.file.path, document.file.location
    )
    plain: Any = writer.decrypt(result.file, result.data)
    verify_plaintext(result.file, plain)
    for key in path:
        plain = plain[key]
    node = result.find_node(path)
    if (
        plain != value
        or node is None
        or node_types(node) != types
        or other_ciphertexts(result, path) != other_ciphertexts(document, path)
    ):
        raise DecryptError("ET611", f"sops did not set '{format_path(path)}' of '{document.file.path}' as it was told")
    return result


def encrypt_new_file(
    path: str, format: SopsFormat, key: KeyPath, value: Any, keys: RecipientKeys, writer: SopsWriter
) -> bytes:
    """Return a new file with one value and its `_scope`; this needs no private key."""
    plain: Any = value
    for segment in reversed(key):
        plain = {segment: plain}
    scope = {SCOPE_KEY: path.rpartition(".secrets.")[0]}
    return writer.encrypt(path, format, scope | plain, keys)


def ensure_scope(document: SopsDocument, writer: SopsWriter) -> SopsDocument:
    """Return the file with a `_scope`, which is added if it has none."""
    return document if document.file.scope else set_value(document, (SCOPE_KEY,), document.file.expected_scope, writer)


def other_ciphertexts(document: SopsDocument, path: KeyPath) -> dict[KeyPath, Any]:
    """Return the ciphertexts of all values but those at or below a path."""
    return {
        leaf_path: ciphertext(leaf.node)
        for leaf_path, leaf in collect_values(document).items()
        if leaf_path[: len(path)] != path
    }
