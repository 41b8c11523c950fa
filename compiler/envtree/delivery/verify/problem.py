"""The problems that `verify` finds in an output."""

from typing import Literal, NamedTuple

ProblemKind = Literal["changed", "missing", "unlisted", "contradicting", "unsafe", "edition", "manifest", "source"]


class Problem(NamedTuple):
    """A path in the output, or in the tree for `source`, the id of its bundle, if any, and what is wrong."""

    path: str
    kind: ProblemKind
    bundle: str
    message: str
