"""What a JSON Schema finds wrong with data, before anybody says it in words."""

from typing import Any, NamedTuple


class SchemaFault(NamedTuple):
    """One broken keyword; `path` leads to the value at fault, or to a key where the key itself is.

    `argument` is the keyword's own, `schema` what the keyword stands in, `found` the data at fault. `subject` is
    the key that is missing, or the place of the first of two equal elements. A schema that is `false` has no keyword.
    """

    keyword: str
    path: tuple[str | int, ...]
    argument: Any
    schema: Any
    value: Any
    subject: str
    nested_faults: tuple["SchemaFault", ...]
