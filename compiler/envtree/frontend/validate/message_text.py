"""Texts for findings about shape: names of keys, values, types and patterns in messages."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.frontend.validate.execution_environment import EXECUTION_ENVIRONMENT, to_bundle_path
from envtree.model.keypath import KeyPath, format_path
from envtree.model.tree_layout import NAME_RULE, escape_unprintable

_MAX_LENGTH = 40

_TYPES = MappingProxyType(
    {
        "object": "a map",
        "array": "a list",
        "string": "text",
        "number": "a number",
        "integer": "an integer",
        "boolean": "a boolean",
        "null": "null",
    }
)


class PatternDescription(NamedTuple):
    """A noun for texts that match a pattern, and the rule in words."""

    noun: str
    rule: str


_PATH = PatternDescription("a path name", f"use {NAME_RULE}")
_UUID = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"

# By the pattern as written in the schemas; a test checks that all are covered.
PATTERN_DESCRIPTIONS: Mapping[str, PatternDescription] = MappingProxyType(
    {
        "^[a-z0-9][a-z0-9_-]{0,62}$": _PATH,
        f"^([a-z0-9][a-z0-9_-]{{0,62}}|{_UUID})$": PatternDescription("the path name of a file, or a UUID", _PATH.rule),
        f"^([a-z0-9][a-z0-9_-]{{0,62}}(/[a-z0-9][a-z0-9_-]{{0,62}}){{0,2}}|{_UUID})$": PatternDescription(
            "a path or a UUID", "write project/team/agent, or the last part alone where it is unique"
        ),
        "^[A-Za-z_][A-Za-z0-9_]*$": PatternDescription(
            "the name of a variable", "use letters, digits and '_', and do not begin with a digit"
        ),
        "^[A-Za-z_][A-Za-z0-9_-]*$": PatternDescription(
            "the name of an endpoint", "use letters, digits, '_' and '-', and begin with a letter or '_'"
        ),
        "^[A-Za-z0-9_][A-Za-z0-9_.-]*$": PatternDescription(
            "a name", "use letters, digits, '_', '-' and '.', and begin with a letter, a digit or '_'"
        ),
        "^(\\$\\$|[^$])[\\s\\S]*$": PatternDescription(
            "a usable key", "a key has at least one character, and '$$' for a '$' at its start"
        ),
        "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$": PatternDescription(
            "the name of a person",
            "use letters, digits, '.', '_' and '-', at most 63, and begin with a letter or a digit",
        ),
        "^\\$\\{\\{[\\s\\S]*\\}\\}$": PatternDescription(
            "one whole expression", "write ${{ … }} with nothing around it"
        ),
        "^[A-Za-z0-9][A-Za-z0-9_-]{1,49}$": PatternDescription(
            "a project key", "use 2 to 50 letters, digits, '-' and '_', and begin with a letter or a digit"
        ),
        "^[\\s\\S]*[Cc][Ll][Aa][Uu][Dd][Ee][\\s\\S]*$": PatternDescription(
            "a Claude model", "the runtime 'claude_code' runs no other: name one, or remove 'runtime'"
        ),
        "^(\\*\\*?|config|mcp_servers|integration_ids|env_vars|secrets|endpoints|feature_flags|working_dir)"
        '(\\.(\\*\\*?|[^.*"\\s]+|"[^"]+"))*$': PatternDescription(
            "the path of a value",
            "begin with a section such as 'config', or with '*' or '**', and double-quote a segment with a dot in it",
        ),
        "^ET[0-9]{3}$": PatternDescription("a code", "write 'ET' and three digits"),
        "^([A-Za-z_][A-Za-z0-9_]*|[A-Za-z_]?[A-Za-z0-9_]*\\{name\\}[A-Za-z0-9_]*)$": PatternDescription(
            "a prefix or a pattern of names", "write a prefix such as 'CFG_', or a pattern such as '{name}_URL'"
        ),
        "^([a-z0-9.-]|\\{(project|team|agent|environment)\\})+$": PatternDescription(
            "a pattern of names in Kubernetes",
            "use lower-case letters, digits, '-', '.', and {project}, {team}, {agent} or {environment}",
        ),
        **{
            f"^([^{{}}]|\\{{({parts.replace(' ', '|')})\\}})+$": PatternDescription(
                "a pattern of names at the control plane", f"in braces there may stand: {parts.replace(' ', ', ')}"
            )
            for parts in (
                "key project environment",
                "key project team name environment",
                "key project team agent name environment",
                "key project workflow",
            )
        },
        "^([A-Za-z0-9.-]+(:[0-9]+)?/)?[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$": PatternDescription(
            "the address of a provider", "write namespace/type, with the host in front if it is not Terraform's own"
        ),
        "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$": PatternDescription(
            "the name of a namespace", "use lower-case letters, digits and '-', at most 63, and no '-' at its ends"
        ),
        "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$": PatternDescription(
            "a name in Kubernetes", "use lower-case letters, digits and '-', with dots between such parts"
        ),
        "^([0-9]+(ns|us|ms|s|m|h))+$": PatternDescription(
            "a duration", "write a number and its unit, such as '1h' or '90s'"
        ),
        "^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$": PatternDescription(
            "a path in the tree", "write it from the root of the tree, with '/', and no part that begins with a dot"
        ),
        "^(age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( [^\\r\\n]*)?)$": PatternDescription(
            "a public key of age or ssh",
            "write the public key, which begins with 'age1' or 'ssh-'; a private key that was here must be replaced",
        ),
        "^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$": PatternDescription(
            "a fingerprint", "write all 40 or 64 hexadecimal digits, without blanks"
        ),
        "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$": PatternDescription("a GitHub login", "write it without '@'"),
        "^[^@\\s]+@[^@\\s]+$": PatternDescription("an e-mail address", ""),
        "^[^\\s@]+(@[^\\s@]+)?$": PatternDescription(
            "a selector", "write a glob over ids, such as 'shop/**@prod*', without blanks"
        ),
        "^[\\s\\S]*\\S[\\s\\S]*$": PatternDescription("text that is not blank", ""),
        "^[0-9A-Za-z*/,#?-]+( +[0-9A-Za-z*/,#?-]+){4}$": PatternDescription(
            "a schedule of five fields", "write minute, hour, day, month and weekday, such as '0 6 * * 1-5'"
        ),
        "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$": PatternDescription(
            "a time zone", "write its IANA name, such as 'Europe/Berlin'"
        ),
    }
)

# Reasons for keys that are required only because of another key.
REQUIRED_KEY_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "cron_schedule": "a job with 'trigger_type: cron' needs it",
        "entity_id": "every job but one with 'planning_mode: on_the_fly' needs it",
        "worker_queue_name": "a job with 'executor_type: specific_queue' needs it",
        "environment_name": "a job with 'executor_type: environment' needs it",
        "url": "a server has 'command', or 'url' and 'type'",
        "type": "'minimum' and 'maximum' need 'type: integer' or 'type: number'",
    }
)

# Messages for keys that a schema forbids because of another key.
FORBIDDEN_KEY_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "args": "'args' goes only with 'command'",
        "env": "'env' goes only with 'command'",
        "type": "'type' does not go with 'command'",
        "transport_type": "'transport_type' does not go with 'command'",
        "url": "'url' does not go with 'command'",
        "headers": "'headers' does not go with 'command'",
    }
)

# Hints for values out of their limits, where the limits alone do not help.
LIMIT_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "max_workers": "leave it out for no limit; write 'status: paused' to let no task start",
        "selector": "write '**' for every bundle, or 'enabled: false' to switch the policy off",
        "entity_id": "write the path of an agent, a team or a workflow",
    }
)

# The right position of keys that must not be in a map with free keys.
RELOCATION_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "mcpServers": "write it as 'mcp_servers' inside 'execution_environment'",
    }
)

# Keys in responses of the control plane that it does not accept in requests.
_READ_ONLY_WORDS = """
    id organization_id created_at created_by updated_at updated_by archived_at owner_id owner_email version state status
    agent_count team_count worker_token provisioning_workflow_id provisioned_at temporal_namespace_id error_message
    last_active_at active_workers idle_workers busy_workers association_count default_policy_id policy_type
    projects agents
"""
READ_ONLY_KEYS = frozenset(_READ_ONLY_WORDS.split())

# A value below these keys may be a misplaced secret, so it is never quoted.
_CONFIDENTIAL_KEYS = frozenset({"secrets", "env_vars", "config", "endpoints", "env", "headers", "args", "url"})


def format_key(path: Iterable[str | int]) -> str:
    """Return a path in quotes for a message; the root is `the file`."""
    segments: KeyPath = tuple(truncate(segment) for segment in to_bundle_path(tuple(map(str, path))))
    return f"'{escape_unprintable(format_path(segments))}'" if segments else "the file"


def truncate(text: str) -> str:
    """Return a text cut to a length fit for a message."""
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def describe_value(value: Any, path: Iterable[str | int]) -> str:
    """Return a value for a message: only short scalars are quoted, and nothing that may be a secret."""
    kind = json_type(value)
    if kind == "string" and not value:
        return "empty"
    if kind in ("object", "array", "null"):
        return _TYPES[kind]
    steps = tuple(map(str, path))
    if steps[:1] == ("people",) or (EXECUTION_ENVIRONMENT in steps and not _CONFIDENTIAL_KEYS.isdisjoint(steps)):
        return f"{_TYPES[kind]} that is not shown"
    return quote_value(value)


def quote_value(value: Any) -> str:
    """Return a scalar of a schema or of a file for a message, which must not be a secret."""
    if isinstance(value, str):
        return f"'{escape_unprintable(truncate(value))}'"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else truncate(str(value))


def json_type(value: Any) -> str:
    """Return the JSON type of a value."""
    for kind, types in (
        ("boolean", bool),
        ("string", str),
        ("object", dict),
        ("array", list),
        ("integer", int),
        ("number", float),
    ):
        if isinstance(value, types):
            return kind
    return "null"


def type_name(kind: str) -> str:
    """Return the noun for a JSON type."""
    return _TYPES[kind]


def join_alternatives(alternatives: list[str]) -> str:
    """Join alternatives by commas and `or`."""
    return " or ".join(filter(None, [", ".join(alternatives[:-1]), alternatives[-1]]))


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
