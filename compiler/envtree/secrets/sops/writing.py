"""The verbs of sops that write: encrypted bytes become other encrypted bytes, and plaintext goes through pipes only.

sops changes files, so it gets a copy of the encrypted one in a private folder; the tree itself is out of its reach.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from envtree.model.diagnostic import Failure
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError, SealedFile, SecretsPolicy
from envtree.secrets.sops.answer import check_code, load
from envtree.secrets.sops.plain_text import yaml_text
from envtree.secrets.sops.process import TimedOut
from envtree.secrets.sops.program import INPUT_TYPES, Program
from envtree.secrets.sops.scratch import scratch
from envtree.secrets.sops.terminal import editor_environment, run_in_terminal

Format = Literal["yaml", "json", "env"]

# How long an editor may take where there is no terminal, and so nobody.
_UNATTENDED = 60
_UNCHANGED = 200
_NO_EDITOR = 201
_OLD = "it takes sops 3.11 or newer, which reads a value from a pipe; 'sops decrypt {}' in a terminal shows more"


class Keys(NamedTuple):
    """Public keys, as sops takes them: age recipients, SSH keys included, and PGP fingerprints."""

    age: tuple[str, ...] = ()
    pgp: tuple[str, ...] = ()

    @classmethod
    def of(cls, keys: Iterable[tuple[str, str]]) -> "Keys":
        """Those of people, by the kinds of recipients, in the order given."""
        found = tuple(keys)
        age = tuple(key for kind, key in found if kind != "pgp")
        return cls(age, tuple(key for kind, key in found if kind == "pgp"))

    def options(self, prefix: str = "") -> Iterator[str]:
        """The options that name them."""
        for kind, keys in (("age", self.age), ("pgp", self.pgp)):
            if keys:
                yield f"--{prefix}{kind}={','.join(keys)}"


class Set(NamedTuple):
    """A value, or a map or list of values, to be written at a path."""

    path: KeyPath
    value: Any


class Unset(NamedTuple):
    """A key to be taken out, with all below it."""

    path: KeyPath


class SopsWriter:
    """The real sops, for files that the policy admits."""

    def __init__(
        self, root: Path, policy: SecretsPolicy, *, environ: Mapping[str, str] = os.environ, timeout: float = 30.0
    ) -> None:
        self.policy = policy
        self._editing = editor_environment(environ)
        self.program = Program(root, policy, environ, timeout)

    def open(self, sealed: SealedFile, data: bytes) -> dict[str, Any]:
        """The plain data of a file, `_scope` included."""
        self.admit(sealed)
        arguments = ["decrypt", *_types(sealed.format, "json")]
        finished = self.program.run(self.program.command(arguments), sealed.path, told=data)
        check_code(finished.code, sealed)
        return load(finished.output, sealed)

    def encrypt(self, path: str, format: Format, plain: Mapping[str, Any], keys: Keys) -> bytes:
        """A new file; this needs no private key."""
        # Its own YAML reader keeps integers, which its JSON reader turns into floats.
        types = ("--input-type", "yaml", "--output-type", INPUT_TYPES[format])
        arguments = ["encrypt", f"--filename-override=./{path}", *types, *keys.options()]
        told = yaml_text(plain).encode()
        finished = self.program.run(self.program.command(arguments), path, "encrypt", told=told)
        if finished.code:
            hint = "gpg needs the public key of every PGP reader" if keys.pgp else ""
            raise Failure("ET623", f"sops failed to encrypt '{path}' with exit code {finished.code}", hint)
        return finished.output

    def change(self, sealed: SealedFile, data: bytes, steps: Sequence[Set | Unset]) -> bytes:
        """The file after some steps; what they do not touch keeps its bytes, but for the MAC and the date."""
        self.admit(sealed)
        types = _types(sealed.format, sealed.format)
        with scratch() as folder:
            copy = _copy(folder, sealed, data)
            for index, value in (told for step in steps for told in _told(step)):
                where = ["--", f"./{copy.name}", index]
                words = ["unset", *types, *where] if value is None else ["set", *types, "--value-stdin", *where]
                command = self.program.command(words)
                finished = self.program.run(command, sealed.path, "change", folder=folder, told=value)
                check_code(finished.code, sealed, _OLD.format(sealed.path))
            return copy.read_bytes()

    def rotate(self, sealed: SealedFile, data: bytes, add: Keys, remove: Keys) -> bytes:
        """The file under a new data key, for some readers more and some less."""
        self.admit(sealed)
        options = (*add.options("add-"), *remove.options("rm-"))
        with scratch() as folder:
            copy = _copy(folder, sealed, data)
            arguments = ["rotate", *_types(sealed.format, sealed.format), *options, "--", f"./{copy.name}"]
            finished = self.program.run(self.program.command(arguments), sealed.path, "rotate", folder=folder)
        check_code(finished.code, sealed)
        return finished.output

    def hand_over(self, sealed: SealedFile, data: bytes, keys: Keys) -> bytes:
        """The file under the same data key for exactly these readers."""
        self.admit(sealed)
        rule = {kind: ",".join(found) for kind, found in keys._asdict().items() if found}
        with scratch() as folder:
            copy = _copy(folder, sealed, data)
            # Its folder holds nothing else, and public keys are no secret.
            (folder / "rules").write_text(json.dumps({"creation_rules": [rule]}))
            arguments = ["updatekeys", "--yes", *_types(sealed.format)[:2], "--", f"./{copy.name}"]
            command = self.program.command(arguments, str(folder / "rules"))
            finished = self.program.run(command, sealed.path, "change", folder=folder)
            check_code(finished.code, sealed)
            return copy.read_bytes()

    def edit(self, sealed: SealedFile, data: bytes) -> bytes | None:
        """The file as the user's editor leaves it, None if that is as it was; its plaintext is a file meanwhile."""
        self.admit(sealed)
        with scratch() as folder:
            copy = folder / sealed.path.rpartition("/")[2]
            copy.write_bytes(data)
            types = _types(sealed.format, sealed.format)
            command = self.program.command(["edit", *types, "--", f"./{copy.name}"])
            # Here sops puts the plaintext: into memory, if there is a way.
            environment = self._editing | self.program.environment | {"TMPDIR": str(folder)}
            try:
                code = run_in_terminal(command, folder, environment, _UNATTENDED)
            except TimedOut:
                message = f"the editor did not end within {_UNATTENDED} seconds, and there is no terminal"
                hint = "run it in a terminal; one that was given no valid text would wait for ever"
                raise Failure("ET622", message, hint) from None
            except OSError as error:
                raise Failure("ET620", f"sops cannot be started: {error.strerror}") from None
            _check_edited(code, sealed)
            return None if code == _UNCHANGED else copy.read_bytes()

    def admit(self, sealed: SealedFile) -> None:
        """Raise if the policy does not allow what sops would call, or start, for a file."""
        if not self.policy.admits(sealed):
            raise DecryptError("ET604", f"'{sealed.path}' is encrypted for keys that the policy does not allow")


def is_addressable(path: KeyPath) -> bool:
    """Whether sops can be told a path: it cannot where a key holds a bracket."""
    return not any("[" in key for key in path)


def _check_edited(code: int, sealed: SealedFile) -> None:
    if code == _NO_EDITOR:
        hint = "set EDITOR to your editor, with the option that makes it wait, such as 'code --wait'"
        raise Failure("ET623", "the editor failed, or there is none; nothing has been changed", hint)
    if code != _UNCHANGED:
        check_code(code, sealed)


def _told(step: Set | Unset) -> Iterator[tuple[str, bytes | None]]:
    """The places in the words of sops, and the JSON for each; None takes out what is there."""
    if not is_addressable(step.path):
        raise ValueError(f"sops has no way to write '{format_path(step.path)}'")
    index = "".join(f'["{key}"]' for key in step.path)
    if isinstance(step, Unset):
        yield index, None
    else:
        yield from _told_value(index, step.value, new=False)


def _told_value(index: str, value: Any, *, new: bool) -> Iterator[tuple[str, bytes]]:
    """sops takes maps, but no list at its own place: it is made item by item, in the place of what is there."""
    if not isinstance(value, list):
        yield index, json.dumps(value, allow_nan=False).encode()
        return
    if not new:
        yield index, b'"list"'
    for position, item in enumerate(value):
        yield from _told_value(f"{index}[{position}]", item, new=True)


def _types(*formats: str) -> tuple[str, ...]:
    options = ("--input-type", "--output-type")
    return tuple(
        word for option, format in zip(options, formats, strict=False) for word in (option, INPUT_TYPES[format])
    )


def _copy(folder: Path, sealed: SealedFile, data: bytes) -> Path:
    copy = folder / f"copy.{sealed.format}"
    copy.write_bytes(data)
    return copy
