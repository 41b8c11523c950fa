"""Expressions as read: pieces of text, and terms with the names that they read."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jinja2 import nodes

NamePath = tuple[str | int, ...]

# Behind `$$` stands a text up to its `}}`, whatever is in it.
_ESCAPED_EXPRESSION = re.compile(r"\$\$\{\{.*?(?:\}\}|\Z)", re.DOTALL)


class Reference(NamedTuple):
    """A name that is read; `offset` is where in the text its expression begins.

    A lenient one stands directly under `default` or `is defined` and may be undefined; an optional one stands in a
    branch that may not be taken; a bare one is a condition by itself. `variable` is set for `env_vars.NAME` that is
    not bare, which is most of what is read.
    """

    path: NamePath
    offset: int
    lenient: bool = False
    optional: bool = False
    bare: bool = False
    variable: str = ""


class Term(NamedTuple):
    """One `${{ … }}`: `tree` has a name `_0`, `_1`, … for each of `reads`; a plain name has neither tree nor `run`."""

    source: str
    offset: int
    references: tuple[Reference, ...]
    syntax_tree: nodes.Expr | None
    evaluate: Callable[[Mapping[str, Any]], Any] | None


class Expression(NamedTuple):
    """A text in pieces; `whole` means that it is exactly one term, which keeps its type, `secret` that it reads one.

    `plain` means that this one term is just a name. `variables` are what is read if these are variables only;
    `pattern` gives the text for theirs, by `%`, if it does nothing but embed them.
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
    """A reference, with the variable that it names."""
    variable = str(path[1]) if path[0] == "env_vars" and len(path) == 2 and not bare else ""
    return Reference(path, offset, lenient, optional, bare, variable)


def has_expression(text: str) -> bool:
    """Whether a text has a `${{` that begins an expression."""
    return "${{" in text and "${{" in _ESCAPED_EXPRESSION.sub(" ", text)
