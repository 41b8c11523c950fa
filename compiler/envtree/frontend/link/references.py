"""Check references by name: skills, policies, queues, people, environments and entities that a file mentions."""

import re
from collections.abc import Iterable, Mapping

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.entity_lookup import UUID_PATTERN, EntityLookup, check_entities
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import as_mapping, get_field, get_text_scalars
from envtree.model.nodes import Document, ScalarNode
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.tree_layout import is_valid_name
from envtree.model.workspace import Workspace

_PERSON_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

# The fields of a kind that mention names, and the nouns for what they name.
REFERENCE_FIELDS: Mapping[Kind, tuple[tuple[tuple[str, ...], str], ...]] = {
    Kind.ORGANIZATION: ((("owners",), "person"), (("secret_readers",), "person")),
    Kind.ENVIRONMENT: ((("skill_ids",), "skill"), (("policy_ids",), "policy")),
    Kind.PROJECT: ((("policy_ids",), "policy"), (("owners",), "person"), (("secret_readers",), "person")),
    Kind.TEAM: ((("skill_ids",), "skill"),),
    Kind.AGENT: ((("skill_ids",), "skill"),),
    Kind.WORKER_QUEUE: ((("environment",), "environment"),),
    Kind.JOB: ((("environment_name",), "environment"), (("worker_queue_name",), "worker queue")),
}

# Where to declare the first of each.
_DECLARATION_PLACES: Mapping[str, str] = {
    "environment": "'environments/{}.yaml'",
    "person": "'{}' to 'people' in organization.yaml",
    "skill": "'skills/{}.yaml'",
    "worker queue": "'worker_queues/{}.yaml'",
}


def check_references(
    resources: Iterable[Resource],
    workspace: Workspace,
    entities: EntityLookup,
    diags: Diagnostics,
    *,
    people_known: bool,
) -> None:
    """Report every unknown name in the resources, with the nearest name that exists."""
    names = _declared_names(workspace, entities)
    for resource in resources:
        document = resource.document
        for path, noun in REFERENCE_FIELDS.get(resource.location.kind, ()):
            if people_known or noun != "person":
                _check_names(document, path, noun, names[noun], diags)
        check_entities(document, entities, names["environment"], diags)
        if resource.location.kind in (Kind.TEAM, Kind.AGENT):
            _check_skill_configurations(document, names["skill"], diags)
        variables = as_mapping(get_field(document, "variables"))
        for name in variables.entries if variables else ():
            _check_names(document, ("variables", name, "environments"), "environment", names["environment"], diags)


def _declared_names(workspace: Workspace, entities: EntityLookup) -> dict[str, frozenset[str]]:
    organization = workspace.organization.document
    rego = [
        name
        for name, document in workspace.other_documents[Kind.POLICY].items()
        if get_field(document, "schema") is None
    ]
    people = as_mapping(get_field(organization, "people"))
    return {
        "environment": frozenset(workspace.environments) | entities.environments,
        "skill": frozenset(workspace.other_documents[Kind.SKILL]),
        "policy": frozenset(rego),
        "worker queue": frozenset(workspace.other_documents[Kind.WORKER_QUEUE]),
        "person": frozenset(people.entries if people else ()),
    }


def _check_names(
    document: Document, path: tuple[str, ...], noun: str, declared: frozenset[str], diags: Diagnostics
) -> None:
    for mention in get_text_scalars(get_field(document, *path)):
        name = str(mention.value)
        # A malformed name is reported by the schema check.
        is_well_formed = _PERSON_PATTERN.fullmatch(name) if noun == "person" else is_valid_name(name)
        if is_well_formed and name not in declared and not UUID_PATTERN.fullmatch(name):
            _report_unknown_name(document, mention, ".".join(path), noun, declared, diags)


def _report_unknown_name(
    document: Document, mention: ScalarNode, key: str, noun: str, declared: frozenset[str], diags: Diagnostics
) -> None:
    message, hint = f"'{mention.value}' names no {noun} of this tree", did_you_mean(str(mention.value), declared)
    if noun == "policy":
        message = f"'{mention.value}' names no policy with 'policy_content' of this tree"
        hint = hint or "one with a 'schema' says by its 'selector' where it applies"
    hint = hint or f"there is none yet: add {_DECLARATION_PLACES[noun].format(mention.value)}"
    diags.add(Diagnostic(document.span(mention), "ET301", message, hint, key=key))


def _check_skill_configurations(document: Document, existing: frozenset[str], diags: Diagnostics) -> None:
    """Report configurations of skills that are unknown, or that the same file does not list.

    The configuration of a skill that is not listed beside it is never read, not even if the skill is inherited.
    """
    declared = as_mapping(get_field(document, "skill_configurations"))
    skill_ids = get_field(document, "skill_ids")
    listed = {str(skill.value) for skill in get_text_scalars(skill_ids)}
    for name in declared.entries if declared else ():
        code, message, hint = "", "", ""
        related: tuple[RelatedSpan, ...] = ()
        if is_valid_name(name) and name not in existing and not UUID_PATTERN.fullmatch(name):
            code, message, hint = "ET301", f"'{name}' names no skill of this tree", did_you_mean(name, existing)
        elif name not in listed and (name in existing or UUID_PATTERN.fullmatch(name)):
            code, message = "ET352", f"skill '{name}' is configured here, but not in 'skill_ids' of this file"
            hint = "add it to 'skill_ids': the control plane reads this only for the skills listed beside it"
            related = (RelatedSpan(document.span(skill_ids), "the skills listed here"),) if skill_ids else ()
        if declared and code:
            span = document.key_span(declared, name)
            diags.add(Diagnostic(span, code, message, hint, related=related, key="skill_configurations"))
