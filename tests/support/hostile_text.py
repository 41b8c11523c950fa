"""Values that some reader of environment files has got wrong, made of pieces that mean something to one of them."""

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
    """Values of up to eight pieces, the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        yield "".join(chance.choices(PIECES, k=chance.randrange(9)))
