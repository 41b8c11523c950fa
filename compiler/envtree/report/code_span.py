"""Text from files as Markdown: always a code span, so that no link, picture, mention or HTML comes of it."""

import re

from envtree.diagnostics.printable import printable

# Renderers give up on longer fences, and a longer run of backticks says nothing more.
_LONG_RUN = re.compile("(`{16})`+")
_MAX_LENGTH = 200


def code_span(text: str) -> str:
    """A text as a code span, whatever is in it; a long one is cut."""
    text = _LONG_RUN.sub(r"\1", printable(text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"))
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # One space is taken off each end again, unless there is nothing else.
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"
