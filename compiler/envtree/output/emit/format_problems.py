"""Find the values of a bundle that do not fit its output formats."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.keypath import KeyPath, format_path
from envtree.model.span import Span
from envtree.output.emit.bundle_variables import BundleVariables
from envtree.output.emit.dialect import Dialect, SizeLimit, WriterInput
from envtree.output.emit.formats import DIALECTS
from envtree.output.emit.shell_names import is_acted_on

# Limits of a Linux process: one variable (MAX_ARG_STRLEN, with its end), and all of them (a quarter of the stack).
_MAX_VARIABLE_SIZE = 128 * 1024 - 1
_MAX_TOTAL_SIZE = 2 * 1024 * 1024
# Bytes per variable beside its name, `=` and its text: the terminator and a pointer.
_VARIABLE_OVERHEAD = 9
_MAX_SUGGESTIONS = 3


class FormatProblem(NamedTuple):
    """One problem: at a path of the bundle (empty for the whole bundle), or at a span of a template.

    `related` is a second path, and the message for it. A `reserved_name` is a name that the tree may allow.
    """

    path: KeyPath
    code: str
    message: str
    hint: str
    related: tuple[KeyPath, str] | None = None
    span: Span | None = None
    reserved_name: str = ""


def find_conflicts(bundle_variables: BundleVariables) -> Iterator[FormatProblem]:
    """Report the variables that two values claim."""
    for conflict in bundle_variables.conflicts:
        taken = format_path(conflict.first_path)
        message = f"'{format_path(conflict.path)}' becomes variable '{conflict.name}', and so does '{taken}'"
        hint = "rename one of them, or change 'output.env' in organization.yaml"
        yield FormatProblem(conflict.path, "ET811", message, hint, (conflict.first_path, "the other one"))


def find_unwritable(
    env: WriterInput, bundle_variables: BundleVariables, formats: Iterable[str]
) -> Iterator[FormatProblem]:
    """Report the variables that no format can represent, and those that one of these formats cannot."""
    unwritable = env.unwritable_names
    for name in sorted(unwritable):
        message = f"'{name}' holds a character that no environment can carry"
        yield FormatProblem(bundle_variables.path_of(name), "ET803", message, "encode the value, as base64 for one")
    checks = {format: check for format in formats if (check := DIALECTS[format].rejection_reason)}
    for name, text in env.texts.items() if checks else ():
        reasons: dict[str, list[str]] = {}
        for format, check in checks.items():
            if reason := check(name, text):
                reasons.setdefault(reason, []).append(format)
        if reasons and name not in unwritable:
            why = "; ".join(f"in {_format_phrase(formats)}: {reason}" for reason, formats in reasons.items())
            yield FormatProblem(
                bundle_variables.path_of(name),
                "ET803",
                f"'{name}' cannot be written {why}",
                _suggest_formats(name, text),
            )


def find_reserved(
    env: WriterInput, bundle_variables: BundleVariables, formats: Iterable[str]
) -> Iterator[FormatProblem]:
    """Report the variables on which a shell acts, if a shell reads one of the formats."""
    shell_formats = [format for format in formats if DIALECTS[format].is_read_by_shell]
    for name in (*env.texts, *env.references, *env.unknown_names) if shell_formats else ():
        if is_acted_on(name):
            message = f"'{name}' cannot be written in {_format_phrase(shell_formats)}: a shell itself acts on this name"
            hint = "use another name, or allow ET751 where it is set"
            yield FormatProblem(bundle_variables.path_of(name), "ET803", message, hint, reserved_name=name)


def find_omitted(
    env: WriterInput, bundle_variables: BundleVariables, dialect: Dialect, format: str
) -> Iterator[FormatProblem]:
    """Report the variables that a format leaves out and must not."""
    for name, reason, hint in dialect.find_omitted(env):
        yield FormatProblem(
            bundle_variables.path_of(name), "ET803", f"'{name}' cannot be written in format '{format}': {reason}", hint
        )


def find_size_problems(bundle_variables: BundleVariables, limits: Iterable[SizeLimit]) -> Iterator[FormatProblem]:
    """Report the sizes that a reader refuses, once per variable."""
    groups: dict[tuple[str, bool], list[SizeLimit]] = {}
    for limit in dict.fromkeys(limits):
        groups.setdefault((limit.name, limit.is_certain), []).append(limit)
    for (name, certain), group in groups.items():
        message = "; ".join(limit.message for limit in group)
        yield FormatProblem(
            bundle_variables.path_of(name) if name else (), "ET809" if certain else "ET850", message, group[0].hint
        )


def check_process_limits(env: WriterInput, formats: Iterable[str]) -> Iterator[SizeLimit]:
    """Yield the limits of a process that the variables exceed, if the readers of some formats start one."""
    # Cheap upper bound: a character has at most four bytes, and few bundles come close.
    if 4 * len(env.joined_text) + len("".join(env.texts)) < _MAX_VARIABLE_SIZE // 2:
        return
    starts_process = {format: DIALECTS[format].starts_process for format in formats}
    certain = [format for format, starts in starts_process.items() if starts]
    starting = certain or [format for format, starts in starts_process.items() if starts is False]
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
    """Return a hint that names formats that can represent a variable."""
    suitable = [
        format
        for format, dialect in DIALECTS.items()
        if not (dialect.rejection_reason and dialect.rejection_reason(name, text))
    ]
    return f"{_join_names(suitable[:_MAX_SUGGESTIONS])} can hold it" if suitable else ""


def _join_names(names: list[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} and {last}" if most else last
