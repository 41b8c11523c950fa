"""The files of a bundle beside `bundle.json`, and what of it does not fit them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.model.artifact import Mode
from envtree.model.formats import FORMATS
from envtree.model.keypath import KeyPath, format_path
from envtree.model.output_settings import OutputSettings
from envtree.model.resolved import Bundle, Hidden
from envtree.model.span import Span
from envtree.output.emit.dialect import Excess, Variables
from envtree.output.emit.formats import DIALECTS
from envtree.output.emit.shown import values
from envtree.output.emit.template import Compiled, TemplateFault, rendered, withheld
from envtree.output.emit.unfit import Unfit, clashing, excessive, for_process, left_out, refused
from envtree.output.emit.variables import Environment, environment, variables

_FILES = {each.name: each.files for each in FORMATS}
_NOT_SHOWN = {"ref": "'--secrets ref' shows no secret", "seal": "'--secrets seal' shows no secret"}


class Writers(NamedTuple):
    """What a run writes beside `bundle.json`: the formats in their order, and the templates that have been read."""

    formats: tuple[str, ...]
    settings: OutputSettings = OutputSettings()
    templates: tuple[Compiled, ...] = ()


class Unseen(NamedTuple):
    """What could not be looked at without a key or an input: a path of the bundle, or a template."""

    code: str
    path: KeyPath
    span: Span | None = None


class Written(NamedTuple):
    """The files by name, those that fit; what does not fit; and what could not be looked at."""

    files: tuple[tuple[str, bytes], ...]
    unfit: tuple[Unfit, ...]
    unseen: tuple[Unseen, ...]


_NOTHING = Written((), (), ())


def written(bundle: Bundle, mode: Mode | None, writers: Writers, data: Mapping[str, Any] | None = None) -> Written:
    """Write a bundle; without a mode its secrets are not known, and nothing is said about them.

    `data` is the bundle as the mode shows it, if that is at hand.
    """
    if not (writers.formats or writers.templates or writers.settings.env):
        return _NOTHING
    found = environment(bundle, writers.settings.env)
    if not writers.formats and not writers.templates:
        return Written((), tuple(clashing(found)), ())
    shown = values(bundle, mode) if data is None else data
    given = variables(found, mode, shown, writers.settings.kubernetes)
    files, unfit = _formatted(given, found, writers.formats, mode)
    unseen = list(_unseen(given, found, writers)) if mode is None else []
    templates = writers.templates if writers.templates and not given.unwritable else ()
    read = readable(bundle, given, mode) if templates else {}
    for one in templates:
        try:
            files.append((one.file.name, rendered(one, read, withholds=bool(bundle.sensitive))))
        except TemplateFault as fault:
            span = Span(one.file.path, fault.line, 1, fault.line, 1)
            if fault.withheld and mode is None:
                unseen.append(Unseen("ET810", (), span))
            else:
                unfit.append(Unfit((), "ET810", fault.message, fault.hint, span=span))
    return Written(tuple(files), tuple(unfit), tuple(unseen))


def _formatted(
    given: Variables, found: Environment, formats: tuple[str, ...], mode: Mode | None
) -> tuple[list[tuple[str, bytes]], list[Unfit]]:
    """The files of the formats, if all variables fit all of them, and what does not."""
    wrong = [*clashing(found), *refused(given, found, formats)]
    for format in formats if mode in _NOT_SHOWN else ():
        wrong += left_out(given, found, DIALECTS[format], format)
    if wrong:
        return [], wrong
    files: dict[str, bytes] = {}
    excess: list[Excess] = []
    for format in formats:
        made = files_of(format, given)
        files |= made
        excess += DIALECTS[format].excess(given, tuple(made.values()))
    return list(files.items()), list(excessive(found, [*excess, *for_process(given, formats)]))


def files_of(format: str, given: Variables) -> dict[str, bytes]:
    """The files of a format by name."""
    return dict(zip(_FILES[format], (write(given) for write in DIALECTS[format].write), strict=True))


def _unseen(given: Variables, found: Environment, writers: Writers) -> Iterator[Unseen]:
    """The variables that a format might refuse if their values were known."""
    if any(DIALECTS[format].refusal for format in writers.formats):
        yield from (Unseen("ET803", found.place(name)) for name in (*given.references, *given.unknown))


def readable(bundle: Bundle, given: Variables, mode: Mode | None) -> dict[str, Any]:
    """What a template can read: the bundle, with the environment as all other formats have it."""
    left = {name: withheld(_why(f"env_vars.{name}", mode)) for name in (*given.references, *given.unknown)}
    sections = {key: _open(value, (key,), mode) for key, value in bundle.data.items()}
    return sections | {"env_vars": dict(sorted({**given.texts, **left}.items()))}


def _open(value: Any, path: KeyPath, mode: Mode | None) -> Any:
    """A value of the bundle, maps sorted; what is not shown can be passed over, but not read."""
    if isinstance(value, Hidden):
        return value.reveal() if mode == "plain" and value.known else withheld(_why(format_path(path), mode))
    if isinstance(value, dict):
        return {key: _open(value[key], (*path, key), mode) for key in sorted(value)}
    if isinstance(value, list):
        return [_open(child, (*path, str(n)), mode) for n, child in enumerate(value)]
    return value


def _why(path: str, mode: Mode | None) -> str:
    return f"'{path}' is a secret, and {_NOT_SHOWN[mode]}" if mode in _NOT_SHOWN else f"'{path}' is not known here"
