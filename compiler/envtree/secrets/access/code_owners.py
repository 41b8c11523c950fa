"""Write CODEOWNERS: whom GitHub asks for a review, from the owners of the organization and of its projects."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.diagnostic import RefusedError
from envtree.model.fields import as_mapping, get_field, get_text, get_text_scalars
from envtree.model.nodes import Document
from envtree.model.sops_rule import CODE_OWNERS_FILE
from envtree.model.workspace import Workspace
from envtree.secrets.access.generated_block import BlockParts, line_ending, split_at_block

# Where GitHub looks, in this order; the first file that is there is the only one.
CODE_OWNERS_PATHS = (f".github/{CODE_OWNERS_FILE}", CODE_OWNERS_FILE, f"docs/{CODE_OWNERS_FILE}")
# GitHub knows neither negation nor sets of characters there, and has no way to escape them.
_REPRESENTABLE_PATH = re.compile(r"[\w./ -]*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")


class CodeOwners(NamedTuple):
    """The lines for CODEOWNERS, a later one over an earlier one, and the owners whom GitHub has no name of."""

    lines: tuple[str, ...]
    owners_without_handle: tuple[str, ...]


def build_code_owners(
    workspace: Workspace, inside: str, top_level_paths: Iterable[str], guarded_files: Iterable[str]
) -> CodeOwners:
    """Who owns what: `inside` leads to the tree from the root of the repository.

    `own` is what lies at the root of the tree, and `guarded` are files of the repository that decide about access.
    """
    if not _REPRESENTABLE_PATH.fullmatch(inside):
        raise RefusedError(
            "ET808", f"CODEOWNERS has no way to write the path '{inside}'", "give the folders plain names"
        )
    organization = workspace.organization.document
    people = _GitHubHandles(organization)
    base = f"/{inside}".replace(" ", "\\ ")
    everything = [base] if inside else [f"{base}{path}" for path in sorted(top_level_paths)]
    lines = [*_owner_lines((*everything, *(f"/{path}" for path in guarded_files)), people.owner_handles(organization))]
    for project in workspace.projects:
        if project.document and "owners" in project.document.root.entries:
            lines += _owner_lines((f"{base}projects/{project.name}/",), people.owner_handles(project.document))
    return CodeOwners(tuple(lines), tuple(sorted(people.owners_without_handle)))


def render_code_owners(content: str | None, path: str, lines: tuple[str, ...]) -> str | None:
    """The text of a CODEOWNERS with these lines, behind those of others: the last that matches counts."""
    parts = split_at_block(content, path) if content is not None else None
    if parts is None:
        if not lines:
            return content
        before = content or ""
        gap = "" if not before or before.endswith("\n") else line_ending(before)
        parts = BlockParts(before + gap, "", "")
    return parts.render(list(lines))


class _GitHubHandles:
    """The people by what GitHub knows them by: an account, or else an address."""

    def __init__(self, organization: Document) -> None:
        self._people = as_mapping(get_field(organization, "people"))
        self.owners_without_handle: set[str] = set()

    def owner_handles(self, document: Document) -> list[str]:
        """The owners that a file declares."""
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
    """A line without a name would say that nobody is asked, so there is none."""
    if handles:
        yield from (f"{pattern} {' '.join(dict.fromkeys(handles))}" for pattern in patterns)
