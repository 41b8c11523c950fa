"""The layout of a tree: which file may lie where, and what its path says about it."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.source import Kind

ROOT_FILE = "organization.yaml"
# Where `init` puts the schemas that editors read.
SCHEMA_FOLDER = ".envtree/schema"
DEFAULT_PROJECT = "default"
SECRETS_FILE_FORMATS = ("yaml", "json", "env")
# What an organization without projects/ may put at its root.
IMPLICIT_PROJECT_FOLDERS = frozenset({"teams", "agents", "workflows"})
SECRET_OWNERS = frozenset({Kind.ORGANIZATION, Kind.ENVIRONMENT, Kind.PROJECT, Kind.OVERLAY, Kind.TEAM, Kind.AGENT})
NAME_RULE = "lower-case letters, digits, '-' and '_', at most 63, beginning with a letter or a digit"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FILE_NAME = re.compile(
    r"(?P<stem>.+?)(?P<secrets>\.secrets)?\.(?P<format>yaml|yml|json|env)", re.DOTALL | re.IGNORECASE
)
_SIMILARITY_CUTOFF = 0.85


class FolderLayout(NamedTuple):
    """What may lie in a folder: one file of a fixed name, a file for every name, folders, a folder for every name."""

    own_kind: Kind | None = None
    entry_kind: Kind | None = None
    folders: Mapping[str, "FolderLayout"] = MappingProxyType({})
    child_layout: "FolderLayout | None" = None


class FileName(NamedTuple):
    """A file name that is meant for envtree; `format` is as written."""

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
        "policies": FolderLayout(entry_kind=Kind.POLICY),
        "skills": FolderLayout(entry_kind=Kind.SKILL),
        "worker_queues": FolderLayout(entry_kind=Kind.WORKER_QUEUE),
        "jobs": FolderLayout(entry_kind=Kind.JOB),
        "projects": FolderLayout(child_layout=_PROJECT),
        **_IN_PROJECT,
    },
)

# What is written for others must not lie in these folders of the root.
SOURCE_FOLDERS = frozenset(ROOT_LAYOUT.folders) | {".git"}

_ROOT_FILES = (ROOT_FILE, *(f"organization.secrets.{format}" for format in SECRETS_FILE_FORMATS))
_CORRECT_PATHS = {
    "policy": "policies",
    "project.yaml": "projects/<project>/project.yaml",
    "team.yaml": "teams/<team>/team.yaml",
}


def is_valid_name(text: str) -> bool:
    """Whether a text may be the path name of an entity."""
    return _NAME.fullmatch(text) is not None


def parse_file_name(name: str) -> FileName | None:
    """The parts of a file name, or None for a file that is none of envtree's business."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        return None
    # `.SECRETS.yaml` stays in the stem, where it is no name.
    secrets = match["secrets"] == ".secrets"
    stem = match["stem"] if secrets else match["stem"] + (match["secrets"] or "")
    is_yaml = match["format"].lower() in ("yaml", "yml")
    return FileName(stem, secrets, match["format"]) if secrets or is_yaml else None


def suggest_root_path(name: str) -> str:
    """The path that a name at the root was probably meant to be, or an empty string."""
    folded = name.lower().replace("-", "_")
    if folded in _CORRECT_PATHS:
        return _CORRECT_PATHS[folded]
    known = _ROOT_FILES if "." in name else tuple(ROOT_LAYOUT.folders)
    from difflib import get_close_matches  # noqa: PLC0415 -- only a mistake needs it

    close = get_close_matches(folded, known, n=1, cutoff=_SIMILARITY_CUTOFF)
    return close[0] if close else ""


def allowed_contents(place: FolderLayout) -> dict[str, str]:
    """What may lie in a folder by its bare name, as people write it."""
    own = {str(place.own_kind): f"{place.own_kind}.yaml"} if place.own_kind else {}
    return own | {name: f"{name}/" for name in place.folders}


def suggest_name(name: str) -> str:
    """The path name that a name was probably meant to be, or an empty string."""
    close = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")
    return close if name.isascii() and is_valid_name(close) else ""


def escape_unprintable(path: str) -> str:
    """A path as it may be printed: what does not print (control, bidi, broken bytes) is escaped."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)
