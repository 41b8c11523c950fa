"""A secret in every way in which programs write text: as it is, line by line, encoded, escaped, quoted."""

import base64
from collections.abc import Iterable, Iterator

from envtree.model.secret_entries import NamedSecret
from envtree.runner.launch.escapes import escape_variants
from envtree.runner.launch.redactor import HEAD_LENGTH, RedactionPatterns

# A text of fewer characters is found everywhere by chance, and whoever sees what is masked can tell what it is.
_MIN_LENGTH = 4
_COMMON_WORDS = frozenset({"true", "false", "null"})


def build_redaction_patterns(secrets: Iterable[NamedSecret]) -> RedactionPatterns:
    """All that must not be read in an output."""
    texts = {each.text for each in secrets if is_maskable(each.text)}
    pieces = {piece for text in texts for piece in _text_variants(text)}
    exact = {
        form.encode("utf-8", "surrogatepass")
        for piece in pieces
        for form in (*escape_variants(piece), _spaced_hex(piece))
    }
    encoded = {
        form.encode() for piece in pieces for form in _breakable_encodings(piece.encode("utf-8", "surrogatepass"))
    }
    # So few of its bytes may stand at the end of a line before it that they are no head.
    broken = {form[start:] for form in encoded for start in range(HEAD_LENGTH)}
    return RedactionPatterns(_drop_short(exact), _drop_short(broken))


def find_unmaskable(secrets: Iterable[NamedSecret]) -> list[str]:
    """The names of those that are too short to be masked, or a word of every program.

    Where a text is kept is told if nothing in the bundle holds it.
    """
    names: dict[str, set[str]] = {}
    for each in secrets:
        if each.text and not is_maskable(each.text):
            names.setdefault(each.text, set()).add(each.name)
    places = ({name for name in found if "#" not in name} or found for found in names.values())
    return sorted(set().union(*places))


def is_maskable(text: str) -> bool:
    """Whether a text can be told from others."""
    return len(text) >= _MIN_LENGTH and text not in _COMMON_WORDS


def _text_variants(text: str) -> Iterator[str]:
    """The text, also without the blanks around it, which many programs drop, and each of its lines."""
    yield text
    lines = text.splitlines()
    # A terminal ends its lines in this way.
    whole = (text.strip(), "\r\n".join(lines).strip())
    yield from (piece for piece in (*whole, *map(str.strip, lines)) if is_maskable(piece))


def _spaced_hex(text: str) -> str:
    """In hexadecimal, byte by byte, as Node shows a buffer."""
    return text.encode("utf-8", "surrogatepass").hex(" ")


def _breakable_encodings(raw: bytes) -> Iterator[str]:
    """Encodings whose text programs break into lines."""
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        # At each of the three offsets that the text before it may cause, without what its neighbours decide.
        for offset in range(3):
            first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
            yield encode(b"\0" * offset + raw).decode()[first:last]


def _drop_short(forms: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(form for form in forms if len(form) >= HEAD_LENGTH)
