"""A secret in every way in which programs write text: as it is, line by line, encoded, escaped, quoted."""

import base64
from collections.abc import Iterable, Iterator

from envtree.model.secret_placeholders import Named
from envtree.runner.launch.escapes import escaped
from envtree.runner.launch.redactor import HEAD, Patterns

# A text of fewer characters is found everywhere by chance, and whoever sees what is masked can tell what it is.
_SHORTEST = 4
_COMMON = frozenset({"true", "false", "null"})


def patterns(secrets: Iterable[Named]) -> Patterns:
    """All that must not be read in an output."""
    texts = {each.text for each in secrets if is_long(each.text)}
    pieces = {piece for text in texts for piece in _pieces(text)}
    exact = {form.encode("utf-8", "surrogatepass") for piece in pieces for form in (*escaped(piece), _bytes(piece))}
    encoded = {form.encode() for piece in pieces for form in _encoded(piece.encode("utf-8", "surrogatepass"))}
    # So few of its bytes may stand at the end of a line before it that they are no head.
    broken = {form[start:] for form in encoded for start in range(HEAD)}
    return Patterns(_long(exact), _long(broken))


def unmasked(secrets: Iterable[Named]) -> list[str]:
    """The names of those that are too short to be masked, or a word of every program.

    Where a text is kept is told if nothing in the bundle holds it.
    """
    names: dict[str, set[str]] = {}
    for each in secrets:
        if each.text and not is_long(each.text):
            names.setdefault(each.text, set()).add(each.name)
    places = ({name for name in found if "#" not in name} or found for found in names.values())
    return sorted(set().union(*places))


def is_long(text: str) -> bool:
    """Whether a text can be told from others."""
    return len(text) >= _SHORTEST and text not in _COMMON


def _pieces(text: str) -> Iterator[str]:
    """The text, also without the blanks around it, which many programs drop, and each of its lines."""
    yield text
    lines = text.splitlines()
    # A terminal ends its lines in this way.
    whole = (text.strip(), "\r\n".join(lines).strip())
    yield from (piece for piece in (*whole, *map(str.strip, lines)) if is_long(piece))


def _bytes(text: str) -> str:
    """In hexadecimal, byte by byte, as Node shows a buffer."""
    return text.encode("utf-8", "surrogatepass").hex(" ")


def _encoded(raw: bytes) -> Iterator[str]:
    """Encodings whose text programs break into lines."""
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        # At each of the three offsets that the text before it may cause, without what its neighbours decide.
        for offset in range(3):
            first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
            yield encode(b"\0" * offset + raw).decode()[first:last]


def _long(forms: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(form for form in forms if len(form) >= HEAD)
