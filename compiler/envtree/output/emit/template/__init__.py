"""Files that the organization describes itself: Jinja2 over a bundle, which reads nothing else and runs nothing."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.runtime import LoopContext

from envtree.compile.filters import FilterError, TooLargeError, describe_excess, to_text
from envtree.compile.sandbox import Sandbox
from envtree.model.output_settings import TemplateFile
from envtree.output.emit.formats import bash, compose
from envtree.output.emit.template.restrict import NotAllowedError, restrict

# Endings of files in which `<` and `&` begin something.
_MARKUP_SUFFIXES = (".html", ".htm", ".xhtml", ".xml", ".svg")
# What one rendering may do and make.
_MAX_ITERATIONS = 100_000
_MAX_LENGTH = 1024 * 1024
_MAX_INTEGER_BITS = 1024

# What Jinja2 calls a template that comes from no file, and how it begins to say that there is no 'else'.
_TEMPLATE_FILE = "<template>"
_NO_ELSE_PREFIX = "the inline if-expression"
_MISSING_PREFIX = "there is no"
_MISSING_HINT = "correct the name, set it in every bundle, or read it with … | default('')"
_LOOP_ATTRIBUTES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class TemplateFileError(Exception):
    """What is wrong with a template, at which of its lines; `withheld` if it reads what this run does not show."""

    def __init__(self, message: str, line: int, hint: str = "", *, is_withheld: bool = False) -> None:
        super().__init__(message)
        self.message, self.line, self.hint, self.is_withheld = message, line, hint, is_withheld


class _WithheldError(UndefinedError):
    """A value was read that is not shown."""


class _MissingValue(StrictUndefined):
    """What a template reads, and is not there."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{_MISSING_PREFIX} '{self._undefined_name}'"


class CompiledTemplate(NamedTuple):
    """A template that can be rendered."""

    file: TemplateFile
    template: Template


class _TemplateEnvironment(Sandbox):
    """Counts what a rendering does, and knows loops."""

    def __init__(self, name: str) -> None:
        markup = name.endswith(_MARKUP_SUFFIXES)
        super().__init__(
            autoescape=markup, finalize=_finalize, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        self.undefined = _MissingValue
        self.filters = {**self.filters, **_FILTERS, "_counted": self._count_iterations}
        self.iterations = 0

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key; of a loop, what is known about it."""
        if isinstance(obj, LoopContext) and attribute in _LOOP_ATTRIBUTES:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic whose results stay small, however often it is repeated."""
        result = super().call_binop(context, operator, left, right)
        if (isinstance(result, int) and result.bit_length() > _MAX_INTEGER_BITS) or describe_excess(result):
            raise TooLargeError
        return result

    def _count_iterations(self, value: Any) -> Any:
        """What a loop goes over: a list, or the keys of a map."""
        if isinstance(value, Undefined):
            iter(value)
        if not isinstance(value, list | dict):
            raise FilterError("a loop goes over a list or a map")
        self.iterations += len(value)
        if self.iterations > _MAX_ITERATIONS:
            raise FilterError(f"its loops take more than {_MAX_ITERATIONS} turns")
        return value


def compile_template(file: TemplateFile, source: str) -> CompiledTemplate:
    """Read a template; raises TemplateFault."""
    environment = _TemplateEnvironment(file.name)
    try:
        tree = restrict(environment.parse(source))
        assert isinstance(tree, nodes.Template)
        return CompiledTemplate(file, environment.from_string(tree))
    except NotAllowedError as wrong:
        raise TemplateFileError(wrong.message, wrong.line) from None
    except TemplateSyntaxError as wrong:
        raise TemplateFileError(
            f"the template is malformed: {(wrong.message or '').rstrip('.')}", wrong.lineno
        ) from None
    except (RecursionError, SyntaxError):
        raise TemplateFileError("the template is nested too deeply", 1) from None


def render_template(template: CompiledTemplate, data: Mapping[str, Any], *, has_withheld: bool) -> bytes:
    """The file that a template makes of the data of a bundle, in which some may be withheld; raises TemplateFault."""
    environment = template.template.environment
    assert isinstance(environment, _TemplateEnvironment)
    environment.iterations = 0
    pieces: list[str] = []
    length = 0
    try:
        for piece in template.template.generate(data):
            length += len(piece)
            if length > _MAX_LENGTH:
                raise FilterError(f"it makes more than {_MAX_LENGTH} characters")
            pieces.append(piece)
    except _RENDER_ERRORS as wrong:
        raise _to_template_error(wrong, _template_line(wrong.__traceback__), has_withheld=has_withheld) from None
    return "".join(pieces).encode()


def withheld_value(why: str) -> StrictUndefined:
    """What stands in the data for a value that is not shown."""
    return StrictUndefined(hint=why, exc=_WithheldError)


def _to_template_error(error: Exception, line: int, *, has_withheld: bool) -> TemplateFileError:
    why, hint, withheld = "its operands do not fit together", "", False
    if isinstance(error, UndefinedError) and str(error).startswith(_NO_ELSE_PREFIX):
        why = "a condition does not hold, and it has no 'else'"
    elif isinstance(error, UndefinedError | FilterError):
        why, withheld = str(error), isinstance(error, _WithheldError)
        hint = _MISSING_HINT if why.startswith(_MISSING_PREFIX) else ""
    elif isinstance(error, ZeroDivisionError):
        why = "it divides by zero"
    else:
        # Not said in the library's words: they quote values. What is withheld may stand in a map that is to be written.
        withheld = has_withheld
    return TemplateFileError(f"the template cannot be rendered: {why}", line, hint, is_withheld=withheld)


def _template_line(traceback: TracebackType | None) -> int:
    """The line of the template that a traceback ends in, which Jinja2 has put into it."""
    line = 1
    while traceback:
        if traceback.tb_frame.f_code.co_filename == _TEMPLATE_FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _finalize(value: Any) -> Any:
    """The text of a value, as in an expression that is embedded in a text."""
    return value if isinstance(value, str) else to_text(value)


def _require_map(value: Any) -> dict[str, Any]:
    if isinstance(value, Undefined):
        iter(value)
    if not isinstance(value, dict):
        raise FilterError("only a map has keys")
    return value


def _items(value: Any) -> list[list[Any]]:
    return [[key, inner] for key, inner in _require_map(value).items()]


def _dotenv(value: Any) -> str:
    return f'"{compose.escape(to_text(value))}"'


_FILTERS = {
    "items": _items,
    "keys": lambda value: list(_require_map(value)),
    "values": lambda value: list(_require_map(value).values()),
    "shell": lambda value: bash.quote(to_text(value)),
    "dotenv": _dotenv,
}
_RENDER_ERRORS = (TemplateError, FilterError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
