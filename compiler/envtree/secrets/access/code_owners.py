"""Write CODEOWNERS: whom GitHub asks for a review, from the owners of the organization and of its projects."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.diagnostic import Refusal
from envtree.model.fields import field, mapping, text, texts
from envtree.model.nodes import Document
from envtree.model.sops_rule import CODE_OWNERS
from envtree.model.workspace import Workspace
from envtree.secrets.access.block import Parts, newline, split

# Where GitHub looks, in this order; the first file that is there is the only one.
PLACES = (f".github/{CODE_OWNERS}", CODE_OWNERS, f"docs/{CODE_OWNERS}")
# GitHub knows neither negation nor sets of characters there, and has no way to escape them.
_FIT = re.compile(r"[\w./ -]*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")


class Owners(NamedTuple):
    """The lines for CODEOWNERS, a later one over an earlier one, and the owners whom GitHub has no name of."""

    lines: tuple[str, ...]
    nameless: tuple[str, ...]


def owners(workspace: Workspace, inside: str, own: Iterable[str], guarded: Iterable[str]) -> Owners:
    """Who owns what: `inside` leads to the tree from the root of the repository.

    `own` is what lies at the root of the tree, and `guarded` are files of the repository that decide about access.
    """
    if not _FIT.fullmatch(inside):
        raise Refusal("ET808", f"CODEOWNERS has no way to write the path '{inside}'", "give the folders plain names")
    organization = workspace.organization.document
    people = _Handles(organization)
    base = f"/{inside}".replace(" ", "\\ ")
    everything = [base] if inside else [f"{base}{path}" for path in sorted(own)]
    lines = [*_lines((*everything, *(f"/{path}" for path in guarded)), people.of(organization))]
    for project in workspace.projects:
        if project.document and "owners" in project.document.root.entries:
            lines += _lines((f"{base}projects/{project.name}/",), people.of(project.document))
    return Owners(tuple(lines), tuple(sorted(people.nameless)))


def owners_text(content: str | None, path: str, lines: tuple[str, ...]) -> str | None:
    """The text of a CODEOWNERS with these lines, behind those of others: the last that matches counts."""
    parts = split(content, path) if content is not None else None
    if parts is None:
        if not lines:
            return content
        before = content or ""
        gap = "" if not before or before.endswith("\n") else newline(before)
        parts = Parts(before + gap, "", "")
    return parts.filled(list(lines))


class _Handles:
    """The people by what GitHub knows them by: an account, or else an address."""

    def __init__(self, organization: Document) -> None:
        self._people = mapping(field(organization, "people"))
        self.nameless: set[str] = set()

    def of(self, document: Document) -> list[str]:
        """The owners that a file declares."""
        return [handle for name in texts(field(document, "owners")) for handle in self._handle(str(name.value))]

    def _handle(self, name: str) -> Iterator[str]:
        person = mapping(self._people.entries.get(name)) if self._people else None
        account = text(person.entries.get("github")) if person else None
        address = text(person.entries.get("email")) if person else None
        if account:
            yield f"@{account}"
        elif address and _EMAIL.fullmatch(address):
            yield address
        else:
            self.nameless.add(name)


def _lines(patterns: Iterable[str], handles: list[str]) -> Iterator[str]:
    """A line without a name would say that nobody is asked, so there is none."""
    if handles:
        yield from (f"{pattern} {' '.join(dict.fromkeys(handles))}" for pattern in patterns)
