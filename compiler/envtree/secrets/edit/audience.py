"""Whom a new secrets file is encrypted for: its declared readers, else whom `.sops.yaml` names."""

from typing import NamedTuple

from envtree.frontend.link.creation_rules import read_rules
from envtree.frontend.link.readers import identity, readers_of
from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics, Refusal
from envtree.model.secrets_file import PERSONAL, SecretsPolicy
from envtree.model.sops_rule import CreationRule, RulesDocument, governing
from envtree.model.source import Location
from envtree.model.workspace import Workspace
from envtree.secrets.sops.writing import Keys
from envtree.sources.sops_config import rules_files
from envtree.sources.tree import Tree

_CODE = "ET640"


class Audience(NamedTuple):
    """Public keys, and what people call their owners."""

    keys: Keys
    names: tuple[str, ...]


def audience(workspace: Workspace, tree: Tree, path: str, location: Location) -> Audience:
    """The keys for a new file; a Refusal where nobody is declared, or somebody whom the policy does not allow."""
    policy = workspace.organization.secrets_policy
    found = readers_of(workspace, location.project)
    if found:
        by_person = [(key.kind, spelling) for spelling, key in sorted(found.declared.items())]
        names = tuple(sorted({key.person for key in found.declared.values()}))
        return Audience(_keys(by_person, path, policy), names)
    rule = _rule(tree, path)
    if rule is None or rule.broken:
        hint = "declare 'secret_readers' and the keys of these 'people' in organization.yaml, or write a .sops.yaml"
        raise Refusal(_CODE, f"nobody is declared who may read '{path}'", hint)
    keys = [(key.kind, identity(key.value)) for key in rule.keys]
    if len(rule.groups) > 1 or any(kind not in PERSONAL for kind, _ in keys):
        hint = "encrypt its first version with sops itself; envtree changes it from then on"
        raise Refusal(_CODE, f"the rule of .sops.yaml for '{path}' names key groups, or services", hint)
    return Audience(_keys(keys, path, policy), tuple(value for _, value in keys))


def _keys(found: list[tuple[str, str]], path: str, policy: SecretsPolicy) -> Keys:
    refused = sorted({kind for kind, _ in found} - policy.key_types)
    if refused:
        hint = "give the person another key, or add its type to 'secrets.key_types' in organization.yaml"
        raise Refusal("ET604", f"'{path}' would be encrypted for a key of type '{refused[0]}'", hint)
    if not found:
        hint = "declare their keys in 'people' in organization.yaml"
        raise Refusal(_CODE, f"none of those who may read '{path}' has a key", hint)
    return Keys.of(found)


def _rule(tree: Tree, path: str) -> CreationRule | None:
    """The rule that sops would use for a file."""
    diags = Diagnostics()
    read = ((parse(source, diags), inside) for source, inside in rules_files(tree, [path], diags))
    files = tuple(read_rules(RulesDocument(document, inside), diags) for document, inside in read if document)
    nearest = governing(files, path)
    return nearest.first(path) if nearest else None
