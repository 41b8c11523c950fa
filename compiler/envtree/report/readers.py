"""Who can read what, for people: a table of people and files, then each person's secrets."""

from collections.abc import Iterator, Sequence

from envtree.report import plural
from envtree.report.gist import gist
from envtree.report.lines import BOLD, DIM, Line, painted_lines, table
from envtree.secrets.access.readers import Access, FileReaders, Person, Secret

_YES, _TOGETHER, _NO = "x", "(x)", ""
_STRANGER, _MISSING = "x!", "-!"


def readers_text(access: Access, *, color: bool, whole: bool) -> str:
    """Everybody's access; with `whole` every bundle has its name."""
    lines = [*_table(access)]
    for person in access.people:
        lines += [Line(""), *_person(person, whole)]
    return painted_lines(lines, color=color)


def _table(access: Access) -> Iterator[Line]:
    people = [person for person in access.people if person.files or person.known]
    if not access.files:
        yield Line("there are no secrets files")
        return
    head = ["file", *(_short(person.name) for person in people)]
    rows = [[file.path, *(_cell(file, person) for person in people)] for file in access.files]
    first, *rest = table([head, *rows])
    yield Line(first, BOLD)
    yield from map(Line, rest)
    marks = {cell for row in rows for cell in row[1:]}
    legend = {
        _TOGETHER: "only with another's key",
        _STRANGER: "can read, and is not declared",
        _MISSING: "is declared, and cannot read",
    }
    for mark, words in legend.items():
        if mark in marks:
            yield Line(f"{mark}  {words}", DIM)


def _cell(file: FileReaders, person: Person) -> str:
    if person.name in file.missing:
        return _MISSING
    if person.name in file.strangers:
        return _STRANGER
    if file.path in person.alone:
        return _YES
    return _TOGETHER if file.path in person.files else _NO


def _person(person: Person, whole: bool) -> Iterator[Line]:
    secrets = _by_secret(person)
    total = f"{plural(len(secrets), 'secret')} of {plural(len(person.bundles), 'bundle')}"
    stranger = "" if person.known else ", whom nobody knows,"
    yield Line(f"{person.name}{stranger} can read {total if secrets else 'no secret of a bundle'}", BOLD)
    rows = [(f"  {one.path}", one.file, "" if whole else gist(ids)) for one, ids in secrets.items()]
    for line, ids in zip(table(rows) if rows else (), secrets.values(), strict=True):
        yield Line(line)
        if whole:
            yield from (Line(f"    {id}", DIM) for id in ids)


def _by_secret(person: Person) -> dict[Secret, Sequence[str]]:
    found: dict[Secret, list[str]] = {}
    for id, secrets in person.bundles.items():
        for one in secrets:
            found.setdefault(one, []).append(id)
    return {one: found[one] for one in sorted(found)}


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:12]}…{name[-6:]}"
