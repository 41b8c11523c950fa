"""The readers of secrets, for people: a table of people and files, then the secrets of each person."""

from collections.abc import Iterator, Sequence

from envtree.diagnostics.summary import plural
from envtree.report.bundle_summary import summarize_bundles
from envtree.report.terminal_lines import BOLD, DIM, StyledLine, format_table, render_lines
from envtree.secrets.access.access_report import AccessReport, FileReaders, PersonAccess, SecretRef

_CAN_READ, _NEEDS_OTHERS, _CANNOT_READ = "x", "(x)", ""
_UNDECLARED_READER, _MISSING_READER = "x!", "-!"


def render_readers(access: AccessReport, *, color: bool, verbose: bool) -> str:
    """Return the access of every person; with `verbose` every bundle is named."""
    lines = [*_table_lines(access)]
    for person in access.people:
        lines += [StyledLine(""), *_person_lines(person, verbose)]
    return render_lines(lines, color=color)


def _table_lines(access: AccessReport) -> Iterator[StyledLine]:
    people = [person for person in access.people if person.files or person.is_declared]
    if not access.files:
        yield StyledLine("there are no secrets files")
        return
    header = ["file", *(_shorten_name(person.name) for person in people)]
    rows = [[file.path, *(_access_mark(file, person) for person in people)] for file in access.files]
    first, *rest = format_table([header, *rows])
    yield StyledLine(first, BOLD)
    yield from map(StyledLine, rest)
    marks = {cell for row in rows for cell in row[1:]}
    legend = {
        _NEEDS_OTHERS: "only with another's key",
        _UNDECLARED_READER: "can read, and is not declared",
        _MISSING_READER: "is declared, and cannot read",
    }
    for mark, label in legend.items():
        if mark in marks:
            yield StyledLine(f"{mark}  {label}", DIM)


def _access_mark(file: FileReaders, person: PersonAccess) -> str:
    if person.name in file.missing:
        return _MISSING_READER
    if person.name in file.undeclared:
        return _UNDECLARED_READER
    if file.path in person.openable_alone:
        return _CAN_READ
    return _NEEDS_OTHERS if file.path in person.files else _CANNOT_READ


def _person_lines(person: PersonAccess, verbose: bool) -> Iterator[StyledLine]:
    secrets = _bundles_by_secret(person)
    total = f"{plural(len(secrets), 'secret')} of {plural(len(person.bundles), 'bundle')}"
    undeclared_note = "" if person.is_declared else ", whom nobody knows,"
    yield StyledLine(f"{person.name}{undeclared_note} can read {total if secrets else 'no secret of a bundle'}", BOLD)
    rows = [
        (f"  {secret.path}", secret.file, "" if verbose else summarize_bundles(ids)) for secret, ids in secrets.items()
    ]
    for line, ids in zip(format_table(rows) if rows else (), secrets.values(), strict=True):
        yield StyledLine(line)
        if verbose:
            yield from (StyledLine(f"    {id}", DIM) for id in ids)


def _bundles_by_secret(person: PersonAccess) -> dict[SecretRef, Sequence[str]]:
    bundles: dict[SecretRef, list[str]] = {}
    for id, secrets in person.bundles.items():
        for secret in secrets:
            bundles.setdefault(secret, []).append(id)
    return {secret: bundles[secret] for secret in sorted(bundles)}


def _shorten_name(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:12]}…{name[-6:]}"
