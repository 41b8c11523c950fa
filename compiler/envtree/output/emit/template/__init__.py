"""Files that the organization describes itself: Jinja2 over a bundle, which reads nothing else and runs nothing."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.runtime import LoopContext

from envtree.compile.filters import Misfit, TooLarge, excess, to_text
from envtree.compile.sandbox import Sandbox
from envtree.model.output_settings import TemplateFile
from envtree.output.emit.formats import bash, compose
from envtree.output.emit.template.grammar import NotAllowed, restricted

# Endings of files in which `<` and `&` begin something.
_MARKUP = (".html", ".htm", ".xhtml", ".xml", ".svg")
# What one rendering may do and make.
_TURNS = 100_000
_LENGTH = 1024 * 1024
_BITS = 1024

# What Jinja2 calls a template that comes from no file, and how it begins to say that there is no 'else'.
_FILE = "<template>"
_NO_ELSE = "the inline if-expression"
_ABSENT = "there is no"
_UNSET = "correct the name, set it in every bundle, or read it with … | default('')"
_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class TemplateFault(Exception):
    """What is wrong with a template, at which of its lines; `withheld` if it reads what this run does not show."""

    def __init__(self, message: str, line: int, hint: str = "", *, withheld: bool = False) -> None:
        super().__init__(message)
        self.message, self.line, self.hint, self.withheld = message, line, hint, withheld


class _WithheldError(UndefinedError):
    """A value was read that is not shown."""


class _Missing(StrictUndefined):
    """What a template reads, and is not there."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{_ABSENT} '{self._undefined_name}'"


class Compiled(NamedTuple):
    """A template that can be rendered."""

    file: TemplateFile
    template: Template


class _Environment(Sandbox):
    """Counts what a rendering does, and knows loops."""

    def __init__(self, name: str) -> None:
        markup = name.endswith(_MARKUP)
        super().__init__(
            autoescape=markup, finalize=_printed, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        self.undefined = _Missing
        self.filters = {**self.filters, **_FILTERS, "_counted": self._counted}
        self.turns = 0

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key; of a loop, what is known about it."""
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic whose results stay small, however often it is repeated."""
        result = super().call_binop(context, operator, left, right)
        if (isinstance(result, int) and result.bit_length() > _BITS) or excess(result):
            raise TooLarge
        return result

    def _counted(self, value: Any) -> Any:
        """What a loop goes over: a list, or the keys of a map."""
        if isinstance(value, Undefined):
            iter(value)
        if not isinstance(value, list | dict):
            raise Misfit("a loop goes over a list or a map")
        self.turns += len(value)
        if self.turns > _TURNS:
            raise Misfit(f"its loops take more than {_TURNS} turns")
        return value


def compiled(file: TemplateFile, source: str) -> Compiled:
    """Read a template; raises TemplateFault."""
    environment = _Environment(file.name)
    try:
        tree = restricted(environment.parse(source))
        assert isinstance(tree, nodes.Template)
        return Compiled(file, environment.from_string(tree))
    except NotAllowed as wrong:
        raise TemplateFault(wrong.message, wrong.line) from None
    except TemplateSyntaxError as wrong:
        raise TemplateFault(f"the template is malformed: {(wrong.message or '').rstrip('.')}", wrong.lineno) from None
    except (RecursionError, SyntaxError):
        raise TemplateFault("the template is nested too deeply", 1) from None


def rendered(one: Compiled, data: Mapping[str, Any], *, withholds: bool) -> bytes:
    """The file that a template makes of the data of a bundle, in which some may be withheld; raises TemplateFault."""
    environment = one.template.environment
    assert isinstance(environment, _Environment)
    environment.turns = 0
    pieces: list[str] = []
    length = 0
    try:
        for piece in one.template.generate(data):
            length += len(piece)
            if length > _LENGTH:
                raise Misfit(f"it makes more than {_LENGTH} characters")
            pieces.append(piece)
    except _FAULTS as wrong:
        raise _fault(wrong, _line(wrong.__traceback__), withholds=withholds) from None
    return "".join(pieces).encode()


def withheld(why: str) -> StrictUndefined:
    """What stands in the data for a value that is not shown."""
    return StrictUndefined(hint=why, exc=_WithheldError)


def _fault(wrong: Exception, line: int, *, withholds: bool) -> TemplateFault:
    why, hint, withheld = "its operands do not fit together", "", False
    if isinstance(wrong, UndefinedError) and str(wrong).startswith(_NO_ELSE):
        why = "a condition does not hold, and it has no 'else'"
    elif isinstance(wrong, UndefinedError | Misfit):
        why, withheld = str(wrong), isinstance(wrong, _WithheldError)
        hint = _UNSET if why.startswith(_ABSENT) else ""
    elif isinstance(wrong, ZeroDivisionError):
        why = "it divides by zero"
    else:
        # Not said in the library's words: they quote values. What is withheld may stand in a map that is to be written.
        withheld = withholds
    return TemplateFault(f"the template cannot be rendered: {why}", line, hint, withheld=withheld)


def _line(traceback: TracebackType | None) -> int:
    """The line of the template that a traceback ends in, which Jinja2 has put into it."""
    line = 1
    while traceback:
        if traceback.tb_frame.f_code.co_filename == _FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _printed(value: Any) -> Any:
    """The text of a value, as in an expression that is embedded in a text."""
    return value if isinstance(value, str) else to_text(value)


def _map(value: Any) -> dict[str, Any]:
    if isinstance(value, Undefined):
        iter(value)
    if not isinstance(value, dict):
        raise Misfit("only a map has keys")
    return value


def _items(value: Any) -> list[list[Any]]:
    return [[key, inner] for key, inner in _map(value).items()]


def _dotenv(value: Any) -> str:
    return f'"{compose.quoted(to_text(value))}"'


_FILTERS = {
    "items": _items,
    "keys": lambda value: list(_map(value)),
    "values": lambda value: list(_map(value).values()),
    "shell": lambda value: bash.quoted(to_text(value)),
    "dotenv": _dotenv,
}
_FAULTS = (TemplateError, Misfit, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
