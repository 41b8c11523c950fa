"""Generate CODEOWNERS, which decides whom GitHub asks for reviews, from the owners of organization and projects."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.diagnostic import RefusedError
from envtree.model.fields import as_mapping, get_field, get_text, get_text_scalars
from envtree.model.nodes import Document
from envtree.model.sops_rule import CODE_OWNERS_FILE
from envtree.model.workspace import Workspace
from envtree.secrets.access.generated_block import BlockParts, line_ending, split_at_block

# The paths where GitHub looks, in this order; only the first existing file counts.
CODE_OWNERS_PATHS = (f".github/{CODE_OWNERS_FILE}", CODE_OWNERS_FILE, f"docs/{CODE_OWNERS_FILE}")
# CODEOWNERS has neither negation nor character classes, and no way to escape their characters.
_REPRESENTABLE_PATH = re.compile(r"[\w./ -]*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")


class CodeOwners(NamedTuple):
    """The lines for CODEOWNERS, of which the last match counts, and the owners without account or email address."""

    lines: tuple[str, ...]
    owners_without_handle: tuple[str, ...]


def build_code_owners(
    workspace: Workspace, tree_prefix: str, top_level_paths: Iterable[str], guarded_files: Iterable[str]
) -> CodeOwners:
    """Build the lines for a tree whose prefix from the root of the repository is `tree_prefix`.

    `top_level_paths` are the entries at the root of the tree, and `guarded_files` those files of the repository outside
    the tree that decide about access.
    """
    if not _REPRESENTABLE_PATH.fullmatch(tree_prefix):
        raise RefusedError(
            "ET808", f"CODEOWNERS has no way to write the path '{tree_prefix}'", "give the folders plain names"
        )
    organization = workspace.organization.document
    handles = _GitHubHandles(organization)
    base = f"/{tree_prefix}".replace(" ", "\\ ")
    tree_patterns = [base] if tree_prefix else [f"{base}{path}" for path in sorted(top_level_paths)]
    lines = [
        *_owner_lines((*tree_patterns, *(f"/{path}" for path in guarded_files)), handles.owner_handles(organization))
    ]
    for project in workspace.projects:
        if project.document and "owners" in project.document.root.entries:
            lines += _owner_lines((f"{base}projects/{project.name}/",), handles.owner_handles(project.document))
    return CodeOwners(tuple(lines), tuple(sorted(handles.owners_without_handle)))


def render_code_owners(content: str | None, path: str, lines: tuple[str, ...]) -> str | None:
    """Return the text of a CODEOWNERS with these lines after all others, because the last match counts."""
    parts = split_at_block(content, path) if content is not None else None
    if parts is None:
        if not lines:
            return content
        before = content or ""
        gap = "" if not before or before.endswith("\n") else line_ending(before)
        parts = BlockParts(before + gap, "", "")
    return parts.render(list(lines))


class _GitHubHandles:
    """The names by which GitHub knows people: an account, or else an email address."""

    def __init__(self, organization: Document) -> None:
        self._people = as_mapping(get_field(organization, "people"))
        self.owners_without_handle: set[str] = set()

    def owner_handles(self, document: Document) -> list[str]:
        """Return the handles of the owners that a file declares."""
        return [
            handle
            for name in get_text_scalars(get_field(document, "owners"))
            for handle in self._handle(str(name.value))
        ]

    def _handle(self, name: str) -> Iterator[str]:
        person = as_mapping(self._people.entries.get(name)) if self._people else None
        account = get_text(person.entries.get("github")) if person else None
        address = get_text(person.entries.get("email")) if person else None
        if account:
            yield f"@{account}"
        elif address and _EMAIL.fullmatch(address):
            yield address
        else:
            self.owners_without_handle.add(name)


def _owner_lines(patterns: Iterable[str], handles: list[str]) -> Iterator[str]:
    """Yield a line for each pattern; none without handles, for such a line would request no review at all."""
    if handles:
        yield from (f"{pattern} {' '.join(dict.fromkeys(handles))}" for pattern in patterns)
