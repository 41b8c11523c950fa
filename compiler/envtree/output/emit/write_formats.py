"""Write the files of a bundle beside `bundle.json`, and find the values that do not fit their formats."""

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
    find_reserved,
    find_size_problems,
    find_unwritable,
)
from envtree.output.emit.formats import DIALECTS
from envtree.output.emit.secret_mode import bundle_data
from envtree.output.emit.template import CompiledTemplate, TemplateFileError, render_template, withheld_value

_FILE_NAMES = {format.name: format.files for format in FORMATS}
_HIDDEN_REASONS = {"ref": "'--secrets ref' shows no secret", "seal": "'--secrets seal' shows no secret"}


class Writers(NamedTuple):
    """The files that a run writes beside `bundle.json`: the formats in order, and the compiled templates."""

    formats: tuple[str, ...]
    settings: OutputSettings = OutputSettings()
    templates: tuple[CompiledTemplate, ...] = ()


class Unchecked(NamedTuple):
    """A value or template that cannot be checked without a key or an input."""

    code: str
    path: KeyPath
    span: Span | None = None


class FormatResult(NamedTuple):
    """The files by name, the problems of those that are missing, and the values that could not be checked."""

    files: tuple[tuple[str, bytes], ...]
    problems: tuple[FormatProblem, ...]
    unchecked: tuple[Unchecked, ...]


_EMPTY_RESULT = FormatResult((), (), ())


def write_formats(
    bundle: Bundle, mode: SecretsMode | None, writers: Writers, data: Mapping[str, Any] | None = None
) -> FormatResult:
    """Return the files of a bundle and its format problems; without a mode, secrets are unknown and not checked.

    `data` is the bundle as the mode shows it, computed here if it is not passed.
    """
    if not (writers.formats or writers.templates or writers.settings.env_patterns):
        return _EMPTY_RESULT
    variables = collect_variables(bundle, writers.settings.env_patterns)
    if not writers.formats and not writers.templates:
        return FormatResult((), tuple(find_conflicts(variables)), ())
    if data is None:
        data = bundle_data(bundle, mode)
    env = prepare_writer_input(variables, mode, data, writers.settings.kubernetes)
    files, problems = _write_checked_formats(env, variables, writers.formats, mode)
    unchecked = list(_find_unchecked(env, variables, writers)) if mode is None else []
    templates = writers.templates if writers.templates and not env.unwritable_names else ()
    context = template_data(bundle, env, mode) if templates else {}
    for template in templates:
        try:
            files.append((template.file.name, render_template(template, context, has_withheld=bool(bundle.sensitive))))
        except TemplateFileError as error:
            span = Span(template.file.path, error.line, 1, error.line, 1)
            if error.is_withheld and mode is None:
                unchecked.append(Unchecked("ET810", (), span))
            else:
                problems.append(FormatProblem((), "ET810", error.message, error.hint, span=span))
    return FormatResult(tuple(files), tuple(problems), tuple(unchecked))


def _write_checked_formats(
    env: WriterInput, bundle_variables: BundleVariables, formats: tuple[str, ...], mode: SecretsMode | None
) -> tuple[list[tuple[str, bytes]], list[FormatProblem]]:
    """Return the files of the formats and the problems; no files if a variable does not fit one of them.

    A reserved name is a problem and written: the tree may allow it.
    """
    problems = [*find_conflicts(bundle_variables), *find_unwritable(env, bundle_variables, formats)]
    for format in formats if mode in _HIDDEN_REASONS else ():
        problems += find_omitted(env, bundle_variables, DIALECTS[format], format)
    if problems:
        return [], problems
    reserved = list(find_reserved(env, bundle_variables, formats))
    files: dict[str, bytes] = {}
    limits: list[SizeLimit] = []
    for format in formats:
        format_files = write_format(format, env)
        files |= format_files
        limits += DIALECTS[format].check_size(env, tuple(format_files.values()))
    limits += check_process_limits(env, formats)
    return list(files.items()), [*reserved, *find_size_problems(bundle_variables, limits)]


def write_format(format: str, env: WriterInput) -> dict[str, bytes]:
    """Return the files of a format by name."""
    return dict(zip(_FILE_NAMES[format], (write(env) for write in DIALECTS[format].file_writers), strict=True))


def _find_unchecked(env: WriterInput, bundle_variables: BundleVariables, writers: Writers) -> Iterator[Unchecked]:
    """Yield the variables that a format might refuse if their values were known."""
    if any(DIALECTS[format].rejection_reason for format in writers.formats):
        yield from (
            Unchecked("ET803", bundle_variables.path_of(name)) for name in (*env.references, *env.unknown_names)
        )


def template_data(bundle: Bundle, env: WriterInput, mode: SecretsMode | None) -> dict[str, Any]:
    """Return the data for templates: the bundle, with the same environment variables as in all other formats."""
    withheld = {
        name: withheld_value(_hidden_reason(f"env_vars.{name}", mode)) for name in (*env.references, *env.unknown_names)
    }
    sections = {key: _template_value(value, (key,), mode) for key, value in bundle.data.items()}
    return sections | {"env_vars": dict(sorted({**env.texts, **withheld}.items()))}


def _template_value(value: Any, path: KeyPath, mode: SecretsMode | None) -> Any:
    """Return a value of the bundle with sorted maps; reading a value that is not shown raises an error."""
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
