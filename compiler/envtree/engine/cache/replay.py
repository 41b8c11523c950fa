"""A command that has nothing to do says again what it said the last time; nothing here imports the compiler."""

import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache as cache_of_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from envtree import __version__
from envtree.cli.support.console import colored, noted, say_again
from envtree.engine import cache
from envtree.engine.cache.object_store import load, save
from envtree.model.artifact import Output
from envtree.model.diagnostic import Failure, Refusal
from envtree.sources.tree import DirectoryTree, RootNotFound, find_root
from envtree.system.git import repository_root

if TYPE_CHECKING:
    from envtree.engine.cache.project_cache import Remembered
    from envtree.engine.run import Outcome, Request

# The variables that change what a command finds, opens or says, by how they begin; inputs are asked for by name.
_HEARD = (
    *("ENVTREE_", "SOPS_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "VAULT_", "HUAWEICLOUD_", "GIT_", "GNUPGHOME"),
    *("HOME", "XDG_", "PATH", "USER", "CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "TERM"),
    *("LANG", "LC_", "PYTHON", "TZ"),
)
# Where keys lie if no variable says so, below the home folder.
_KEYS = (".config/sops/age/keys.txt", ".ssh/id_ed25519", ".ssh/id_rsa", ".gnupg/pubring.kbx", ".aws/credentials")
_KEY_VARIABLES = ("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE")


class Entry(NamedTuple):
    """What is remembered of a run: what it `said`, and whether as an answer; `inputs` are marks of the variables that
    it read, by name; `place` is where it wrote.
    """

    code: int
    said: list[tuple[bool, str | bytes]]
    seen: cache.Seen
    inputs: dict[str, str]
    place: cache.Place


class Memory:
    """What one command line has done before in one place, and does again if need be.

    What it reads of `tree` is noted.
    """

    def __init__(self, folder: cache.Folder, names: "_Names", tree: DirectoryTree, jobs: int | None) -> None:
        self.tree = cache.Witness(tree)
        self._folder, self._names, self._jobs = folder, names, jobs
        self._thorough, self._again = False, False
        self._known: Remembered | None = None

    def repeat(self, *, thorough: bool) -> int | None:
        """Say what was said the last time, if everything is as it was then; the exit code, or None."""
        entry, self._thorough = load(self._folder, self._names.entry), thorough
        if not isinstance(entry, Entry):
            return None
        self._again = True
        try:
            self.tree.look(entry.seen, self._jobs)
            if not (self._has_inputs(entry) and self.tree.is_alike):
                return None
            if not cache.is_intact(entry.place, self.tree.root, thorough=self._thorough):
                return None
        except (Failure, Refusal):
            # The run itself will find out, and tell it as it has been asked to.
            return None
        if self.tree.before != entry.seen:
            save(self._folder, self._names.entry, entry._replace(seen=self.tree.before))
        say_again(entry.said)
        return entry.code

    def reminded(self, request: "Request") -> "Request":
        """A request over the tree of this memory, which is told what is known of projects and of files."""
        from envtree.engine.cache.project_cache import Names, Remembered  # noqa: PLC0415 -- only now there is something to compile

        names = Names(self._names.projects, self._names.documents)
        self._known = Remembered(self._folder, names, self.tree, self._may_be_intact, again=self._again)
        return request._replace(tree=self.tree, known=self._known)

    def conclude(self, outcome: "Outcome", output: Output | None, say: Callable[[], int]) -> int:
        """Say what came of a run, and remember it; the exit code."""
        with noted() as said:
            code = say()
        workspace, manifest = outcome.workspace, outcome.manifest
        if workspace is None:
            return code
        place = cache.written(output, manifest) if output and manifest else cache.NOWHERE
        inputs = {one.env: self._names.mark(one.env) for one in workspace.organization.inputs.values()}
        seen = self.tree.seen()
        save(self._folder, self._names.entry, Entry(code, said, seen, inputs, place))
        if self._known and bool(output) == bool(manifest):
            self._known.save(place, seen)
        self._folder.make_room()
        return code

    def _has_inputs(self, entry: Entry) -> bool:
        return all(self._names.mark(name) == mark for name, mark in entry.inputs.items())

    def _may_be_intact(self, place: cache.Place) -> bool:
        return cache.may_be_intact(place, self.tree.root, thorough=self._thorough)


class _Names(NamedTuple):
    """The names of what is kept for a command line; without the salt they tell nothing of what they are made from."""

    salt: bytes
    entry: str
    tree: str

    @property
    def projects(self) -> str:
        """That of what is known of projects."""
        return f"{self.entry}-projects"

    def documents(self, project: str) -> str:
        """That of what is known of a project's files."""
        return f"{_named(self.salt, _bytes((self.tree, project)))}-files"

    def mark(self, variable: str) -> str:
        """What changes with the value of a variable."""
        value = os.environb.get(os.fsencode(variable))
        return "" if value is None else _named(self.salt, value)


def memory(command: str, directory: Path, params: Mapping[str, Any]) -> Memory | None:
    """The memory of a command line; None where nothing can be remembered."""
    folder = cache.find(os.environ)
    if folder is None:
        return None
    try:
        tree = DirectoryTree(find_root(directory))
    except RootNotFound:
        return None
    salt, program = folder.secret(), _program()
    asked = (command, sorted(params.items(), key=str), _surroundings(tree), program)
    names = _Names(salt, _named(salt, _bytes(asked)), _named(salt, _bytes((str(tree.root), program))))
    return Memory(folder, names, tree, params.get("jobs"))


def name(folder: cache.Folder, *what: object) -> str:
    """A name in a cache for what this version of envtree keeps of something."""
    return _named(folder.secret(), _bytes((what, _program())))


def _named(salt: bytes, data: bytes) -> str:
    return hmac.new(salt, data, "sha256").hexdigest()


def _bytes(data: object) -> bytes:
    return repr(data).encode("utf-8", "surrogateescape")


def _surroundings(tree: DirectoryTree) -> tuple[Any, ...]:
    """All beside the tree and the command line that a run depends on."""
    environ = sorted((name, value) for name, value in os.environ.items() if name.startswith(_HEARD))
    home = Path(os.environ.get("HOME", "/"))
    keys = [home / path for path in _KEYS] + [Path(os.environ[name]) for name in _KEY_VARIABLES if name in os.environ]
    streams = [(stream.isatty(), colored(stream, "auto")) for stream in (sys.stdout, sys.stderr)]
    here = (os.getcwd(), str(tree.root), str(repository_root(tree.root)), os.geteuid(), date.today().isoformat())
    return (*here, environ, list(map(_changed, keys)), streams)


@cache_of_process
def _program() -> tuple[Any, ...]:
    """Which envtree this is, and with which libraries."""
    here = Path(__file__).parents[2]
    paths = [f"{folder}/{name}" for folder, _, names in os.walk(here) for name in names if not name.endswith(".pyc")]
    code = hashlib.sha256(repr([(path, _changed(Path(path))) for path in sorted(paths)]).encode()).hexdigest()
    # Where the libraries lie their versions are among the names, whatever times an installer gives them.
    libraries = sorted(os.listdir(Path(orjson.__file__).parents[1]))
    return sys.version, __version__, code, libraries


def _changed(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
