"""A command that has nothing to do says again what it said the last time; nothing here imports the compiler."""

import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from envtree import EDITION, __version__, cache
from envtree.artifact import Mode, Output
from envtree.cli.console import colored, noted, say_again
from envtree.diagnostic import Failure, Refusal
from envtree.git import repository_root
from envtree.tree import DirectoryTree, RootNotFound, find_root

if TYPE_CHECKING:
    from envtree.cache.documents import Documents
    from envtree.pipeline import Outcome, Request
    from envtree.unit import Placed, Unit

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


class _Place(NamedTuple):
    """An output, no folder if there is none: `manifest` is the digest of its manifest; one of many files `is_large`."""

    folder: str = ""
    mode: Mode = "ref"
    manifest: str = ""
    is_large: bool = False


class _Entry(NamedTuple):
    """What is remembered of a run: what it `said`, and whether as an answer and as bytes; `inputs` are marks of the
    variables that it read, by name; `place` is where it wrote.
    """

    code: int
    said: list[tuple[bool, bool, str]]
    seen: list[Any]
    inputs: dict[str, str]
    place: list[Any]


class Memory:
    """What one command line has done before in one place, and does again if need be.

    What it reads of `tree` is noted.
    """

    def __init__(self, folder: cache.Folder, names: "_Names", tree: DirectoryTree) -> None:
        self.tree = cache.Witness(tree)
        self._folder, self._names, self._plain = folder, names, tree
        self._thorough, self._again = False, False
        self.manifest = ""
        self._digests: dict[str, str] = {}
        self._found: dict[str, Unit] | None = None
        self._placed: Placed | None = None

    def repeat(self, *, thorough: bool) -> int | None:
        """Say what was said the last time, if everything is as it was then; the exit code, or None."""
        entry, self._thorough = self._entry(), thorough
        self._again = entry is not None
        if entry is None or any(self._names.mark(name) != mark for name, mark in entry.inputs.items()):
            return None
        self.tree.before = before = cache.Seen(*entry.seen)
        try:
            seen = cache.still(before, self._plain)
            if seen is None or not self._is_written(_Place(*entry.place)):
                return None
        except (Failure, Refusal):
            # The run itself will find out, and tell it as it has been asked to.
            return None
        if seen != before._replace(at=seen.at) or before.is_fresh:
            self._write(entry._replace(seen=list(seen)))
        say_again([(answer, words.encode() if raw else words) for answer, raw, words in entry.said])
        return entry.code

    def reminded(self, request: "Request") -> "Request":
        """A request over the tree of this memory; who comes again is told what is known of files and of projects."""
        request = request._replace(tree=self.tree)
        return request._replace(known=self) if self._again else request

    def recall(self, digests: Mapping[str, str]) -> "dict[str, Unit]":
        """What was found in those of the projects that have the same digest as then, and need not be written again."""
        if self._kept is None or not self._is_written(place := _Place(*self._kept[0])):
            return {}
        self.manifest = place.manifest
        before = self._kept[1]
        return {project: found for project, found in self._kept[2].items() if before[project] == digests.get(project)}

    def keep(self, units: "Mapping[str, Unit]", digests: Mapping[str, str]) -> None:
        """Remember what was found in all projects, which have these digests."""
        self._found, self._digests = dict(units), dict(digests)

    def placed(self) -> "Placed | None":
        """What discovery would find, if there are the same files as then."""
        if self._kept is None or self._kept[3] != self.tree.before.listing or not self.tree.is_listed_alike():
            return None
        found: Placed = self._kept[4]
        return found

    def keep_placed(self, placed: "Placed") -> None:
        """Remember what discovery has found."""
        self._placed = placed

    @cached_property
    def _kept(self) -> Any:
        from envtree.cache.kept import load  # noqa: PLC0415

        return load(self._folder, self._names.units)

    def digest(self, path: str) -> str:
        """What changes with the content of a file."""
        return self.tree.digest(path)

    def documents(self, project: str) -> "Documents":
        """The files of a project as they were read before."""
        from envtree.cache.documents import Documents  # noqa: PLC0415 -- only now there may be any

        return Documents(self._folder, self._names.documents(project))

    def keep_documents(self, documents: Any) -> None:
        """Remember them as they have been read now."""
        documents.save()

    def conclude(self, outcome: "Outcome", output: Output | None, say: Callable[[], int]) -> int:
        """Say what came of a run, and remember it; the exit code."""
        with noted() as said:
            code = say()
        workspace, place = outcome.workspace, _Place()
        if workspace is None:
            return code
        if output and outcome.manifest:
            is_large = outcome.manifest.is_larger(_LOOKED_AT)
            place = _Place(str(output.folder), output.mode, cache.written(outcome.manifest), is_large)
        inputs = {one.env: self._names.mark(one.env) for one in workspace.organization.inputs.values()}
        words = [(answer, isinstance(each, bytes), _text(each)) for answer, each in said]
        seen = self.tree.seen()
        self._write(_Entry(code, words, list(seen), inputs, list(place)))
        if self._found is not None and bool(output) == bool(outcome.manifest):
            from envtree.cache.kept import save  # noqa: PLC0415

            found = tuple(place), self._digests, self._found, seen.listing, self._placed
            save(self._folder, self._names.units, found)
        self._folder.make_room()
        return code

    def _is_written(self, place: _Place) -> bool:
        if not place.folder:
            return True
        output = Output(Path(place.folder), self._plain.root, place.mode, EDITION, {}, lambda _: True)
        look: cache.Look = "read" if self._thorough else "manifest" if place.is_large else "marks"
        return cache.is_intact(place.manifest, output, look)

    def _entry(self) -> _Entry | None:
        data = self._folder.read(self._names.entry)
        with suppress(ValueError, TypeError):
            return _Entry(*orjson.loads(data)) if data else None
        return None

    def _write(self, entry: _Entry) -> None:
        # A path that is no text cannot be remembered.
        with suppress(TypeError):
            self._folder.write(self._names.entry, orjson.dumps(list(entry)))


class _Names(NamedTuple):
    """The names of what is kept for a command line; without the salt they tell nothing of what they are made from."""

    salt: bytes
    entry: str
    tree: str

    @property
    def units(self) -> str:
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
    return Memory(folder, names, tree)


def name(folder: cache.Folder, *what: object) -> str:
    """A name in a cache for what this version of envtree keeps of something."""
    return _named(folder.secret(), _bytes((what, _program())))


def _named(salt: bytes, data: bytes) -> str:
    return hmac.new(salt, data, "sha256").hexdigest()


def _bytes(data: object) -> bytes:
    return repr(data).encode("utf-8", "surrogateescape")


def _text(words: str | bytes) -> str:
    return words.decode() if isinstance(words, bytes) else words


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
