"""When a job runs: five cron fields in their ranges, and a time zone that exists."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.validate.wording import quoted
from envtree.model.diagnostic import Diagnostic
from envtree.model.nodes import Document, Scalar
from envtree.model.source import Kind

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEKS = range(1, 6)


class _Field(NamedTuple):
    """One of the five fields; `names` may stand for the first numbers, `extras` for whatever they say."""

    noun: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    extras: str = r"(?!)"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, extras=r"\?|L"),
    _Field("month", 1, 12, _MONTHS),
    # 0 and 7 are Sunday; `L5` is the last Friday.
    _Field("day of the week", 0, 7, _DAYS, extras=r"\?|L[0-7]"),
)


def check_schedule(document: Document) -> Iterator[Diagnostic]:
    """What is wrong with a job's `cron_schedule` and `cron_timezone`, where their form is right."""
    if document.location.kind is not Kind.JOB:
        return
    schedule = document.root.entries.get("cron_schedule")
    if isinstance(schedule, Scalar) and isinstance(schedule.value, str):
        parts = schedule.value.split()
        # Another number of fields is the schema's matter.
        if len(parts) == len(_FIELDS):
            for part, one in zip(parts, _FIELDS, strict=True):
                yield from _wrong_field(document, schedule, part, one)
    zone = document.root.entries.get("cron_timezone")
    if isinstance(zone, Scalar) and isinstance(zone.value, str):
        yield from _wrong_zone(document, zone, zone.value)


def _wrong_field(document: Document, node: Scalar, part: str, one: _Field) -> Iterator[Diagnostic]:
    wrong = next((term for term in part.split(",") if not _fits(term.upper(), one)), None)
    if wrong is not None:
        expected = f"'*' or {one.least} to {one.most}"
        if one.names:
            expected += f", or {one.names[0]} to {one.names[-1]}"
        message = f"'cron_schedule' has {quoted(wrong)} as its {one.noun}, expected {expected}"
        hint = "write several as '1,2', a range as '1-5', the lower end first, and a step as '*/2'"
        yield Diagnostic(document.span(node), "ET205", message, hint, key="cron_schedule")


def _fits(term: str, one: _Field) -> bool:
    """Whether a term is `*`, a number or a range, each with a step or without, or an extra of its field."""
    if re.fullmatch(one.extras, term):
        return True
    if one.names is _DAYS and "#" in term:
        day, _, week = term.partition("#")
        return _number(day, one) is not None and week.isdecimal() and int(week) in _WEEKS
    base, slash, step = term.partition("/")
    if slash and not (step.isdecimal() and len(step) <= 2 and 1 <= int(step) <= one.most - one.least + 1):
        return False
    if base == "*":
        return True
    first, dash, last = base.partition("-")
    low, high = _number(first, one), _number(last if dash else first, one)
    return low is not None and high is not None and low <= high


def _number(text: str, one: _Field) -> int | None:
    """The number that a text stands for in a field, or None."""
    if text in one.names:
        return one.names.index(text) + one.least
    number = int(text) if text.isdecimal() and len(text) <= 2 else -1
    return number if one.least <= number <= one.most else None


def _wrong_zone(document: Document, node: Scalar, zone: str) -> Iterator[Diagnostic]:
    known = _zones()
    # Without a database of zones on this machine nobody can tell.
    if known and zone not in known:
        message = f"'cron_timezone' is {quoted(zone)}, which is no time zone"
        hint = did_you_mean(zone, known)
        # Of an abbreviation, the nearest is that of another part of the world.
        if not hint.startswith("did") or "/" not in zone:
            hint = "write its IANA name, such as 'Europe/Berlin'"
        yield Diagnostic(document.span(node), "ET204", message, hint, key="cron_timezone")


@cache
def _zones() -> frozenset[str]:
    # It takes 8 ms to import, and few files name a zone.
    from zoneinfo import available_timezones  # noqa: PLC0415

    return frozenset(available_timezones())
