"""Read `${{ … }}`: a text becomes pieces, and each expression the names it reads and a way to run it."""

import re
from functools import cached_property

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import TemplateExpression

from envtree.compile.resolve.expression_grammar import ExpressionError, ExpressionSource, check_expression, check_name
from envtree.compile.sandbox import Sandbox
from envtree.model.expression import Expression, Term, make_reference

MAX_SOURCE_LENGTH = 4096
# How many texts are kept for another project, which may have none of them.
_MAX_CACHED = 10_000

_PLAIN_NAME = re.compile(r"\s*([a-z_]+(?:\.[A-Za-z_][A-Za-z0-9_]*)+)\s*")
_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{|\}\}|\}""", re.DOTALL)


class ExpressionCompiler:
    """Compiles each distinct text once.

    What a bundle spells out is `spelt`: its expressions are longer than anybody writes, and known values stand in them.
    """

    def __init__(self, *, is_generated: bool = False) -> None:
        self._is_generated = is_generated
        self._cache: dict[str, Expression | ExpressionError] = {}

    @cached_property
    def _sandbox(self) -> Sandbox:
        """Most trees do without: a plain name does not need Jinja2."""
        return Sandbox(autoescape=False)

    def clear_if_large(self) -> None:
        """Forget everything, if there is much."""
        if len(self._cache) > _MAX_CACHED:
            self._cache.clear()

    def compile(self, text: str) -> Expression:
        """The pieces of a text; raises WrongExpression, with the offset of the fault in the text."""
        found = self._cache.get(text)
        if found is None:
            try:
                found = self._compile(text)
            except ExpressionError as wrong:
                found = wrong
            self._cache[text] = found
        if isinstance(found, ExpressionError):
            raise found
        return found

    def get_compiled(self, text: str) -> Expression | None:
        """The pieces of a text that has been compiled before and is well formed."""
        found = self._cache.get(text)
        return found if isinstance(found, Expression) else None

    def _compile(self, text: str) -> Expression:
        pieces: list[str | Term] = []
        for kind, piece, offset in split_expressions(text):
            pieces.append(piece if kind == "text" else self._compile_term(piece, offset))
        terms = [piece for piece in pieces if isinstance(piece, Term)]
        reads = tuple(read for term in terms for read in term.references)
        variables = tuple(read.variable for read in reads) if all(read.variable for read in reads) else ()
        secret = any(read.path[0] == "secrets" for read in reads)
        whole = len(pieces) == 1 and len(terms) == 1
        pattern = _format_pattern(pieces) if variables and not whole else ""
        return Expression(tuple(pieces), reads, whole, whole and terms[0].evaluate is None, secret, variables, pattern)

    def _compile_term(self, text: str, offset: int) -> Term:
        source = ExpressionSource(text, offset, self._is_generated)
        plain = _PLAIN_NAME.fullmatch(text)
        if plain:
            path = tuple(plain.group(1).split("."))
            check_name(path, source)
            return Term(text, source.offset_of(), (make_reference(path, source.offset_of()),), None, None)
        if len(text) > MAX_SOURCE_LENGTH and not self._is_generated:
            raise ExpressionError(
                "ET507", f"an expression is longer than {MAX_SOURCE_LENGTH} characters", "", source.offset_of()
            )
        try:
            return self._compile_jinja(text, source)
        except TemplateSyntaxError:
            hint = "one Jinja2 expression is expected: names, filters, conditions"
            raise ExpressionError("ET501", "this expression is malformed", hint, source.offset_of()) from None
        except (RecursionError, SyntaxError):  # Python reads no more than 200 nested brackets
            raise ExpressionError("ET502", "this expression is nested too deeply", "", source.offset_of()) from None

    def _compile_jinja(self, text: str, source: ExpressionSource) -> Term:
        body = self._sandbox.parse("{{" + text + "}}").body
        tree, reads = check_expression(_single_expression(body, source.offset_of()), source)
        assign = nodes.Assign(nodes.Name("result", "store", lineno=1), tree, lineno=1)
        template = self._sandbox.from_string(nodes.Template([assign], lineno=1))
        return Term(text, source.offset_of(), reads, tree, TemplateExpression(template, undefined_to_none=False))


def _format_pattern(pieces: list[str | Term]) -> str:
    """The pieces with `%s` for each name; nothing if any of them is more than a name."""
    if any(isinstance(piece, Term) and piece.evaluate for piece in pieces):
        return ""
    return "".join("%s" if isinstance(piece, Term) else piece.replace("%", "%%") for piece in pieces)


def _single_expression(body: list[nodes.Node], offset: int) -> nodes.Expr:
    output = body[0] if len(body) == 1 else None
    inside = output.nodes if isinstance(output, nodes.Output) else []
    if len(inside) != 1 or isinstance(inside[0], nodes.TemplateData):
        raise ExpressionError("ET501", "an expression is empty or malformed", "write ${{ name }}", offset)
    return inside[0]


def split_expressions(text: str) -> list[tuple[str, str, int]]:
    """`text` and `expression` parts in order, with their offsets; `$${{` starts a text up to its `}}`."""
    parts: list[tuple[str, str, int]] = []
    literal, at = "", 0
    while (start := text.find("${{", at)) >= 0:
        if start > at and text[start - 1] == "$":
            end = text.find("}}", start)
            end = len(text) if end < 0 else end + 2
            literal, at = literal + text[at : start - 1] + text[start:end], end
            continue
        literal += text[at:start]
        if literal:
            parts.append(("text", literal, at))
        end = _end_of_expression(text, start + 3)
        parts.append(("expression", text[start + 3 : end], start + 3))
        literal, at = "", end + 2
    literal += text[at:]
    return [*parts, ("text", literal, at)] if literal or not parts else parts


def _end_of_expression(text: str, start: int) -> int:
    """Where the `}}` stands that ends an expression: outside quotes and braces."""
    depth, at = 0, start
    while match := _TOKENS.search(text, at):
        mark, at = match.group(), match.end()
        if mark == "{":
            depth += 1
        elif mark == "}}" and depth == 0:
            return match.start()
        elif mark.startswith("}"):
            depth -= 1
            at = match.start() + 1
    hint = "close the expression, or write '$${{' for the text '${{'"
    raise ExpressionError("ET501", "'${{' has no '}}'", hint, start - 3)
