"""Text of files as Markdown: always a code span, so that it cannot make a link, picture, mention or HTML."""

import re

from envtree.diagnostics.printable import printable

# Renderers do not support longer fences; longer runs of backticks are cut.
_LONG_RUN = re.compile("(`{16})`+")
_MAX_LENGTH = 200


def code_span(text: str) -> str:
    """Return any text as a code span; a long text is cut."""
    text = _LONG_RUN.sub(r"\1", printable(text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"))
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # Renderers strip one space from each end, unless the span contains nothing else.
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"
