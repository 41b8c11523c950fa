"""Values that are hard to write to environment files, made of pieces that are special to one of their readers."""

import random
from collections.abc import Iterator

PIECES = (
    *("'", '"', "`", "\\", "\\n", "\\r", "\\t", "\\$", "\\\\", "\\'", '\\"'),
    *("$", "${", "}", "${A}", "${E:-x}", "$A", "$$", "$(id)", "`id`", "${:-}"),
    *("#", " # c", " ", "\t", "\n", "\r", "\r\n", "\n\n", "\x0b", "\x0c"),
    *("=", ";", "&", "|", "<", ">", "(", ")", "[", "]", "{", ",", "*", "?", "!", "~", "^", "%", "%%", "%A%", "%25"),
    *("export ", "EOF", "<<EOF", "::", "::add-mask::", "A=1", "\nA=1", "---", "- ", ": ", "null", "no", "1e3", "0o17"),
    *("\x01", "\x1b", "\x1b[31m", "\x7f", "\x85", "\xa0", "\xad", "\u2028", "\u2029", "\u202e", "\u200b", "\ufeff"),
    *("é", "e\u0301", "日本", "😀", "\U000e0041", "\uffff", "a", "B9", "_", "/", ":", "-", "."),
)


def hostile_values(seed: int, count: int) -> Iterator[str]:
    """Yield values of up to eight pieces, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield "".join(rng.choices(PIECES, k=rng.randrange(9)))
