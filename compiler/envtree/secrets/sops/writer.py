"""Run the commands of sops that write: they take and return encrypted bytes, and plaintext passes through pipes only.

sops changes files in place, so it gets a copy of the encrypted file in a private folder, and never one of the tree.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from envtree.model.diagnostic import MachineError
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.secrets.sops.limited_process import ProcessTimeoutError
from envtree.secrets.sops.program import INPUT_TYPES, SopsProgram
from envtree.secrets.sops.results import check_exit_code, parse_plaintext
from envtree.secrets.sops.terminal import editor_environment, run_in_terminal

# Everything but printable ASCII: a YAML parser could read it as a line break or as half a character.
_ESCAPED_CHARACTERS = re.compile(r'[^\x20-\x7e]|["\\]')


def to_flow_yaml(data: Any) -> str:
    """Render maps, lists and scalars in the flow style of YAML."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{_quote(key)}: {to_flow_yaml(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(to_flow_yaml, data)) + "]"
    return _quote(data) if isinstance(data, str) else json.dumps(data, allow_nan=False)


def _quote(text: str) -> str:
    return '"' + _ESCAPED_CHARACTERS.sub(lambda match: f"\\U{ord(match[0]):08x}", text) + '"'


# Linux keeps files there in memory. Elsewhere the default temporary folder is used, on any disk.
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 -- a private folder is made in it


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can enter; it is removed at the end with all its files."""
    in_memory = os.path.isdir(_MEMORY_FOLDER) and os.access(_MEMORY_FOLDER, os.W_OK | os.X_OK)
    with tempfile.TemporaryDirectory(prefix="envtree-", dir=_MEMORY_FOLDER if in_memory else None) as folder:
        yield Path(folder)


SopsFormat = Literal["yaml", "json", "env"]

# How many seconds an editor may take where there is no terminal, and so no user.
_UNATTENDED_TIMEOUT = 60
_EXIT_UNCHANGED = 200
_EXIT_NO_EDITOR = 201
_OLD_SOPS_HINT = (
    "it takes sops 3.11 or newer, which reads a value from a pipe; 'sops decrypt {}' in a terminal shows more"
)


class RecipientKeys(NamedTuple):
    """Public keys in the form that sops takes: age recipients, SSH keys included, and PGP fingerprints."""

    age: tuple[str, ...] = ()
    pgp: tuple[str, ...] = ()

    @classmethod
    def of(cls, keys: Iterable[tuple[str, str]]) -> "RecipientKeys":
        """Divide pairs of recipient kind and key into age and PGP keys, in the order given."""
        pairs = tuple(keys)
        age = tuple(key for kind, key in pairs if kind != "pgp")
        return cls(age, tuple(key for kind, key in pairs if kind == "pgp"))

    def options(self, prefix: str = "") -> Iterator[str]:
        """Yield the command-line options for these keys."""
        for kind, keys in (("age", self.age), ("pgp", self.pgp)):
            if keys:
                yield f"--{prefix}{kind}={','.join(keys)}"


class SetValue(NamedTuple):
    """An edit that sets a value, or a map or list of values, at a path."""

    path: KeyPath
    value: Any


class UnsetKey(NamedTuple):
    """An edit that removes a key with everything below it."""

    path: KeyPath


class SopsWriter:
    """The writing commands of the real sops, for files that the policy allows."""

    def __init__(
        self, root: Path, policy: SecretsPolicy, *, environ: Mapping[str, str] = os.environ, timeout: float = 30.0
    ) -> None:
        self.policy = policy
        self._editor_environment = editor_environment(environ)
        self.program = SopsProgram(root, policy, environ, timeout)

    def decrypt(self, sealed: SecretsFile, data: bytes) -> dict[str, Any]:
        """Return the plain data of a file, `_scope` included."""
        self.check_policy(sealed)
        arguments = ["decrypt", *_type_options(sealed.format, "json")]
        result = self.program.run(self.program.command(arguments), sealed.path, stdin_data=data)
        check_exit_code(result.exit_code, sealed)
        return parse_plaintext(result.output, sealed)

    def encrypt(self, path: str, format: SopsFormat, plain: Mapping[str, Any], keys: RecipientKeys) -> bytes:
        """Return a new file; this needs no private key."""
        # The YAML reader of sops keeps integers; its JSON reader turns them into floats.
        types = ("--input-type", "yaml", "--output-type", INPUT_TYPES[format])
        arguments = ["encrypt", f"--filename-override=./{path}", *types, *keys.options()]
        stdin_data = to_flow_yaml(plain).encode()
        result = self.program.run(self.program.command(arguments), path, "encrypt", stdin_data=stdin_data)
        if result.exit_code:
            hint = "gpg needs the public key of every PGP reader" if keys.pgp else ""
            raise MachineError("ET623", f"sops failed to encrypt '{path}' with exit code {result.exit_code}", hint)
        return result.output

    def apply_edits(self, sealed: SecretsFile, data: bytes, edits: Sequence[SetValue | UnsetKey]) -> bytes:
        """Return the file after some edits; all else keeps its bytes, except the MAC and the date."""
        self.check_policy(sealed)
        types = _type_options(sealed.format, sealed.format)
        with private_folder() as folder:
            copy = _write_copy(folder, sealed, data)
            for index, value in (argument for edit in edits for argument in _set_arguments(edit)):
                options = ["unset", *types] if value is None else ["set", *types, "--value-stdin"]
                command = self.program.command([*options, "--", f"./{copy.name}", index])
                result = self.program.run(command, sealed.path, "change", folder=folder, stdin_data=value)
                check_exit_code(result.exit_code, sealed, _OLD_SOPS_HINT.format(sealed.path))
            return copy.read_bytes()

    def rotate(self, sealed: SecretsFile, data: bytes, add: RecipientKeys, remove: RecipientKeys) -> bytes:
        """Return the file with a new data key, and with some recipients added and others removed."""
        self.check_policy(sealed)
        options = (*add.options("add-"), *remove.options("rm-"))
        with private_folder() as folder:
            copy = _write_copy(folder, sealed, data)
            arguments = ["rotate", *_type_options(sealed.format, sealed.format), *options, "--", f"./{copy.name}"]
            result = self.program.run(self.program.command(arguments), sealed.path, "rotate", folder=folder)
        check_exit_code(result.exit_code, sealed)
        return result.output

    def update_keys(self, sealed: SecretsFile, data: bytes, keys: RecipientKeys) -> bytes:
        """Return the file with the same data key, encrypted for exactly these recipients."""
        self.check_policy(sealed)
        rule = {kind: ",".join(values) for kind, values in keys._asdict().items() if values}
        with private_folder() as folder:
            copy = _write_copy(folder, sealed, data)
            # The private folder contains no plaintext, and public keys are no secret.
            (folder / "rules").write_text(json.dumps({"creation_rules": [rule]}))
            arguments = ["updatekeys", "--yes", *_type_options(sealed.format)[:2], "--", f"./{copy.name}"]
            command = self.program.command(arguments, str(folder / "rules"))
            result = self.program.run(command, sealed.path, "change", folder=folder)
            check_exit_code(result.exit_code, sealed)
            return copy.read_bytes()

    def edit(self, sealed: SecretsFile, data: bytes) -> bytes | None:
        """Return the file as edited in the editor of the user, or None if it is unchanged.

        Its plaintext is in a temporary file meanwhile.
        """
        self.check_policy(sealed)
        with private_folder() as folder:
            copy = folder / sealed.path.rpartition("/")[2]
            copy.write_bytes(data)
            types = _type_options(sealed.format, sealed.format)
            command = self.program.command(["edit", *types, "--", f"./{copy.name}"])
            # sops writes the plaintext to TMPDIR: the private folder, which is in memory where possible.
            environment = self._editor_environment | self.program.environment | {"TMPDIR": str(folder)}
            try:
                code = run_in_terminal(command, folder, environment, _UNATTENDED_TIMEOUT)
            except ProcessTimeoutError:
                message = f"the editor did not end within {_UNATTENDED_TIMEOUT} seconds, and there is no terminal"
                hint = "run it in a terminal; one that was given no valid text would wait for ever"
                raise MachineError("ET622", message, hint) from None
            except OSError as error:
                raise MachineError("ET620", f"sops cannot be started: {error.strerror}") from None
            _check_editor_exit(code, sealed)
            return None if code == _EXIT_UNCHANGED else copy.read_bytes()

    def check_policy(self, sealed: SecretsFile) -> None:
        """Raise DecryptError if the policy does not allow the services or programs that sops would use for a file."""
        if not self.policy.allows_file(sealed):
            raise DecryptError("ET604", f"'{sealed.path}' is encrypted for keys that the policy does not allow")


def is_addressable(path: KeyPath) -> bool:
    """Report whether a path can be passed to sops: a key with a bracket cannot."""
    return not any("[" in key for key in path)


def _check_editor_exit(code: int, sealed: SecretsFile) -> None:
    if code == _EXIT_NO_EDITOR:
        hint = "set VISUAL or EDITOR to your editor, with the option that makes it wait, such as 'code --wait'"
        raise MachineError("ET623", "the editor failed, or there is none; nothing has been changed", hint)
    if code != _EXIT_UNCHANGED:
        check_exit_code(code, sealed)


def _set_arguments(edit: SetValue | UnsetKey) -> Iterator[tuple[str, bytes | None]]:
    """Yield paths in the notation of sops with the JSON to set at each; None removes the key."""
    if not is_addressable(edit.path):
        raise ValueError(f"sops has no way to write '{format_path(edit.path)}'")
    index = "".join(f'["{key}"]' for key in edit.path)
    if isinstance(edit, UnsetKey):
        yield index, None
    else:
        yield from _value_arguments(index, edit.value, is_new=False)


def _value_arguments(index: str, value: Any, *, is_new: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the arguments that set a value.

    sops takes maps, but no lists: the value at the path is first replaced by a scalar, then set item by item.
    """
    if not isinstance(value, list):
        yield index, json.dumps(value, allow_nan=False).encode()
        return
    if not is_new:
        yield index, b'"list"'
    for position, item in enumerate(value):
        yield from _value_arguments(f"{index}[{position}]", item, is_new=True)


def _type_options(*formats: str) -> tuple[str, ...]:
    options = ("--input-type", "--output-type")
    return tuple(
        word for option, format in zip(options, formats, strict=False) for word in (option, INPUT_TYPES[format])
    )


def _write_copy(folder: Path, sealed: SecretsFile, data: bytes) -> Path:
    copy = folder / f"copy.{sealed.format}"
    copy.write_bytes(data)
    return copy
