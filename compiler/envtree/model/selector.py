"""Selectors: globs over bundle ids. `*` matches within a segment, `**` also matches `/`, neither matches `@`.

As in git, `**/` at the start of a segment stands for any number of segments, none included.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import re2

_WILDCARDS = re.compile(r"(?:(?<=/)|^)\*\*/|\*\*|\*")
_TRANSLATIONS = {"**/": "(?:[^@]*/)?", "**": "[^@]*", "*": "[^/@]*"}


def compile_selector(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a predicate that reports whether an id matches one of the patterns; without patterns every id matches."""
    compiled = [_compile(pattern) for pattern in patterns]
    return lambda id: not compiled or any(pattern.fullmatch(id) for pattern in compiled)


def _compile(pattern: str) -> Any:
    agents, separator, environments = pattern.partition("@")
    # RE2 does not backtrack, so a glob with many stars cannot hang a run.
    return re2.compile(f"{_translate(agents)}@{_translate(environments) if separator else '[^@]*'}")


def _translate(glob: str) -> str:
    literals = [re2.escape(part) for part in _WILDCARDS.split(glob)]
    stars = [_TRANSLATIONS[star] for star in _WILDCARDS.findall(glob)]
    return "".join(part + star for part, star in zip(literals, [*stars, ""], strict=True))
