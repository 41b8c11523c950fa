"""The files of a bundle beside `bundle.json`, and what of it does not fit them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.model.artifact import SecretsMode
from envtree.model.formats import FORMATS
from envtree.model.keypath import KeyPath, format_path
from envtree.model.output_settings import OutputSettings
from envtree.model.resolved import Bundle, HiddenValue
from envtree.model.span import Span
from envtree.output.emit.bundle_variables import BundleVariables, collect_variables, prepare_writer_input
from envtree.output.emit.dialect import SizeLimit, WriterInput
from envtree.output.emit.format_problems import (
    FormatProblem,
    check_process_limits,
    find_conflicts,
    find_omitted,
    find_size_problems,
    find_unwritable,
)
from envtree.output.emit.formats import DIALECTS
from envtree.output.emit.secret_mode import bundle_data
from envtree.output.emit.template import CompiledTemplate, TemplateFileError, render_template, withheld_value

_FILE_NAMES = {each.name: each.files for each in FORMATS}
_HIDDEN_REASONS = {"ref": "'--secrets ref' shows no secret", "seal": "'--secrets seal' shows no secret"}


class Writers(NamedTuple):
    """What a run writes beside `bundle.json`: the formats in their order, and the templates that have been read."""

    formats: tuple[str, ...]
    settings: OutputSettings = OutputSettings()
    templates: tuple[CompiledTemplate, ...] = ()


class Unchecked(NamedTuple):
    """What could not be looked at without a key or an input: a path of the bundle, or a template."""

    code: str
    path: KeyPath
    span: Span | None = None


class FormatResult(NamedTuple):
    """The files by name, those that fit; what does not fit; and what could not be looked at."""

    files: tuple[tuple[str, bytes], ...]
    problems: tuple[FormatProblem, ...]
    unchecked: tuple[Unchecked, ...]


_EMPTY_RESULT = FormatResult((), (), ())


def write_formats(
    bundle: Bundle, mode: SecretsMode | None, writers: Writers, data: Mapping[str, Any] | None = None
) -> FormatResult:
    """Write a bundle; without a mode its secrets are not known, and nothing is said about them.

    `data` is the bundle as the mode shows it, if that is at hand.
    """
    if not (writers.formats or writers.templates or writers.settings.env_patterns):
        return _EMPTY_RESULT
    found = collect_variables(bundle, writers.settings.env_patterns)
    if not writers.formats and not writers.templates:
        return FormatResult((), tuple(find_conflicts(found)), ())
    shown = bundle_data(bundle, mode) if data is None else data
    given = prepare_writer_input(found, mode, shown, writers.settings.kubernetes)
    files, unfit = _write_checked_formats(given, found, writers.formats, mode)
    unseen = list(_find_unchecked(given, found, writers)) if mode is None else []
    templates = writers.templates if writers.templates and not given.unwritable_names else ()
    read = template_data(bundle, given, mode) if templates else {}
    for one in templates:
        try:
            files.append((one.file.name, render_template(one, read, has_withheld=bool(bundle.sensitive))))
        except TemplateFileError as fault:
            span = Span(one.file.path, fault.line, 1, fault.line, 1)
            if fault.is_withheld and mode is None:
                unseen.append(Unchecked("ET810", (), span))
            else:
                unfit.append(FormatProblem((), "ET810", fault.message, fault.hint, span=span))
    return FormatResult(tuple(files), tuple(unfit), tuple(unseen))


def _write_checked_formats(
    env: WriterInput, bundle_variables: BundleVariables, formats: tuple[str, ...], mode: SecretsMode | None
) -> tuple[list[tuple[str, bytes]], list[FormatProblem]]:
    """The files of the formats, if all variables fit all of them, and what does not."""
    wrong = [*find_conflicts(bundle_variables), *find_unwritable(env, bundle_variables, formats)]
    for format in formats if mode in _HIDDEN_REASONS else ():
        wrong += find_omitted(env, bundle_variables, DIALECTS[format], format)
    if wrong:
        return [], wrong
    files: dict[str, bytes] = {}
    excess: list[SizeLimit] = []
    for format in formats:
        made = write_format(format, env)
        files |= made
        excess += DIALECTS[format].check_size(env, tuple(made.values()))
    return list(files.items()), list(
        find_size_problems(bundle_variables, [*excess, *check_process_limits(env, formats)])
    )


def write_format(format: str, env: WriterInput) -> dict[str, bytes]:
    """The files of a format by name."""
    return dict(zip(_FILE_NAMES[format], (write(env) for write in DIALECTS[format].file_writers), strict=True))


def _find_unchecked(env: WriterInput, bundle_variables: BundleVariables, writers: Writers) -> Iterator[Unchecked]:
    """The variables that a format might refuse if their values were known."""
    if any(DIALECTS[format].rejection_reason for format in writers.formats):
        yield from (
            Unchecked("ET803", bundle_variables.path_of(name)) for name in (*env.references, *env.unknown_names)
        )


def template_data(bundle: Bundle, env: WriterInput, mode: SecretsMode | None) -> dict[str, Any]:
    """What a template can read: the bundle, with the environment as all other formats have it."""
    left = {
        name: withheld_value(_hidden_reason(f"env_vars.{name}", mode)) for name in (*env.references, *env.unknown_names)
    }
    sections = {key: _template_value(value, (key,), mode) for key, value in bundle.data.items()}
    return sections | {"env_vars": dict(sorted({**env.texts, **left}.items()))}


def _template_value(value: Any, path: KeyPath, mode: SecretsMode | None) -> Any:
    """A value of the bundle, maps sorted; what is not shown can be passed over, but not read."""
    if isinstance(value, HiddenValue):
        return (
            value.reveal()
            if mode == "plain" and value.is_known
            else withheld_value(_hidden_reason(format_path(path), mode))
        )
    if isinstance(value, dict):
        return {key: _template_value(value[key], (*path, key), mode) for key in sorted(value)}
    if isinstance(value, list):
        return [_template_value(child, (*path, str(n)), mode) for n, child in enumerate(value)]
    return value


def _hidden_reason(path: str, mode: SecretsMode | None) -> str:
    return (
        f"'{path}' is a secret, and {_HIDDEN_REASONS[mode]}"
        if mode in _HIDDEN_REASONS
        else f"'{path}' is not known here"
    )
