"""The verbs of sops that write: encrypted bytes become other encrypted bytes, and plaintext goes through pipes only.

sops changes files, so it gets a copy of the encrypted one in a private folder; the tree itself is out of its reach.
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

# What no reader of YAML takes for a line break, or for half a character.
_ESCAPED_CHARACTERS = re.compile(r'[^\x20-\x7e]|["\\]')


def to_flow_yaml(data: Any) -> str:
    """Maps, lists and scalars in YAML's flow style."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{_quote(key)}: {to_flow_yaml(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(to_flow_yaml, data)) + "]"
    return _quote(data) if isinstance(data, str) else json.dumps(data, allow_nan=False)


def _quote(text: str) -> str:
    return '"' + _ESCAPED_CHARACTERS.sub(lambda found: f"\\U{ord(found[0]):08x}", text) + '"'


# Linux keeps files there in memory. Elsewhere a temporary folder has to do, on whatever disk it is.
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 -- a folder of our own is made in it, which only we can enter


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user can enter; it is gone at the end with all that is in it."""
    in_memory = os.path.isdir(_MEMORY_FOLDER) and os.access(_MEMORY_FOLDER, os.W_OK | os.X_OK)
    with tempfile.TemporaryDirectory(prefix="envtree-", dir=_MEMORY_FOLDER if in_memory else None) as folder:
        yield Path(folder)


SopsFormat = Literal["yaml", "json", "env"]

# How long an editor may take where there is no terminal, and so nobody.
_UNATTENDED = 60
_EXIT_UNCHANGED = 200
_EXIT_NO_EDITOR = 201
_OLD_SOPS_HINT = (
    "it takes sops 3.11 or newer, which reads a value from a pipe; 'sops decrypt {}' in a terminal shows more"
)


class RecipientKeys(NamedTuple):
    """Public keys, as sops takes them: age recipients, SSH keys included, and PGP fingerprints."""

    age: tuple[str, ...] = ()
    pgp: tuple[str, ...] = ()

    @classmethod
    def of(cls, keys: Iterable[tuple[str, str]]) -> "RecipientKeys":
        """Those of people, by the kinds of recipients, in the order given."""
        found = tuple(keys)
        age = tuple(key for kind, key in found if kind != "pgp")
        return cls(age, tuple(key for kind, key in found if kind == "pgp"))

    def options(self, prefix: str = "") -> Iterator[str]:
        """The options that name them."""
        for kind, keys in (("age", self.age), ("pgp", self.pgp)):
            if keys:
                yield f"--{prefix}{kind}={','.join(keys)}"


class SetValue(NamedTuple):
    """A value, or a map or list of values, to be written at a path."""

    path: KeyPath
    value: Any


class UnsetKey(NamedTuple):
    """A key to be taken out, with all below it."""

    path: KeyPath


class SopsWriter:
    """The real sops, for files that the policy admits."""

    def __init__(
        self, root: Path, policy: SecretsPolicy, *, environ: Mapping[str, str] = os.environ, timeout: float = 30.0
    ) -> None:
        self.policy = policy
        self._editor_environment = editor_environment(environ)
        self.program = SopsProgram(root, policy, environ, timeout)

    def decrypt(self, sealed: SecretsFile, data: bytes) -> dict[str, Any]:
        """The plain data of a file, `_scope` included."""
        self.check_policy(sealed)
        arguments = ["decrypt", *_type_options(sealed.format, "json")]
        finished = self.program.run(self.program.command(arguments), sealed.path, stdin_data=data)
        check_exit_code(finished.exit_code, sealed)
        return parse_plaintext(finished.output, sealed)

    def encrypt(self, path: str, format: SopsFormat, plain: Mapping[str, Any], keys: RecipientKeys) -> bytes:
        """A new file; this needs no private key."""
        # Its own YAML reader keeps integers, which its JSON reader turns into floats.
        types = ("--input-type", "yaml", "--output-type", INPUT_TYPES[format])
        arguments = ["encrypt", f"--filename-override=./{path}", *types, *keys.options()]
        told = to_flow_yaml(plain).encode()
        finished = self.program.run(self.program.command(arguments), path, "encrypt", stdin_data=told)
        if finished.exit_code:
            hint = "gpg needs the public key of every PGP reader" if keys.pgp else ""
            raise MachineError("ET623", f"sops failed to encrypt '{path}' with exit code {finished.exit_code}", hint)
        return finished.output

    def apply_edits(self, sealed: SecretsFile, data: bytes, edits: Sequence[SetValue | UnsetKey]) -> bytes:
        """The file after some steps; what they do not touch keeps its bytes, but for the MAC and the date."""
        self.check_policy(sealed)
        types = _type_options(sealed.format, sealed.format)
        with private_folder() as folder:
            copy = _write_copy(folder, sealed, data)
            for index, value in (told for step in edits for told in _set_arguments(step)):
                where = ["--", f"./{copy.name}", index]
                words = ["unset", *types, *where] if value is None else ["set", *types, "--value-stdin", *where]
                command = self.program.command(words)
                finished = self.program.run(command, sealed.path, "change", folder=folder, stdin_data=value)
                check_exit_code(finished.exit_code, sealed, _OLD_SOPS_HINT.format(sealed.path))
            return copy.read_bytes()

    def rotate(self, sealed: SecretsFile, data: bytes, add: RecipientKeys, remove: RecipientKeys) -> bytes:
        """The file under a new data key, for some readers more and some less."""
        self.check_policy(sealed)
        options = (*add.options("add-"), *remove.options("rm-"))
        with private_folder() as folder:
            copy = _write_copy(folder, sealed, data)
            arguments = ["rotate", *_type_options(sealed.format, sealed.format), *options, "--", f"./{copy.name}"]
            finished = self.program.run(self.program.command(arguments), sealed.path, "rotate", folder=folder)
        check_exit_code(finished.exit_code, sealed)
        return finished.output

    def update_keys(self, sealed: SecretsFile, data: bytes, keys: RecipientKeys) -> bytes:
        """The file under the same data key for exactly these readers."""
        self.check_policy(sealed)
        rule = {kind: ",".join(found) for kind, found in keys._asdict().items() if found}
        with private_folder() as folder:
            copy = _write_copy(folder, sealed, data)
            # Its folder holds nothing else, and public keys are no secret.
            (folder / "rules").write_text(json.dumps({"creation_rules": [rule]}))
            arguments = ["updatekeys", "--yes", *_type_options(sealed.format)[:2], "--", f"./{copy.name}"]
            command = self.program.command(arguments, str(folder / "rules"))
            finished = self.program.run(command, sealed.path, "change", folder=folder)
            check_exit_code(finished.exit_code, sealed)
            return copy.read_bytes()

    def edit(self, sealed: SecretsFile, data: bytes) -> bytes | None:
        """The file as the user's editor leaves it, None if that is as it was; its plaintext is a file meanwhile."""
        self.check_policy(sealed)
        with private_folder() as folder:
            copy = folder / sealed.path.rpartition("/")[2]
            copy.write_bytes(data)
            types = _type_options(sealed.format, sealed.format)
            command = self.program.command(["edit", *types, "--", f"./{copy.name}"])
            # Here sops puts the plaintext: into memory, if there is a way.
            environment = self._editor_environment | self.program.environment | {"TMPDIR": str(folder)}
            try:
                code = run_in_terminal(command, folder, environment, _UNATTENDED)
            except ProcessTimeoutError:
                message = f"the editor did not end within {_UNATTENDED} seconds, and there is no terminal"
                hint = "run it in a terminal; one that was given no valid text would wait for ever"
                raise MachineError("ET622", message, hint) from None
            except OSError as error:
                raise MachineError("ET620", f"sops cannot be started: {error.strerror}") from None
            _check_editor_exit(code, sealed)
            return None if code == _EXIT_UNCHANGED else copy.read_bytes()

    def check_policy(self, sealed: SecretsFile) -> None:
        """Raise if the policy does not allow what sops would call, or start, for a file."""
        if not self.policy.allows_file(sealed):
            raise DecryptError("ET604", f"'{sealed.path}' is encrypted for keys that the policy does not allow")


def is_addressable(path: KeyPath) -> bool:
    """Whether sops can be told a path: it cannot where a key holds a bracket."""
    return not any("[" in key for key in path)


def _check_editor_exit(code: int, sealed: SecretsFile) -> None:
    if code == _EXIT_NO_EDITOR:
        hint = "set EDITOR to your editor, with the option that makes it wait, such as 'code --wait'"
        raise MachineError("ET623", "the editor failed, or there is none; nothing has been changed", hint)
    if code != _EXIT_UNCHANGED:
        check_exit_code(code, sealed)


def _set_arguments(edit: SetValue | UnsetKey) -> Iterator[tuple[str, bytes | None]]:
    """The places in the words of sops, and the JSON for each; None takes out what is there."""
    if not is_addressable(edit.path):
        raise ValueError(f"sops has no way to write '{format_path(edit.path)}'")
    index = "".join(f'["{key}"]' for key in edit.path)
    if isinstance(edit, UnsetKey):
        yield index, None
    else:
        yield from _value_arguments(index, edit.value, is_new=False)


def _value_arguments(index: str, value: Any, *, is_new: bool) -> Iterator[tuple[str, bytes]]:
    """sops takes maps, but no list at its own place: it is made item by item, in the place of what is there."""
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
