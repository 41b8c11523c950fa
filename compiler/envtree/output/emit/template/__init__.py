"""Render templates of the organization: sandboxed Jinja2 that reads nothing but a bundle and runs no code."""

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

# Suffixes of files in which `<` and `&` must be escaped.
_MARKUP_SUFFIXES = (".html", ".htm", ".xhtml", ".xml", ".svg")
# Limits of one rendering.
_MAX_ITERATIONS = 100_000
_MAX_LENGTH = 1024 * 1024
_MAX_INTEGER_BITS = 1024

# The name that Jinja2 gives to a template without a file, and the beginning of its message about a missing 'else'.
_TEMPLATE_FILE = "<template>"
_NO_ELSE_PREFIX = "the inline if-expression"
_MISSING_PREFIX = "there is no"
_MISSING_HINT = "correct the name, set it in every bundle, or read it with … | default('')"
_LOOP_ATTRIBUTES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class TemplateFileError(Exception):
    """An error at a line of a template; `is_withheld` if it is caused by a value that this run does not show."""

    def __init__(self, message: str, line: int, hint: str = "", *, is_withheld: bool = False) -> None:
        super().__init__(message)
        self.message, self.line, self.hint, self.is_withheld = message, line, hint, is_withheld


class _WithheldError(UndefinedError):
    """The template reads a value that is not shown."""


class _MissingValue(StrictUndefined):
    """A name that a template reads and that does not exist."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{_MISSING_PREFIX} '{self._undefined_name}'"


class CompiledTemplate(NamedTuple):
    """A template ready to be rendered."""

    file: TemplateFile
    template: Template


class _TemplateEnvironment(Sandbox):
    """The sandbox of one template, with loops whose iterations are counted."""

    def __init__(self, name: str) -> None:
        markup = name.endswith(_MARKUP_SUFFIXES)
        super().__init__(
            autoescape=markup, finalize=_finalize, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        self.undefined = _MissingValue
        self.filters = {**self.filters, **_FILTERS, "_counted": self._count_iterations}
        self.iterations = 0

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a key of a map, or an attribute of a loop."""
        if isinstance(obj, LoopContext) and attribute in _LOOP_ATTRIBUTES:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute arithmetic and limit the size of results, so that repetition cannot grow them."""
        result = super().call_binop(context, operator, left, right)
        if (isinstance(result, int) and result.bit_length() > _MAX_INTEGER_BITS) or describe_excess(result):
            raise TooLargeError
        return result

    def _count_iterations(self, value: Any) -> Any:
        """Return the value that a loop iterates over, a list or a map, and count its items."""
        if isinstance(value, Undefined):
            iter(value)
        if not isinstance(value, list | dict):
            raise FilterError("a loop goes over a list or a map")
        self.iterations += len(value)
        if self.iterations > _MAX_ITERATIONS:
            raise FilterError(f"its loops take more than {_MAX_ITERATIONS} turns")
        return value


def compile_template(file: TemplateFile, source: str) -> CompiledTemplate:
    """Compile a template; raise TemplateFileError if it has errors."""
    environment = _TemplateEnvironment(file.name)
    try:
        tree = restrict(environment.parse(source))
        assert isinstance(tree, nodes.Template)
        return CompiledTemplate(file, environment.from_string(tree))
    except NotAllowedError as error:
        raise TemplateFileError(error.message, error.line) from None
    except TemplateSyntaxError as error:
        raise TemplateFileError(
            f"the template is malformed: {(error.message or '').rstrip('.')}", error.lineno
        ) from None
    except (RecursionError, SyntaxError):
        raise TemplateFileError("the template is nested too deeply", 1) from None


def render_template(template: CompiledTemplate, data: Mapping[str, Any], *, has_withheld: bool) -> bytes:
    """Render a template with the data of a bundle, some of it withheld; raise TemplateFileError if it fails."""
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
    except _RENDER_ERRORS as error:
        raise _to_template_error(error, _template_line(error.__traceback__), has_withheld=has_withheld) from None
    return "".join(pieces).encode()


def withheld_value(reason: str) -> StrictUndefined:
    """Return the placeholder for a value that is not shown; reading it raises an error with the reason."""
    return StrictUndefined(hint=reason, exc=_WithheldError)


def _to_template_error(error: Exception, line: int, *, has_withheld: bool) -> TemplateFileError:
    reason, hint, withheld = "its operands do not fit together", "", False
    if isinstance(error, UndefinedError) and str(error).startswith(_NO_ELSE_PREFIX):
        reason = "a condition does not hold, and it has no 'else'"
    elif isinstance(error, UndefinedError | FilterError):
        reason, withheld = str(error), isinstance(error, _WithheldError)
        hint = _MISSING_HINT if reason.startswith(_MISSING_PREFIX) else ""
    elif isinstance(error, ZeroDivisionError):
        reason = "it divides by zero"
    else:
        # Do not use the library's message: it quotes values. The failing value may be a map with a withheld part.
        withheld = has_withheld
    return TemplateFileError(f"the template cannot be rendered: {reason}", line, hint, is_withheld=withheld)


def _template_line(traceback: TracebackType | None) -> int:
    """Return the template line at which a traceback ends; Jinja2 maps frames of a template to its lines."""
    line = 1
    while traceback:
        if traceback.tb_frame.f_code.co_filename == _TEMPLATE_FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _finalize(value: Any) -> Any:
    """Return the text of a value, as for an expression embedded in text."""
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
