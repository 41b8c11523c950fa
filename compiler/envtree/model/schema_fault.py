"""Violations of a JSON Schema, before they are worded as diagnostics."""

from typing import Any, NamedTuple


class SchemaFault(NamedTuple):
    """One violated keyword; `path` leads to the value at fault, or to a key if the key itself is at fault.

    `argument` is the argument of the keyword, `schema` the schema around it, `value` the data at fault. `subject` is
    the missing key, or the position of the first of two equal elements. `keyword` is empty for the schema `false`.
    """

    keyword: str
    path: tuple[str | int, ...]
    argument: Any
    schema: Any
    value: Any
    subject: str
    nested_faults: tuple["SchemaFault", ...]
