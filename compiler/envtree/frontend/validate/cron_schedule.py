"""Check the schedules of jobs: five cron fields in their ranges, and a time zone that exists."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.validate.message_text import quote_value
from envtree.model.diagnostic import Diagnostic
from envtree.model.nodes import Document, ScalarNode
from envtree.model.source import Kind

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEKS = range(1, 6)


class _CronField(NamedTuple):
    """One of the five fields; `names` are aliases of the first numbers, `extra_pattern` matches other valid terms."""

    noun: str
    minimum: int
    maximum: int
    names: tuple[str, ...] = ()
    extra_pattern: str = r"(?!)"


_CRON_FIELDS = (
    _CronField("minute", 0, 59),
    _CronField("hour", 0, 23),
    _CronField("day of the month", 1, 31, extra_pattern=r"\?|L"),
    _CronField("month", 1, 12, _MONTHS),
    # 0 and 7 are Sunday; `L5` is the last Friday.
    _CronField("day of the week", 0, 7, _DAYS, extra_pattern=r"\?|L[0-7]"),
)


def check_schedule(document: Document) -> Iterator[Diagnostic]:
    """Report invalid terms and time zones of a job; malformed values are reported by the schema check."""
    if document.location.kind is not Kind.JOB:
        return
    schedule = document.root.entries.get("cron_schedule")
    if isinstance(schedule, ScalarNode) and isinstance(schedule.value, str):
        parts = schedule.value.split()
        # Another number of fields is reported by the schema check.
        if len(parts) == len(_CRON_FIELDS):
            for part, field in zip(parts, _CRON_FIELDS, strict=True):
                yield from _check_cron_field(document, schedule, part, field)
    zone = document.root.entries.get("cron_timezone")
    if isinstance(zone, ScalarNode) and isinstance(zone.value, str):
        yield from _check_time_zone(document, zone, zone.value)


def _check_cron_field(document: Document, node: ScalarNode, part: str, field: _CronField) -> Iterator[Diagnostic]:
    invalid_term = next((term for term in part.split(",") if not _is_valid_term(term.upper(), field)), None)
    if invalid_term is not None:
        expected = f"'*' or {field.minimum} to {field.maximum}"
        if field.names:
            expected += f", or {field.names[0]} to {field.names[-1]}"
        message = f"'cron_schedule' has {quote_value(invalid_term)} as its {field.noun}, expected {expected}"
        hint = "write several as '1,2', a range as '1-5', the lower end first, and a step as '*/2'"
        yield Diagnostic(document.span(node), "ET205", message, hint, key="cron_schedule")


def _is_valid_term(term: str, field: _CronField) -> bool:
    """Report whether a term is `*`, a number or a range, with or without a step, or an extra of its field."""
    if re.fullmatch(field.extra_pattern, term):
        return True
    if field.names is _DAYS and "#" in term:
        day, _, week = term.partition("#")
        return _parse_number(day, field) is not None and week.isdecimal() and int(week) in _WEEKS
    base, slash, step = term.partition("/")
    if slash and not (step.isdecimal() and len(step) <= 2 and 1 <= int(step) <= field.maximum - field.minimum + 1):
        return False
    if base == "*":
        return True
    first, dash, last = base.partition("-")
    low, high = _parse_number(first, field), _parse_number(last if dash else first, field)
    return low is not None and high is not None and low <= high


def _parse_number(text: str, field: _CronField) -> int | None:
    """Return the number that a text means in a field, or None."""
    if text in field.names:
        return field.names.index(text) + field.minimum
    number = int(text) if text.isdecimal() and len(text) <= 2 else -1
    return number if field.minimum <= number <= field.maximum else None


def _check_time_zone(document: Document, node: ScalarNode, zone: str) -> Iterator[Diagnostic]:
    zones = _time_zones()
    # Without a database of time zones on this machine, the zone cannot be checked.
    if zones and zone not in zones:
        message = f"'cron_timezone' is {quote_value(zone)}, which is no time zone"
        hint = did_you_mean(zone, zones)
        # The nearest name to an abbreviation is one from another part of the world.
        if not hint.startswith("did") or "/" not in zone:
            hint = "write its IANA name, such as 'Europe/Berlin'"
        yield Diagnostic(document.span(node), "ET204", message, hint, key="cron_timezone")


@cache
def _time_zones() -> frozenset[str]:
    # Importing zoneinfo takes 8 ms, and few files name a zone.
    from zoneinfo import available_timezones  # noqa: PLC0415

    return frozenset(available_timezones())
