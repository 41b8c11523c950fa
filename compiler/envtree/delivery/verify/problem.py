"""What is wrong with an output."""

from typing import Literal, NamedTuple

ProblemKind = Literal["changed", "missing", "unlisted", "contradicting", "unsafe", "edition", "manifest", "source"]


class Problem(NamedTuple):
    """A path in the output, or for `source` in the tree; whose bundle it belongs to, if any; and what is wrong."""

    path: str
    kind: ProblemKind
    bundle: str
    message: str
