"""What of a bundle does not fit the formats that it is written in."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.keypath import KeyPath, format_path
from envtree.model.span import Span
from envtree.output.emit.dialect import Dialect, Excess, Variables
from envtree.output.emit.formats import DIALECTS
from envtree.output.emit.variables import Environment

# A process gets no longer variable (MAX_ARG_STRLEN, with its end), and not more of them (a quarter of the stack).
_VARIABLE = 128 * 1024 - 1
_ALL = 2 * 1024 * 1024
# What a variable takes beside its name, `=` and its text: its end, and a pointer.
_OVERHEAD = 9
_SUGGESTED = 3


class Unfit(NamedTuple):
    """One thing that does not fit: at a path of the bundle, empty for all of it, or in a template.

    `other` is a second place, and what to say of it.
    """

    path: KeyPath
    code: str
    message: str
    hint: str
    other: tuple[KeyPath, str] | None = None
    span: Span | None = None


def clashing(found: Environment) -> Iterator[Unfit]:
    """The variables that two places want."""
    for clash in found.clashes:
        taken = format_path(clash.taken)
        message = f"'{format_path(clash.path)}' becomes variable '{clash.name}', and so does '{taken}'"
        hint = "rename one of them, or change 'output.env' in organization.yaml"
        yield Unfit(clash.path, "ET811", message, hint, (clash.taken, "the other one"))


def refused(given: Variables, found: Environment, formats: Iterable[str]) -> Iterator[Unfit]:
    """The variables that no format can hold, and those that one of these cannot."""
    unwritable = given.unwritable
    for name in sorted(unwritable):
        message = f"'{name}' holds a character that no environment can carry"
        yield Unfit(found.place(name), "ET803", message, "encode the value, as base64 for one")
    picky = {format: refusal for format in formats if (refusal := DIALECTS[format].refusal)}
    for name, text in given.texts.items() if picky else ():
        reasons: dict[str, list[str]] = {}
        for format, refusal in picky.items():
            if why := refusal(name, text):
                reasons.setdefault(why, []).append(format)
        if reasons and name not in unwritable:
            told = "; ".join(f"in {_format(formats)}: {why}" for why, formats in reasons.items())
            yield Unfit(found.place(name), "ET803", f"'{name}' cannot be written {told}", _others(name, text))


def left_out(given: Variables, found: Environment, dialect: Dialect, format: str) -> Iterator[Unfit]:
    """The variables that a format must not leave out."""
    for name, why, hint in dialect.missing(given):
        yield Unfit(found.place(name), "ET803", f"'{name}' cannot be written in format '{format}': {why}", hint)


def excessive(found: Environment, excess: Iterable[Excess]) -> Iterator[Unfit]:
    """What is more than a reader takes, each thing once."""
    told: dict[tuple[str, bool], list[Excess]] = {}
    for each in dict.fromkeys(excess):
        told.setdefault((each.name, each.certain), []).append(each)
    for (name, certain), group in told.items():
        message = "; ".join(each.message for each in group)
        yield Unfit(found.place(name) if name else (), "ET809" if certain else "ET850", message, group[0].hint)


def for_process(given: Variables, formats: Iterable[str]) -> Iterator[Excess]:
    """What no process can be started with, if the readers of some formats start one."""
    # No character takes more than four bytes, and few bundles come close.
    if 4 * len(given.joined) + len("".join(given.texts)) < _VARIABLE // 2:
        return
    kinds = {format: DIALECTS[format].process for format in formats}
    certain = [format for format, process in kinds.items() if process]
    starting = certain or [format for format, process in kinds.items() if process is False]
    sizes = {name: len(name) + len(text.encode()) + 1 for name, text in given.texts.items()} if starting else {}
    for name, size in sizes.items():
        if size > _VARIABLE:
            message = f"'{name}' is too long for {_format(starting)}: with its name it has {size} bytes, "
            message += f"and Linux starts no process with more than {_VARIABLE}"
            yield Excess(bool(certain), message, "keep it in a file, and its path in the variable", name)
    if (total := sum(sizes.values()) + _OVERHEAD * len(sizes)) > _ALL:
        message = f"the variables are too long together for {_format(starting)}: they have {total} bytes, "
        message += f"and Linux as it is installed starts no process with more than {_ALL}"
        yield Excess(False, message, "keep what is large in files")


def _format(names: list[str]) -> str:
    return f"format{'s' if len(names) > 1 else ''} {_listed(names)}"


def _others(name: str, text: str) -> str:
    """Formats that can hold a variable."""
    able = [format for format, each in DIALECTS.items() if not (each.refusal and each.refusal(name, text))]
    return f"{_listed(able[:_SUGGESTED])} can hold it" if able else ""


def _listed(names: list[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} and {last}" if most else last
