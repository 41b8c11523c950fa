"""A command that has nothing to do says again what it said the last time; nothing here imports the compiler."""

import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from envtree import EDITION, cache
from envtree.artifact import Mode, Output
from envtree.cli.console import colored, noted, say_again
from envtree.git import repository_root
from envtree.tree import DirectoryTree, RootNotFound, find_root

if TYPE_CHECKING:
    from envtree.pipeline import Outcome

# The variables that change what a command finds, opens or says, by how they begin; inputs are asked for by name.
_HEARD = (
    *("ENVTREE_", "SOPS_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "VAULT_", "HUAWEICLOUD_", "GIT_", "GNUPGHOME"),
    *("HOME", "XDG_", "PATH", "USER", "CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "TERM"),
    *("LANG", "LC_", "PYTHON", "TZ"),
)
# Where keys lie if no variable says so, below the home folder.
_KEYS = (".config/sops/age/keys.txt", ".ssh/id_ed25519", ".ssh/id_rsa", ".gnupg/pubring.kbx", ".aws/credentials")
_KEY_VARIABLES = ("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE")
# To look at each file of more would take longer than all the rest of a run that has nothing to do.
_LOOKED_AT = 20_000


class _Entry(NamedTuple):
    """What is remembered of a run: what it `said`, and whether as an answer and as bytes; `inputs` are marks of the
    variables that it read, by name; `manifest` is the digest of that of its `output`, which holds so many `files`.
    """

    code: int
    said: list[tuple[bool, bool, str]]
    seen: list[Any]
    inputs: dict[str, str]
    output: str
    mode: Mode
    manifest: str
    files: int


class Memory:
    """What one command line has done before in one place, and does again if need be.

    What it reads of `tree` is noted.
    """

    def __init__(self, folder: cache.Folder, name: str, tree: DirectoryTree, salt: bytes) -> None:
        self.tree = cache.Witness(tree)
        self._folder, self._name, self._plain, self._salt = folder, name, tree, salt

    def recall(self, *, thorough: bool) -> int | None:
        """Say what was said the last time, if everything is as it was then; the exit code, or None."""
        entry = self._entry()
        if entry is None or any(self._mark(name) != mark for name, mark in entry.inputs.items()):
            return None
        before = cache.Seen(*entry.seen)
        seen = cache.still(before, self._plain)
        if seen is None or not self._is_written(entry, thorough=thorough):
            return None
        if seen != before._replace(at=seen.at) or before.is_fresh:
            self._write(entry._replace(seen=list(seen)))
        say_again([(answer, words.encode() if raw else words) for answer, raw, words in entry.said])
        return entry.code

    def conclude(self, outcome: "Outcome", output: Output | None, say: Callable[[], int]) -> int:
        """Say what came of a run, and remember it; the exit code."""
        with noted() as said:
            code = say()
        workspace = outcome.workspace
        if workspace is not None:
            inputs = {one.env: self._mark(one.env) for one in workspace.organization.inputs.values()}
            words = [(answer, isinstance(each, bytes), _text(each)) for answer, each in said]
            entry = _Entry(code, words, list(self.tree.seen()), inputs, "", "ref", "", 0)
            if output and outcome.manifest:
                files = sum(len(record.files) for record in outcome.manifest.bundles.values())
                entry = entry._replace(output=str(output.folder), mode=output.mode, files=files)
                entry = entry._replace(manifest=cache.written(output))
            self._write(entry)
        return code

    def _is_written(self, entry: _Entry, *, thorough: bool) -> bool:
        if not entry.output:
            return True
        output = Output(Path(entry.output), self._plain.root, entry.mode, EDITION, {}, lambda _: True)
        look: cache.Look = "read" if thorough else "marks" if entry.files <= _LOOKED_AT else "manifest"
        return cache.is_intact(entry.manifest, output, look)

    def _entry(self) -> _Entry | None:
        data = self._folder.read(self._name)
        with suppress(ValueError, TypeError):
            return _Entry(*orjson.loads(data)) if data else None
        return None

    def _write(self, entry: _Entry) -> None:
        # A path that is no text cannot be remembered.
        with suppress(TypeError):
            self._folder.write(self._name, orjson.dumps(list(entry)))

    def _mark(self, variable: str) -> str:
        value = os.environb.get(os.fsencode(variable))
        return "" if value is None else hmac.new(self._salt, value, "sha256").hexdigest()


def _text(words: str | bytes) -> str:
    return words.decode() if isinstance(words, bytes) else words


def memory(command: str, directory: Path, params: Mapping[str, Any]) -> Memory | None:
    """The memory of a command line; None where nothing can be remembered."""
    folder = cache.find(os.environ)
    if folder is None:
        return None
    try:
        tree = DirectoryTree(find_root(directory))
    except RootNotFound:
        return None
    salt = folder.secret()
    told = repr((command, sorted(params.items(), key=str), _surroundings(tree), _program())).encode("utf-8", "replace")
    return Memory(folder, hmac.new(salt, told, "sha256").hexdigest(), tree, salt)


def _surroundings(tree: DirectoryTree) -> tuple[Any, ...]:
    """All beside the tree and the command line that a run depends on."""
    environ = sorted((name, value) for name, value in os.environ.items() if name.startswith(_HEARD))
    home = Path(os.environ.get("HOME", "/"))
    keys = [home / path for path in _KEYS] + [Path(os.environ[name]) for name in _KEY_VARIABLES if name in os.environ]
    streams = [(stream.isatty(), colored(stream, "auto")) for stream in (sys.stdout, sys.stderr)]
    here = (os.getcwd(), str(tree.root), str(repository_root(tree.root)), os.geteuid(), date.today().isoformat())
    return (*here, environ, list(map(_changed, keys)), streams)


def _program() -> tuple[Any, ...]:
    """Which envtree this is, and with which libraries."""
    here = Path(__file__).parents[1]
    files = [(path, _changed(Path(folder, path))) for folder, _, names in os.walk(here) for path in sorted(names)]
    code = hashlib.sha256(repr(sorted(each for each in files if not each[0].endswith(".pyc"))).encode()).hexdigest()
    return sys.version, code, _changed(Path(orjson.__file__).parents[1])


def _changed(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
