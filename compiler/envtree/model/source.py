"""The content of a source file, and the kind and location that its path implies."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The kind of entity that a file describes; the value is the name of its schema."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    ENVIRONMENT = "environment"
    OVERLAY = "overlay"
    TEAM = "team"
    AGENT = "agent"
    MIXIN = "mixin"
    WORKFLOW = "workflow"
    POLICY = "policy"
    SKILL = "skill"
    WORKER_QUEUE = "worker_queue"
    JOB = "job"
    SECRETS = "secrets"
    CREATION_RULES = "creation_rules"

    # A kind equals its text, so it must hash like it; Enum's own `__hash__` costs a Python call per dictionary lookup.
    __hash__ = str.__hash__


class Location(NamedTuple):
    """The position of a file in the organization; levels that do not apply are empty strings.

    `name` comes from the path: of an overlay it is the environment's name, of an organization, project or team empty.
    """

    kind: Kind
    project: str
    team: str
    name: str
    # Secrets files only: the kind of the file they belong to, and the environment of `<agent>.<env>.secrets.yaml`.
    owner: Kind | None = None
    environment: str = ""


class Source(NamedTuple):
    """One file: `path` is relative to the root, `digest` is the SHA-256 of `data` in hex."""

    path: str
    location: Location
    data: bytes
    digest: str


Sources = tuple[Source, ...]
