"""Find the declared readers, with their keys, for whom the files of a project or of the organization are encrypted."""

import re
from typing import NamedTuple

import re2

from envtree.frontend.link.declared_readers import DeclaredReaders, PublicKey, project_readers
from envtree.model.diagnostic import RefusedError
from envtree.model.workspace import Workspace

_FILE_PATTERN = r"\.secrets\.(yaml|json|env)$"
# The text of any other key could change the meaning of the file that it is written into.
_KEY = re.compile(r"age1[0-9a-z]+|ssh-[a-z0-9]+ [A-Za-z0-9+/=]+|[0-9A-F]{40,64}")


class RuleReaders(NamedTuple):
    """The readers of the files that a pattern matches, with their age recipients and PGP fingerprints."""

    name: str
    pattern: str
    people: tuple[str, ...]
    age: tuple[str, ...]
    pgp: tuple[str, ...]


def find_rule_readers(workspace: Workspace, root_prefix: str) -> list[RuleReaders]:
    """Return the readers of each project that declares its own, then those of the organization.

    `root_prefix` is the path from the folder of the `.sops.yaml` to the root of the tree.
    """
    root = re2.escape(root_prefix)
    groups = [
        _rule_readers(
            f"project '{project.name}'",
            f"^{root}projects/{project.name}/.*{_FILE_PATTERN}",
            project_readers(workspace, project.name),
        )
        for project in workspace.projects
        if project.document and "secret_readers" in project.document.root.entries
    ]
    pattern = f"^{root}.*{_FILE_PATTERN}" if root_prefix else _FILE_PATTERN
    groups.append(_rule_readers("the organization", pattern, project_readers(workspace, "")))
    return [readers for readers in groups if readers]


def _rule_readers(name: str, pattern: str, declared: DeclaredReaders | None) -> RuleReaders | None:
    if declared is None:
        return None
    keys = sorted(declared.declared.items(), key=lambda item: (item[1].person, item[0]))
    if not keys:
        hint = "give one of its readers a key under 'people': what nobody can read cannot be encrypted"
        raise RefusedError(
            "ET808", f"{name} has no reader with a key, so there is no rule to write for its files", hint
        )
    return RuleReaders(
        name,
        pattern,
        tuple(dict.fromkeys(key.person for _, key in keys)),
        tuple(_check_key_form(spelling, key) for spelling, key in keys if key.kind != "pgp"),
        tuple(_check_key_form(spelling, key) for spelling, key in keys if key.kind == "pgp"),
    )


def _check_key_form(spelling: str, key: PublicKey) -> str:
    if not _KEY.fullmatch(spelling):
        raise RefusedError(
            "ET808", f"a key of '{key.person}' has not the form of a key", "correct it in organization.yaml"
        )
    return spelling
