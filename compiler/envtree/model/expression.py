"""Compiled expressions: pieces of text, and terms with the names that they read."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jinja2 import nodes

NamePath = tuple[str | int, ...]

# `$$` escapes everything up to the next `}}`.
_ESCAPED_EXPRESSION = re.compile(r"\$\$\{\{.*?(?:\}\}|\Z)", re.DOTALL)


class Reference(NamedTuple):
    """A name that an expression reads; `offset` is the start of the term in the text.

    A `lenient` reference is the operand of `default` or `is defined` and may be undefined; an `optional` one is in a
    branch that may not be taken; a `bare` one is a condition by itself. `variable` is the NAME of `env_vars.NAME`, the
    most frequent form, unless the reference is bare. `typed_comparison` is a hint for a text that is compared with a
    literal of another type.
    """

    path: NamePath
    offset: int
    lenient: bool = False
    optional: bool = False
    bare: bool = False
    variable: str = ""
    typed_comparison: str = ""


class Term(NamedTuple):
    """One `${{ … }}`; in `syntax_tree`, the names `_0`, `_1`, … stand for the `references`.

    The term of a plain name has neither `syntax_tree` nor `evaluate`.
    """

    source: str
    offset: int
    references: tuple[Reference, ...]
    syntax_tree: nodes.Expr | None
    evaluate: Callable[[Mapping[str, Any]], Any] | None


class Expression(NamedTuple):
    """A text with terms.

    `is_single_term` means that the text is exactly one term, whose value keeps its type, and `is_plain_name` that this
    term is just a name. `reads_secret` means that it reads a secret. `variables` are the variables that it reads, empty
    if it reads anything else. `format_string` formats their texts with `%`, if the expression only embeds them.
    """

    pieces: tuple[str | Term, ...]
    references: tuple[Reference, ...]
    is_single_term: bool
    is_plain_name: bool
    reads_secret: bool
    variables: tuple[str, ...]
    format_string: str = ""


def make_reference(
    path: NamePath, offset: int, *, lenient: bool = False, optional: bool = False, bare: bool = False
) -> Reference:
    """Return a reference with its `variable`."""
    variable = str(path[1]) if path[0] == "env_vars" and len(path) == 2 and not bare else ""
    return Reference(path, offset, lenient=lenient, optional=optional, bare=bare, variable=variable)


def has_expression(text: str) -> bool:
    """Report whether a text contains a `${{` that is not escaped."""
    return "${{" in text and "${{" in _ESCAPED_EXPRESSION.sub(" ", text)
