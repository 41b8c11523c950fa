"""Compile texts with `${{ … }}` into pieces: literal text, and terms with their references and an evaluator."""

import re
from functools import cached_property

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import TemplateExpression

from envtree.compile.resolve.expression_grammar import ExpressionError, ExpressionSource, check_expression, check_name
from envtree.compile.sandbox import Sandbox
from envtree.model.expression import Expression, Reference, Term, make_reference

MAX_SOURCE_LENGTH = 4096
# How many compiled texts are kept for the next project, which may have none of them.
_MAX_CACHED = 10_000

_PLAIN_NAME = re.compile(r"\s*([a-z_]+(?:\.[A-Za-z_][A-Za-z0-9_]*)+)\s*")
_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{|\}\}|\}""", re.DOTALL)


class ExpressionCompiler:
    """Compiler that compiles each distinct text once.

    Expressions that envtree itself writes, in the `ref` and `seal` forms of a bundle, are `is_generated`: they may be
    longer than the limit for authors, and contain known values with any characters.
    """

    def __init__(self, *, is_generated: bool = False) -> None:
        self._is_generated = is_generated
        self._cache: dict[str, Expression | ExpressionError] = {}

    @cached_property
    def _sandbox(self) -> Sandbox:
        """The Jinja2 sandbox; made on demand, since a plain name does not need it."""
        return Sandbox(autoescape=False)

    def clear_if_large(self) -> None:
        """Clear the cache if it is large."""
        if len(self._cache) > _MAX_CACHED:
            self._cache.clear()

    def compile(self, text: str) -> Expression:
        """Return the compiled form of a text; raise ExpressionError with the offset of the error in the text."""
        result = self._cache.get(text)
        if result is None:
            try:
                result = self._compile(text)
            except ExpressionError as error:
                result = error
            self._cache[text] = result
        if isinstance(result, ExpressionError):
            raise result
        return result

    def references(self, text: str) -> tuple[Reference, ...]:
        """Return the names that a text reads; none if it is malformed, which the run has reported."""
        try:
            return self.compile(text).references
        except ExpressionError:
            return ()

    def get_compiled(self, text: str) -> Expression | None:
        """Return the compiled form of a text if it is cached and well formed, else None."""
        cached = self._cache.get(text)
        return cached if isinstance(cached, Expression) else None

    def _compile(self, text: str) -> Expression:
        pieces: list[str | Term] = []
        for kind, piece, offset in split_expressions(text):
            pieces.append(piece if kind == "text" else self._compile_term(piece, offset))
        terms = [piece for piece in pieces if isinstance(piece, Term)]
        references = tuple(reference for term in terms for reference in term.references)
        names = tuple(reference.variable for reference in references)
        variables = names if all(names) else ()
        is_single_term = len(pieces) == 1 and len(terms) == 1
        return Expression(
            pieces=tuple(pieces),
            references=references,
            is_single_term=is_single_term,
            is_plain_name=is_single_term and terms[0].evaluate is None,
            reads_secret=any(reference.path[0] == "secrets" for reference in references),
            variables=variables,
            format_string=_format_string(pieces) if variables and not is_single_term else "",
        )

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
        tree, references = check_expression(_single_expression(body, source.offset_of()), source)
        assign = nodes.Assign(nodes.Name("result", "store", lineno=1), tree, lineno=1)
        template = self._sandbox.from_string(nodes.Template([assign], lineno=1))
        return Term(text, source.offset_of(), references, tree, TemplateExpression(template, undefined_to_none=False))


def _format_string(pieces: list[str | Term]) -> str:
    """Return the pieces with `%s` for each plain name; an empty string if any term is more than a name."""
    if any(isinstance(piece, Term) and piece.evaluate for piece in pieces):
        return ""
    return "".join("%s" if isinstance(piece, Term) else piece.replace("%", "%%") for piece in pieces)


def _single_expression(body: list[nodes.Node], offset: int) -> nodes.Expr:
    output = body[0] if len(body) == 1 else None
    parts = output.nodes if isinstance(output, nodes.Output) else []
    if len(parts) != 1 or isinstance(parts[0], nodes.TemplateData):
        raise ExpressionError("ET501", "an expression is empty or malformed", "write ${{ name }}", offset)
    return parts[0]


def split_expressions(text: str) -> list[tuple[str, str, int]]:
    """Return the `text` and `expression` parts in order, with their offsets; `$${{` starts a text up to its `}}`."""
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
    """Return the offset of the `}}` that ends an expression: outside quotes and braces."""
    depth, at = 0, start
    while match := _TOKENS.search(text, at):
        lexeme, at = match.group(), match.end()
        if lexeme == "{":
            depth += 1
        elif lexeme == "}}" and depth == 0:
            return match.start()
        elif lexeme.startswith("}"):
            depth -= 1
            at = match.start() + 1
    hint = "close the expression, or write '$${{' for the text '${{'"
    raise ExpressionError("ET501", "'${{' has no '}}'", hint, start - 3)
