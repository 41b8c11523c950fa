"""Find the recipients of a new secrets file: its declared readers, else those that `.sops.yaml` names."""

from typing import NamedTuple

from envtree.frontend.link.creation_rules import read_creation_rules
from envtree.frontend.link.declared_readers import normalize_public_key, project_readers
from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics, RefusedError
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, SecretsPolicy
from envtree.model.sops_rule import CreationRule, SopsConfigDocument, find_governing_config
from envtree.model.source import Location
from envtree.model.workspace import Workspace
from envtree.secrets.sops.writer import RecipientKeys
from envtree.sources.sops_config import read_sops_configs
from envtree.sources.tree import Tree

_CODE = "ET640"


class NewFileRecipients(NamedTuple):
    """Public keys, and the names of their owners; of a key from `.sops.yaml` the key itself."""

    keys: RecipientKeys
    names: tuple[str, ...]


def find_recipients(workspace: Workspace, tree: Tree, path: str, location: Location) -> NewFileRecipients:
    """Return the keys for a new file; RefusedError if no reader is declared, or the policy does not allow one."""
    policy = workspace.organization.secrets_policy
    readers = project_readers(workspace, location.project)
    if readers:
        by_person = [(key.kind, spelling) for spelling, key in sorted(readers.declared.items())]
        names = tuple(sorted({key.person for key in readers.declared.values()}))
        return NewFileRecipients(_check_keys(by_person, path, policy), names)
    rule = _find_rule(tree, path)
    if rule is None or rule.is_broken:
        hint = "'envtree secrets init' declares you in organization.yaml; or write a .sops.yaml"
        raise RefusedError(_CODE, f"nobody is declared who may read '{path}'", hint)
    keys = [(key.kind, normalize_public_key(key.value)) for key in rule.keys]
    if len(rule.groups) > 1 or any(kind not in PERSONAL_KEY_KINDS for kind, _ in keys):
        hint = "encrypt its first version with sops itself; envtree changes it from then on"
        raise RefusedError(_CODE, f"the rule of .sops.yaml for '{path}' names key groups, or services", hint)
    return NewFileRecipients(_check_keys(keys, path, policy), tuple(value for _, value in keys))


def _check_keys(keys: list[tuple[str, str]], path: str, policy: SecretsPolicy) -> RecipientKeys:
    refused = sorted({kind for kind, _ in keys} - policy.key_types)
    if refused:
        hint = "give the person another key, or add its type to 'secrets.key_types' in organization.yaml"
        raise RefusedError("ET604", f"'{path}' would be encrypted for a key of type '{refused[0]}'", hint)
    if not keys:
        hint = "declare their keys in 'people' in organization.yaml"
        raise RefusedError(_CODE, f"none of those who may read '{path}' has a key", hint)
    return RecipientKeys.of(keys)


def _find_rule(tree: Tree, path: str) -> CreationRule | None:
    """Return the rule that sops would use for a file."""
    diags = Diagnostics()
    documents = ((parse(source, diags), root_prefix) for source, root_prefix in read_sops_configs(tree, [path], diags))
    configs = tuple(
        read_creation_rules(SopsConfigDocument(document, root_prefix), diags)
        for document, root_prefix in documents
        if document
    )
    config = find_governing_config(configs, path)
    return config.matching_rule(path) if config else None
