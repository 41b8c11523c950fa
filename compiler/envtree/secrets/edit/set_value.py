"""One value of a secrets file gets another one, or a file its first."""

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
    """A value does not go where it was meant to; the hint says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def check_fits(sealed: SopsDocument | None, format: SopsFormat, path: KeyPath, value: Any) -> None:
    """Raise if a value would have to stand inside of another, or in the place of a map."""
    if format == "env" and (len(path) > 1 or isinstance(value, dict | list)):
        raise CannotSetError("a '.env' file has no maps and lists", _ENV_HINT)
    for length in range(1, len(path)):
        above = sealed.find_node(path[:length]) if sealed else None
        name = format_path(path[:length])
        if isinstance(above, SequenceNode):
            raise CannotSetError(f"'{name}' is a list", "set it as a whole, with --type json")
        if above is not None and not isinstance(above, MappingNode):
            raise CannotSetError(f"'{name}' is a value, not a map", "take it out with 'envtree secrets edit' first")
    if sealed and isinstance(sealed.find_node(path), MappingNode) and not isinstance(value, dict):
        name = format_path(path)
        raise CannotSetError(f"'{name}' is a map", f"name a key in it, such as '{name}.…', or give it with --type json")


def set_value(sealed: SopsDocument, path: KeyPath, value: Any, writer: SopsWriter) -> SopsDocument:
    """The file with a value set; sops opens it once more, to see that it is whole and that this is all."""
    types = value_types(value)
    data = writer.apply_edits(sealed.file, sealed.data, [SetValue(path, set_argument(value, types))])
    result = read_sops_document(data, sealed.file.path, sealed.file.location)
    result = read_sops_document(
        replace_types(result, {path: types_to_restore(types)}).encode(), sealed.file.path, sealed.file.location
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
        or _other_ciphertexts(result, path) != _other_ciphertexts(sealed, path)
    ):
        raise DecryptError("ET611", f"sops did not set '{format_path(path)}' of '{sealed.file.path}' as it was told")
    return result


def encrypt_new_file(
    path: str, format: SopsFormat, key: KeyPath, value: Any, keys: RecipientKeys, writer: SopsWriter
) -> bytes:
    """A file with one value, and where it belongs; this needs no private key."""
    plain: Any = value
    for segment in reversed(key):
        plain = {segment: plain}
    home = {SCOPE_KEY: path.rpartition(".secrets.")[0]}
    return writer.encrypt(path, format, home | plain, keys)


def ensure_scope(sealed: SopsDocument, writer: SopsWriter) -> SopsDocument:
    """The file with a `_scope`, which it gets if it has none."""
    return sealed if sealed.file.scope else set_value(sealed, (SCOPE_KEY,), sealed.file.expected_scope, writer)


def _other_ciphertexts(sealed: SopsDocument, path: KeyPath) -> dict[KeyPath, Any]:
    """The ciphertexts of all values but those at a path."""
    return {
        other: ciphertext(leaf.node) for other, leaf in collect_values(sealed).items() if other[: len(path)] != path
    }
