"""Who mentions an entity, and what a policy is bound to."""

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

# What may be mentioned, by the word that the table of mentions has for it.
_MENTION_NAMES = {
    Kind.ENVIRONMENT: "environment",
    Kind.POLICY: "policy",
    Kind.SKILL: "skill",
    Kind.WORKER_QUEUE: "worker queue",
}


class Mention(NamedTuple):
    """A place in a file where something of another one is named."""

    document: Document
    span: Span


def find_mentions(kind: Kind, name: str, files: Iterable[Resource]) -> Iterator[Mention]:
    """Where a skill, a policy, a worker queue or an environment of the root is named by other files."""
    what = _MENTION_NAMES.get(kind)
    for file in files:
        document = file.document
        fields = [path for path, other in REFERENCE_FIELDS.get(file.location.kind, ()) if other == what]
        if kind is Kind.ENVIRONMENT and file.location.kind is Kind.ENVIRONMENT:
            fields.append(("inherits",))
        for path in fields:
            for scalar in get_text_scalars(get_field(document, *path)):
                if scalar.value == name:
                    yield Mention(document, document.span(scalar))
        configured = as_mapping(get_field(document, "skill_configurations")) if kind is Kind.SKILL else None
        if configured and name in configured.entries:
            yield Mention(document, document.key_span(configured, name))


def resolve_bindings(policy: Document, workspace: Workspace) -> list[tuple[str, str]]:
    """What a Rego policy is bound to: the kind, and the path or the name; one that is switched off binds nothing."""
    entities = EntityLookup(workspace)
    found = []
    for kind, mention in _enabled_bindings(policy):
        if kind in ("agent", "team"):
            paths: list[str] = entities.find(str(mention.value), (kind,))
            found += [(kind, path) for path in paths[:1]]
        else:
            found.append((kind, str(mention.value)))
    return found


def is_bound(target: Target, bindings: Iterable[tuple[str, str]]) -> bool:
    """Whether one of some bindings is to what a bundle is of."""
    team = f"{target.project}/{target.team}" if target.team else ""
    own: Mapping[str, str] = {"agent": target.agent_path, "team": team, "environment": target.environment}
    return any(own.get(kind) == name for kind, name in bindings)


def _enabled_bindings(policy: Document) -> Iterator[tuple[str, ScalarNode]]:
    node = get_field(policy, "bindings")
    for item in node.items if isinstance(node, SequenceNode) else ():
        binding = item.entries if isinstance(item, MappingNode) else {}
        kind, mention, enabled = get_text(binding.get("entity_type")), binding.get("entity_id"), binding.get("enabled")
        if kind and isinstance(mention, ScalarNode) and not (enabled and enabled.value is False):
            yield kind, mention
