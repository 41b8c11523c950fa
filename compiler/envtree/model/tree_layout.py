"""The layout of a tree: which files are allowed in which folders, and the kind that each path implies."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.source import Kind

ROOT_FILE = "organization.yaml"
# `init` writes the schemas for editors here.
SCHEMA_FOLDER = ".envtree/schema"
DEFAULT_PROJECT = "default"
SECRETS_FILE_FORMATS = ("yaml", "json", "env")
# The folders that an organization without projects/ may have at its root.
IMPLICIT_PROJECT_FOLDERS = frozenset({"teams", "agents", "workflows"})
SECRET_OWNERS = frozenset(
    {Kind.ORGANIZATION, Kind.ENVIRONMENT, Kind.PROJECT, Kind.OVERLAY, Kind.TEAM, Kind.AGENT, Kind.MIXIN}
)
# The kinds whose overlays are in their own file, under `environments`, with secrets in `<name>.<env>.secrets.yaml`.
KINDS_WITH_OWN_OVERLAYS = frozenset({Kind.AGENT, Kind.MIXIN})
NAME_RULE = "lower-case letters, digits, '-' and '_', at most 63, beginning with a letter or a digit"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FILE_NAME = re.compile(
    r"(?P<stem>.+?)(?P<secrets>\.secrets)?\.(?P<format>yaml|yml|json|env)", re.DOTALL | re.IGNORECASE
)
_SIMILARITY_CUTOFF = 0.85


class FolderLayout(NamedTuple):
    """The allowed contents of a folder.

    `own_kind` is the kind of the file with a fixed name, `entry_kind` that of files with free names. `folders` are the
    layouts of folders with fixed names, `child_layout` is that of folders with free names.
    """

    own_kind: Kind | None = None
    entry_kind: Kind | None = None
    folders: Mapping[str, "FolderLayout"] = MappingProxyType({})
    child_layout: "FolderLayout | None" = None


class FileName(NamedTuple):
    """A file name that is relevant to envtree; `format` has the case of the file name."""

    stem: str
    is_secrets: bool
    format: str


EMPTY_LAYOUT = FolderLayout()
_OVERLAYS = FolderLayout(entry_kind=Kind.OVERLAY)
_AGENTS = FolderLayout(entry_kind=Kind.AGENT)
_WORKFLOWS = FolderLayout(entry_kind=Kind.WORKFLOW)
_TEAM = FolderLayout(own_kind=Kind.TEAM, folders={"environments": _OVERLAYS, "agents": _AGENTS})
_TEAMS = FolderLayout(child_layout=_TEAM)
_IN_PROJECT = {"workflows": _WORKFLOWS, "agents": _AGENTS, "teams": _TEAMS}
_PROJECT = FolderLayout(own_kind=Kind.PROJECT, folders={"environments": _OVERLAYS, **_IN_PROJECT})
ROOT_LAYOUT = FolderLayout(
    own_kind=Kind.ORGANIZATION,
    folders={
        "environments": FolderLayout(entry_kind=Kind.ENVIRONMENT),
        "mixins": FolderLayout(entry_kind=Kind.MIXIN),
        "policies": FolderLayout(entry_kind=Kind.POLICY),
        "skills": FolderLayout(entry_kind=Kind.SKILL),
        "worker_queues": FolderLayout(entry_kind=Kind.WORKER_QUEUE),
        "jobs": FolderLayout(entry_kind=Kind.JOB),
        "projects": FolderLayout(child_layout=_PROJECT),
        **_IN_PROJECT,
    },
)

# Folders of the root in which no generated output may be placed.
SOURCE_FOLDERS = frozenset(ROOT_LAYOUT.folders) | {".git"}

_ROOT_FILES = (ROOT_FILE, *(f"organization.secrets.{format}" for format in SECRETS_FILE_FORMATS))
_CORRECT_PATHS = {
    "policy": "policies",
    "project.yaml": "projects/<project>/project.yaml",
    "team.yaml": "teams/<team>/team.yaml",
}


def is_valid_name(text: str) -> bool:
    """Report whether a text is a valid path name of an entity."""
    return _NAME.fullmatch(text) is not None


def parse_file_name(name: str) -> FileName | None:
    """Split a file name into its parts; None for a file that envtree ignores."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        return None
    # `.SECRETS.yaml` stays in the stem, which makes the name invalid.
    is_secrets = match["secrets"] == ".secrets"
    stem = match["stem"] if is_secrets else match["stem"] + (match["secrets"] or "")
    is_yaml = match["format"].lower() in ("yaml", "yml")
    return FileName(stem, is_secrets, match["format"]) if is_secrets or is_yaml else None


def suggest_root_path(name: str) -> str:
    """Return the path that a misspelled name at the root probably stands for, or an empty string."""
    folded = name.lower().replace("-", "_")
    if folded in _CORRECT_PATHS:
        return _CORRECT_PATHS[folded]
    candidates = _ROOT_FILES if "." in name else tuple(ROOT_LAYOUT.folders)
    from difflib import get_close_matches  # noqa: PLC0415 -- imported only to report a mistake

    matches = get_close_matches(folded, candidates, n=1, cutoff=_SIMILARITY_CUTOFF)
    return matches[0] if matches else ""


def allowed_contents(layout: FolderLayout) -> dict[str, str]:
    """Return the fixed names allowed in a folder, without suffix, each with the spelling for messages."""
    own_file = {str(layout.own_kind): f"{layout.own_kind}.yaml"} if layout.own_kind else {}
    return own_file | {name: f"{name}/" for name in layout.folders}


def suggest_name(name: str) -> str:
    """Return the valid path name closest to a name, or an empty string."""
    candidate = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")
    return candidate if name.isascii() and is_valid_name(candidate) else ""


def escape_unprintable(path: str) -> str:
    """Escape the characters of a path that must not be printed: control and bidi characters, undecodable bytes."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)
