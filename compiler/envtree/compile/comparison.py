"""Comparisons in expressions: JSON equality, order of numbers and of texts, and tests of JSON types."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jinja2 import Undefined

from envtree.compile.filters import FilterError, type_name


def is_equal(left: Any, right: Any) -> bool:
    """Report JSON equality, as the merge has it: 1 equals 1.0 but not true."""
    types = type_name(left), type_name(right)
    if types == ("list", "list"):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if types == ("map", "map"):
        return left.keys() == right.keys() and all(is_equal(part, right[key]) for key, part in left.items())
    return types[0] == types[1] and bool(left == right)


def contains(container: Any, value: Any) -> bool:
    """Report whether a text contains a text, a list an element, or a map a key."""
    types = type_name(value), type_name(container)
    if types[1] == "list":
        return any(is_equal(item, value) for item in container)
    if types not in (("text", "text"), ("text", "map")):
        raise FilterError(f"'in' does not search {describe_type(value)} in {describe_type(container)}")
    return value in container


def describe_type(value: Any) -> str:
    """Return the JSON type of a value with its article."""
    name = type_name(value)
    return name if name in ("text", "null") else f"a {name}"


def _ordering(symbol: str, function: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare_order(left: Any, right: Any) -> bool:
        """Compare two numbers or two texts; anything else has no order."""
        if type_name(left) != type_name(right) or type_name(left) not in ("number", "text"):
            types = f"{describe_type(left)} and {describe_type(right)}"
            raise FilterError(f"'{symbol}' compares two numbers or two texts, found {types}")
        return function(left, right)

    return compare_order


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "eq": is_equal,
        "ne": lambda left, right: not is_equal(left, right),
        "lt": _ordering("<", lambda left, right: left < right),
        "lteq": _ordering("<=", lambda left, right: left <= right),
        "gt": _ordering(">", lambda left, right: left > right),
        "gteq": _ordering(">=", lambda left, right: left >= right),
        "in": lambda value, container: contains(container, value),
        "notin": lambda value, container: not contains(container, value),
    }
)


def compare(first: Any, *others: Any) -> bool:
    """Evaluate a chain of comparisons: a value, then Jinja2's name of an operator and a value, any number of times."""
    results = []
    for operator, value in zip(others[::2], others[1::2], strict=True):
        results.append(_OPERATORS[operator](first, value))
        first = value
    return all(results)


TESTS: Mapping[str, Callable[..., bool]] = MappingProxyType(
    {
        "defined": lambda value: not isinstance(value, Undefined),
        "undefined": lambda value: isinstance(value, Undefined),
        "none": lambda value: type_name(value) == "null",
        "boolean": lambda value: type_name(value) == "boolean",
        "true": lambda value: is_equal(value, True),
        "false": lambda value: is_equal(value, False),
        "string": lambda value: type_name(value) == "text",
        "number": lambda value: type_name(value) == "number",
        "integer": lambda value: type_name(value) == "number" and isinstance(value, int),
        "float": lambda value: type_name(value) == "number" and isinstance(value, float),
        "mapping": lambda value: type_name(value) == "map",
        "sequence": lambda value: type_name(value) == "list",
        "in": _OPERATORS["in"],
        "eq": is_equal,
        "equalto": is_equal,
        "ne": _OPERATORS["ne"],
        "lt": _OPERATORS["lt"],
        "le": _OPERATORS["lteq"],
        "gt": _OPERATORS["gt"],
        "ge": _OPERATORS["gteq"],
    }
)
