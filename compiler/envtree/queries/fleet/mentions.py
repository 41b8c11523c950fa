"""Find the files that mention an entity, and the entities that a policy is bound to."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envtree.frontend.link.entity_lookup import EntityLookup
from envtree.frontend.link.references import REFERENCE_FIELDS
from envtree.model.fields import as_mapping, get_field, get_text, get_text_scalars
from envtree.model.layers import Target
from envtree.model.nodes import Document, MappingNode, ScalarNode, SequenceNode
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.model.workspace import Workspace

# The kinds that may be mentioned, by their names in `REFERENCE_FIELDS`.
_MENTION_NAMES = {
    Kind.ENVIRONMENT: "environment",
    Kind.MIXIN: "mix-in",
    Kind.POLICY: "policy",
    Kind.SKILL: "skill",
    Kind.WORKER_QUEUE: "worker queue",
}

_MIXIN_USERS = (Kind.PROJECT, Kind.TEAM, Kind.AGENT, Kind.MIXIN)


class Mention(NamedTuple):
    """A place in a file that names an entity of another file."""

    document: Document
    span: Span


def find_mentions(kind: Kind, name: str, files: Iterable[Resource]) -> Iterator[Mention]:
    """Yield the places that name a skill, a policy, a worker queue, a mix-in or an environment of the root."""
    entity_name = _MENTION_NAMES.get(kind)
    for file in files:
        document = file.document
        fields = [
            path for path, target_name in REFERENCE_FIELDS.get(file.location.kind, ()) if target_name == entity_name
        ]
        if kind is Kind.ENVIRONMENT and file.location.kind is Kind.ENVIRONMENT:
            fields.append(("inherits",))
        if kind is Kind.MIXIN and file.location.kind in _MIXIN_USERS:
            fields.append(("uses",))
        for path in fields:
            for scalar in get_text_scalars(get_field(document, *path)):
                if scalar.value == name:
                    yield Mention(document, document.span(scalar))
        configured = as_mapping(get_field(document, "skill_configurations")) if kind is Kind.SKILL else None
        if configured and name in configured.entries:
            yield Mention(document, document.key_span(configured, name))


def resolve_bindings(policy: Document, workspace: Workspace) -> list[tuple[str, str]]:
    """Return the entities that a Rego policy is bound to, by kind and path or name; disabled bindings are left out."""
    entities = EntityLookup(workspace)
    bindings = []
    for kind, mention in _enabled_bindings(policy):
        if kind in ("agent", "team"):
            paths: list[str] = entities.find(str(mention.value), (kind,))
            bindings += [(kind, path) for path in paths[:1]]
        else:
            bindings.append((kind, str(mention.value)))
    return bindings


def is_bound(target: Target, bindings: Iterable[tuple[str, str]]) -> bool:
    """Report whether one of the bindings is to an entity of a bundle."""
    team = f"{target.project}/{target.team}" if target.team else ""
    names_by_kind: Mapping[str, str] = {"agent": target.agent_path, "team": team, "environment": target.environment}
    return any(names_by_kind.get(kind) == name for kind, name in bindings)


def _enabled_bindings(policy: Document) -> Iterator[tuple[str, ScalarNode]]:
    node = get_field(policy, "bindings")
    for item in node.items if isinstance(node, SequenceNode) else ():
        binding = item.entries if isinstance(item, MappingNode) else {}
        kind, mention, enabled = get_text(binding.get("entity_type")), binding.get("entity_id"), binding.get("enabled")
        if kind and isinstance(mention, ScalarNode) and not (enabled and enabled.value is False):
            yield kind, mention
