"""One value of a secrets file gets another one, or a file its first."""

from typing import Any

from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Mapping, Sequence
from envtree.model.secrets_file import SCOPE, DecryptError
from envtree.secrets.edit.leaves import ciphertext, kinds, leaves
from envtree.secrets.edit.reading import Sealed, read
from envtree.secrets.edit.sops_edits import retypable, told
from envtree.secrets.edit.splice import retyped
from envtree.secrets.edit.value import kinds_of
from envtree.secrets.sops import verify
from envtree.secrets.sops.writing import Format, Keys, Set, SopsWriter

_ENV_HINT = "a '.env' file holds one line for each variable: use a '.yaml' or '.json' file"


class CannotSetError(Exception):
    """A value does not go where it was meant to; the hint says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def check_fits(sealed: Sealed | None, format: Format, path: KeyPath, value: Any) -> None:
    """Raise if a value would have to stand inside of another, or in the place of a map."""
    if format == "env" and (len(path) > 1 or isinstance(value, dict | list)):
        raise CannotSetError("a '.env' file has no maps and lists", _ENV_HINT)
    for length in range(1, len(path)):
        above = sealed.node(path[:length]) if sealed else None
        name = format_path(path[:length])
        if isinstance(above, Sequence):
            raise CannotSetError(f"'{name}' is a list", "set it as a whole, with --type json")
        if above is not None and not isinstance(above, Mapping):
            raise CannotSetError(f"'{name}' is a value, not a map", "take it out with 'envtree secrets edit' first")
    if sealed and isinstance(sealed.node(path), Mapping) and not isinstance(value, dict):
        name = format_path(path)
        raise CannotSetError(f"'{name}' is a map", f"name a key in it, such as '{name}.…', or give it with --type json")


def changed(sealed: Sealed, path: KeyPath, value: Any, writer: SopsWriter) -> Sealed:
    """The file with a value set; sops opens it once more, to see that it is whole and that this is all."""
    types = kinds_of(value)
    data = writer.change(sealed.file, sealed.data, [Set(path, told(value, types))])
    result = read(data, sealed.file.path, sealed.file.location)
    result = read(retyped(result, {path: retypable(types)}).encode(), sealed.file.path, sealed.file.location)
    plain: Any = writer.open(result.file, result.data)
    verify(result.file, plain)
    for key in path:
        plain = plain[key]
    node = result.node(path)
    if plain != value or node is None or kinds(node) != types or _others(result, path) != _others(sealed, path):
        raise DecryptError("ET611", f"sops did not set '{format_path(path)}' of '{sealed.file.path}' as it was told")
    return result


def new(path: str, format: Format, key: KeyPath, value: Any, keys: Keys, writer: SopsWriter) -> bytes:
    """A file with one value, and where it belongs; this needs no private key."""
    plain: Any = value
    for segment in reversed(key):
        plain = {segment: plain}
    home = {SCOPE: path.rpartition(".secrets.")[0]}
    return writer.encrypt(path, format, home | plain, keys)


def scoped(sealed: Sealed, writer: SopsWriter) -> Sealed:
    """The file with a `_scope`, which it gets if it has none."""
    return sealed if sealed.file.scope else changed(sealed, (SCOPE,), sealed.file.home, writer)


def _others(sealed: Sealed, path: KeyPath) -> dict[KeyPath, Any]:
    """The ciphertexts of all values but those at a path."""
    return {other: ciphertext(leaf.node) for other, leaf in leaves(sealed).items() if other[: len(path)] != path}
