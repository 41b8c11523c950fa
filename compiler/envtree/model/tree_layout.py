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
FORMATS = ("yaml", "json", "env")
# What an organization without projects/ may put at its root.
IMPLICIT = frozenset({"teams", "agents", "workflows"})
SECRET_OWNERS = frozenset({Kind.ORGANIZATION, Kind.ENVIRONMENT, Kind.PROJECT, Kind.OVERLAY, Kind.TEAM, Kind.AGENT})
NAME_RULE = "lower-case letters, digits, '-' and '_', at most 63, beginning with a letter or a digit"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FILE = re.compile(r"(?P<stem>.+?)(?P<secrets>\.secrets)?\.(?P<format>yaml|yml|json|env)", re.DOTALL | re.IGNORECASE)
_NEAR = 0.85


class Place(NamedTuple):
    """What may lie in a folder: one file of a fixed name, a file for every name, folders, a folder for every name."""

    own: Kind | None = None
    each: Kind | None = None
    folders: Mapping[str, "Place"] = MappingProxyType({})
    children: "Place | None" = None


class FileName(NamedTuple):
    """A file name that is meant for envtree; `format` is as written."""

    stem: str
    secrets: bool
    format: str


NOWHERE = Place()
_OVERLAYS = Place(each=Kind.OVERLAY)
_AGENTS = Place(each=Kind.AGENT)
_WORKFLOWS = Place(each=Kind.WORKFLOW)
_TEAM = Place(own=Kind.TEAM, folders={"environments": _OVERLAYS, "agents": _AGENTS})
_TEAMS = Place(children=_TEAM)
_IN_PROJECT = {"workflows": _WORKFLOWS, "agents": _AGENTS, "teams": _TEAMS}
_PROJECT = Place(own=Kind.PROJECT, folders={"environments": _OVERLAYS, **_IN_PROJECT})
ROOT = Place(
    own=Kind.ORGANIZATION,
    folders={
        "environments": Place(each=Kind.ENVIRONMENT),
        "policies": Place(each=Kind.POLICY),
        "skills": Place(each=Kind.SKILL),
        "worker_queues": Place(each=Kind.WORKER_QUEUE),
        "jobs": Place(each=Kind.JOB),
        "projects": Place(children=_PROJECT),
        **_IN_PROJECT,
    },
)

# What is written for others must not lie in these folders of the root.
SOURCE_FOLDERS = frozenset(ROOT.folders) | {".git"}

_ROOT_FILES = (ROOT_FILE, *(f"organization.secrets.{format}" for format in FORMATS))
_ELSEWHERE = {
    "policy": "policies",
    "project.yaml": "projects/<project>/project.yaml",
    "team.yaml": "teams/<team>/team.yaml",
}


def is_name(text: str) -> bool:
    """Whether a text may be the path name of an entity."""
    return _NAME.fullmatch(text) is not None


def parse_file_name(name: str) -> FileName | None:
    """The parts of a file name, or None for a file that is none of envtree's business."""
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    # `.SECRETS.yaml` stays in the stem, where it is no name.
    secrets = match["secrets"] == ".secrets"
    stem = match["stem"] if secrets else match["stem"] + (match["secrets"] or "")
    is_yaml = match["format"].lower() in ("yaml", "yml")
    return FileName(stem, secrets, match["format"]) if secrets or is_yaml else None


def meant_at_root(name: str) -> str:
    """The path that a name at the root was probably meant to be, or an empty string."""
    folded = name.lower().replace("-", "_")
    if folded in _ELSEWHERE:
        return _ELSEWHERE[folded]
    known = _ROOT_FILES if "." in name else tuple(ROOT.folders)
    from difflib import get_close_matches  # noqa: PLC0415 -- only a mistake needs it

    close = get_close_matches(folded, known, n=1, cutoff=_NEAR)
    return close[0] if close else ""


def contents(place: Place) -> dict[str, str]:
    """What may lie in a folder by its bare name, as people write it."""
    own = {str(place.own): f"{place.own}.yaml"} if place.own else {}
    return own | {name: f"{name}/" for name in place.folders}


def renamed(name: str) -> str:
    """The path name that a name was probably meant to be, or an empty string."""
    close = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")
    return close if name.isascii() and is_name(close) else ""


def shown(path: str) -> str:
    """A path as it may be printed: what does not print (control, bidi, broken bytes) is escaped."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)
