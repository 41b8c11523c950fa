"""What of a bundle does not fit the formats that it is written in."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.keypath import KeyPath, format_path
from envtree.model.span import Span
from envtree.output.emit.bundle_variables import BundleVariables
from envtree.output.emit.dialect import Dialect, SizeLimit, WriterInput
from envtree.output.emit.formats import DIALECTS

# A process gets no longer variable (MAX_ARG_STRLEN, with its end), and not more of them (a quarter of the stack).
_MAX_VARIABLE_SIZE = 128 * 1024 - 1
_MAX_TOTAL_SIZE = 2 * 1024 * 1024
# What a variable takes beside its name, `=` and its text: its end, and a pointer.
_VARIABLE_OVERHEAD = 9
_MAX_SUGGESTIONS = 3


class FormatProblem(NamedTuple):
    """One thing that does not fit: at a path of the bundle, empty for all of it, or in a template.

    `other` is a second place, and what to say of it.
    """

    path: KeyPath
    code: str
    message: str
    hint: str
    related: tuple[KeyPath, str] | None = None
    span: Span | None = None


def find_conflicts(bundle_variables: BundleVariables) -> Iterator[FormatProblem]:
    """The variables that two places want."""
    for clash in bundle_variables.conflicts:
        taken = format_path(clash.first_path)
        message = f"'{format_path(clash.path)}' becomes variable '{clash.name}', and so does '{taken}'"
        hint = "rename one of them, or change 'output.env' in organization.yaml"
        yield FormatProblem(clash.path, "ET811", message, hint, (clash.first_path, "the other one"))


def find_unwritable(
    env: WriterInput, bundle_variables: BundleVariables, formats: Iterable[str]
) -> Iterator[FormatProblem]:
    """The variables that no format can hold, and those that one of these cannot."""
    unwritable = env.unwritable_names
    for name in sorted(unwritable):
        message = f"'{name}' holds a character that no environment can carry"
        yield FormatProblem(bundle_variables.path_of(name), "ET803", message, "encode the value, as base64 for one")
    picky = {format: refusal for format in formats if (refusal := DIALECTS[format].rejection_reason)}
    for name, text in env.texts.items() if picky else ():
        reasons: dict[str, list[str]] = {}
        for format, refusal in picky.items():
            if why := refusal(name, text):
                reasons.setdefault(why, []).append(format)
        if reasons and name not in unwritable:
            told = "; ".join(f"in {_format_phrase(formats)}: {why}" for why, formats in reasons.items())
            yield FormatProblem(
                bundle_variables.path_of(name),
                "ET803",
                f"'{name}' cannot be written {told}",
                _suggest_formats(name, text),
            )


def find_omitted(
    env: WriterInput, bundle_variables: BundleVariables, dialect: Dialect, format: str
) -> Iterator[FormatProblem]:
    """The variables that a format must not leave out."""
    for name, why, hint in dialect.find_omitted(env):
        yield FormatProblem(
            bundle_variables.path_of(name), "ET803", f"'{name}' cannot be written in format '{format}': {why}", hint
        )


def find_size_problems(bundle_variables: BundleVariables, limits: Iterable[SizeLimit]) -> Iterator[FormatProblem]:
    """What is more than a reader takes, each thing once."""
    told: dict[tuple[str, bool], list[SizeLimit]] = {}
    for each in dict.fromkeys(limits):
        told.setdefault((each.name, each.is_certain), []).append(each)
    for (name, certain), group in told.items():
        message = "; ".join(each.message for each in group)
        yield FormatProblem(
            bundle_variables.path_of(name) if name else (), "ET809" if certain else "ET850", message, group[0].hint
        )


def check_process_limits(env: WriterInput, formats: Iterable[str]) -> Iterator[SizeLimit]:
    """What no process can be started with, if the readers of some formats start one."""
    # No character takes more than four bytes, and few bundles come close.
    if 4 * len(env.joined_text) + len("".join(env.texts)) < _MAX_VARIABLE_SIZE // 2:
        return
    kinds = {format: DIALECTS[format].starts_process for format in formats}
    certain = [format for format, process in kinds.items() if process]
    starting = certain or [format for format, process in kinds.items() if process is False]
    sizes = {name: len(name) + len(text.encode()) + 1 for name, text in env.texts.items()} if starting else {}
    for name, size in sizes.items():
        if size > _MAX_VARIABLE_SIZE:
            message = f"'{name}' is too long for {_format_phrase(starting)}: with its name it has {size} bytes, "
            message += f"and Linux starts no process with more than {_MAX_VARIABLE_SIZE}"
            yield SizeLimit(bool(certain), message, "keep it in a file, and its path in the variable", name)
    if (total := sum(sizes.values()) + _VARIABLE_OVERHEAD * len(sizes)) > _MAX_TOTAL_SIZE:
        message = f"the variables are too long together for {_format_phrase(starting)}: they have {total} bytes, "
        message += f"and Linux as it is installed starts no process with more than {_MAX_TOTAL_SIZE}"
        yield SizeLimit(False, message, "keep what is large in files")


def _format_phrase(names: list[str]) -> str:
    return f"format{'s' if len(names) > 1 else ''} {_join_names(names)}"


def _suggest_formats(name: str, text: str) -> str:
    """Formats that can hold a variable."""
    able = [
        format for format, each in DIALECTS.items() if not (each.rejection_reason and each.rejection_reason(name, text))
    ]
    return f"{_join_names(able[:_MAX_SUGGESTIONS])} can hold it" if able else ""


def _join_names(names: list[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} and {last}" if most else last
