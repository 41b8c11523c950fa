"""Replay the recorded output of an unchanged command line; never imports the compiler."""

import functools
import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from envtree import __version__
from envtree.engine import cache
from envtree.engine.cache.object_store import load_object, save_object
from envtree.model.artifact import Output
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.sources.tree import DirectoryTree, RootNotFoundError, find_root
from envtree.system.console import record_output, replay_output, should_color
from envtree.system.git import repository_root

if TYPE_CHECKING:
    from envtree.engine.cache.project_cache import CommandProjectCache
    from envtree.engine.request import Request, RunOutcome

# Prefixes of variables that affect a command; inputs are looked up by name.
_RELEVANT_PREFIXES = (
    *("ENVTREE_", "SOPS_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "VAULT_", "HUAWEICLOUD_", "GIT_", "GNUPGHOME"),
    *("HOME", "XDG_", "PATH", "USER", "CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "TERM"),
    *("LANG", "LC_", "PYTHON", "TZ"),
)
# Default locations of keys, below the home folder.
_KEY_FILES = (".config/sops/age/keys.txt", ".ssh/id_ed25519", ".ssh/id_rsa", ".gnupg/pubring.kbx", ".aws/credentials")
_KEY_VARIABLES = ("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE")


class ReplayEntry(NamedTuple):
    """A recorded run: its output (with a flag for stdout), its reads, and the state of what it wrote.

    `input_digests` are digests of the variables that it read, by name.
    """

    exit_code: int
    recorded_output: list[tuple[bool, str | bytes]]
    read_log: cache.ReadLog
    input_digests: dict[str, str]
    output_state: cache.OutputState


class ReplayCache:
    """The previous run of one command line in one folder; reads from its `tree` are recorded."""

    def __init__(self, folder: cache.CacheFolder, names: "_EntryNames", tree: DirectoryTree, jobs: int | None) -> None:
        self.tree = cache.ReadRecorder(tree)
        self._folder, self._names, self._jobs = folder, names, jobs
        self._is_thorough, self._has_previous_run = False, False
        self._project_cache: CommandProjectCache | None = None

    def replay(self, *, thorough: bool) -> int | None:
        """Replay the output of the previous run if nothing has changed; return its exit code, or None."""
        entry, self._is_thorough = load_object(self._folder, self._names.entry), thorough
        if not isinstance(entry, ReplayEntry):
            return None
        self._has_previous_run = True
        try:
            self.tree.refresh(entry.read_log, self._jobs)
            if not (self._has_same_inputs(entry) and self.tree.is_unchanged):
                return None
            if not cache.is_intact(entry.output_state, self.tree.root, thorough=self._is_thorough):
                return None
        except (MachineError, RefusedError):
            # The run itself encounters the same error, and reports it.
            return None
        if self.tree.previous != entry.read_log:
            save_object(self._folder, self._names.entry, entry._replace(read_log=self.tree.previous))
        replay_output(entry.recorded_output)
        return entry.exit_code

    def with_project_cache(self, request: "Request") -> "Request":
        """Return the request with the recorded tree and a cache of projects and documents."""
        from envtree.engine.cache.project_cache import CommandProjectCache, ProjectCacheNames  # noqa: PLC0415 -- only now there is something to compile

        names = ProjectCacheNames(self._names.projects, self._names.documents_of)
        self._project_cache = CommandProjectCache(
            self._folder, names, self.tree, self._may_be_intact, has_previous_run=self._has_previous_run
        )
        return request._replace(tree=self.tree, project_cache=self._project_cache)

    def report_and_store(self, outcome: "RunOutcome", output: Output | None, report: Callable[[], int]) -> int:
        """Report the outcome of a run, record the output, and return the exit code."""
        with record_output() as recorded_output:
            code = report()
        workspace, manifest = outcome.workspace, outcome.manifest
        if workspace is None:
            return code
        output_state = cache.capture_output(output, manifest) if output and manifest else cache.NO_OUTPUT
        variables = [declared.env for declared in workspace.organization.inputs.values()]
        read_log = self.tree.read_log()
        entry = ReplayEntry(
            exit_code=code,
            recorded_output=recorded_output,
            read_log=read_log,
            input_digests={variable: self._names.variable_digest(variable) for variable in variables},
            output_state=output_state,
        )
        save_object(self._folder, self._names.entry, entry)
        if self._project_cache and bool(output) == bool(manifest):
            self._project_cache.save(output_state, read_log)
        self._folder.evict_oldest()
        return code

    def _has_same_inputs(self, entry: ReplayEntry) -> bool:
        return all(self._names.variable_digest(name) == digest for name, digest in entry.input_digests.items())

    def _may_be_intact(self, output_state: cache.OutputState) -> bool:
        return cache.may_be_intact(output_state, self.tree.root, thorough=self._is_thorough)


class _EntryNames(NamedTuple):
    """The names of the cache entries of a command line; without the salt they reveal nothing about their origin."""

    salt: bytes
    entry: str
    tree: str

    @property
    def projects(self) -> str:
        """The name of the entry with project results."""
        return f"{self.entry}-projects"

    def documents_of(self, project: str) -> str:
        """Return the name of the entry with the documents of a project."""
        return f"{_keyed_digest(self.salt, _encode((self.tree, project)))}-files"

    def variable_digest(self, variable: str) -> str:
        """Return a keyed digest of the value of a variable, or "" if it is unset."""
        value = os.environb.get(os.fsencode(variable))
        return "" if value is None else _keyed_digest(self.salt, value)


def open_replay_cache(command: str, directory: Path, params: Mapping[str, Any]) -> ReplayCache | None:
    """Return the replay cache of a command line, or None if it cannot be cached."""
    folder = cache.find_cache_folder(os.environ)
    if folder is None:
        return None
    try:
        tree = DirectoryTree(find_root(directory))
    except RootNotFoundError:
        return None
    salt, program = folder.load_salt(), _program_identity()
    identity = (command, sorted(params.items(), key=str), _context_key(tree), program)
    names = _EntryNames(
        salt, _keyed_digest(salt, _encode(identity)), _keyed_digest(salt, _encode((str(tree.root), program)))
    )
    return ReplayCache(folder, names, tree, params.get("jobs"))


def cache_entry_name(folder: cache.CacheFolder, *identity: object) -> str:
    """Return the name of a cache entry for an identity and this version of envtree."""
    return _keyed_digest(folder.load_salt(), _encode((identity, _program_identity())))


def _keyed_digest(salt: bytes, data: bytes) -> str:
    return hmac.new(salt, data, "sha256").hexdigest()


def _encode(data: object) -> bytes:
    return repr(data).encode("utf-8", "surrogateescape")


def _context_key(tree: DirectoryTree) -> tuple[Any, ...]:
    """Return everything beside the tree and the command line that a run depends on."""
    environ = sorted((name, value) for name, value in os.environ.items() if name.startswith(_RELEVANT_PREFIXES))
    home = Path(os.environ.get("HOME", "/"))
    keys = [home / path for path in _KEY_FILES] + [
        Path(os.environ[name]) for name in _KEY_VARIABLES if name in os.environ
    ]
    streams = [(stream.isatty(), should_color(stream, "auto")) for stream in (sys.stdout, sys.stderr)]
    location = (os.getcwd(), str(tree.root), str(repository_root(tree.root)))
    return (*location, os.geteuid(), date.today().isoformat(), environ, list(map(_time_and_size, keys)), streams)


@functools.cache
def _program_identity() -> tuple[Any, ...]:
    """Return the identity of this envtree, its Python and its libraries."""
    package = Path(__file__).parents[2]
    paths = [f"{folder}/{name}" for folder, _, names in os.walk(package) for name in names if not name.endswith(".pyc")]
    code = hashlib.sha256(repr([(path, _time_and_size(Path(path))) for path in sorted(paths)]).encode()).hexdigest()
    # Names in the folder of the libraries contain versions, unlike the times, which depend on the installer.
    libraries = sorted(os.listdir(Path(orjson.__file__).parents[1]))
    return sys.version, __version__, code, libraries


def _time_and_size(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
