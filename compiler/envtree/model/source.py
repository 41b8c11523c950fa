"""The bytes of a file, read once, and what the path says they are."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a file describes; the value names its schema."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    ENVIRONMENT = "environment"
    OVERLAY = "overlay"
    TEAM = "team"
    AGENT = "agent"
    WORKFLOW = "workflow"
    POLICY = "policy"
    SKILL = "skill"
    WORKER_QUEUE = "worker_queue"
    JOB = "job"
    SECRETS = "secrets"
    CREATION_RULES = "creation_rules"

    # As it is equal to its text, so it is found. An enumeration's own takes a call of Python, for each look into a map.
    __hash__ = str.__hash__


class Location(NamedTuple):
    """Where in the organization a file stands: empty strings where a level does not apply.

    `name` is the path's own name; for an overlay it is the environment's, for organization, project and team empty.
    """

    kind: Kind
    project: str
    team: str
    name: str
    # Secrets only: the kind of the file they belong to, and the environment of `<agent>.<env>.secrets.yaml`.
    owner: Kind | None = None
    environment: str = ""


class Source(NamedTuple):
    """One file: `path` is relative to the root, `digest` is the SHA-256 of `data` in hex."""

    path: str
    location: Location
    data: bytes
    digest: str


Sources = tuple[Source, ...]
