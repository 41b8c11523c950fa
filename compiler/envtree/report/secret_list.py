"""The secrets of a tree as text: a heading for each file, and a row for each secret."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby

from envtree.diagnostics.summary import plural
from envtree.report.terminal_lines import BOLD, DIM, StyledLine, format_table, render_lines, short_location
from envtree.secrets.access.secret_list import ListedSecret

_DAYS_OF_MONTH, _DAYS_OF_YEAR = 30, 365


def render_secret_list(secrets: Sequence[ListedSecret], today: date, *, color: bool) -> str:
    """Return the list; secrets that no bundle reads are dimmed."""
    return render_lines(_list_lines(secrets, today), color=color)


def _list_lines(secrets: Sequence[ListedSecret], today: date) -> Iterator[StyledLine]:
    rows = iter(format_table([_secret_row(secret) for secret in secrets]) if secrets else ())
    for file, in_file in groupby(secrets, key=lambda secret: secret.file):
        listed = [*in_file]
        yield StyledLine(f"{file}, {_describe_age(listed[0].lastmodified, today)}", BOLD)
        for secret in listed:
            yield StyledLine(next(rows), "" if secret.bundles else DIM)


def _secret_row(secret: ListedSecret) -> tuple[str, ...]:
    return (f"  {secret.path}", secret.type, _describe_use(secret))


def _describe_use(secret: ListedSecret) -> str:
    if secret.injections:
        return ", ".join(f"{injection.name} by {short_location(injection.span)}" for injection in secret.injections)
    return "read by expressions only" if secret.bundles else "read by no bundle"


def _describe_age(lastmodified: str, today: date) -> str:
    """Return the age of a file in words."""
    try:
        days = (today - date.fromisoformat(lastmodified[:10])).days
    except ValueError:
        return "of unknown age"
    if days < 1:
        return "changed today"
    if days < 2 * _DAYS_OF_MONTH:
        return f"{plural(days, 'day')} old"
    months = plural(days // _DAYS_OF_MONTH, "month")
    return f"{months if days < 2 * _DAYS_OF_YEAR else plural(days // _DAYS_OF_YEAR, 'year')} old"
