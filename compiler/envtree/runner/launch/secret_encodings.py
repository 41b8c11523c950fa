"""Build redaction patterns for all forms in which programs write a secret: plain, by line, encoded, escaped, quoted."""

import base64
from collections.abc import Iterable, Iterator

from envtree.model.secret_entries import NamedSecret
from envtree.runner.launch.escapes import escape_variants
from envtree.runner.launch.redactor import HEAD_LENGTH, RedactionPatterns

# A shorter text occurs by chance everywhere, and the masked places would reveal it.
_MIN_LENGTH = 4
_COMMON_WORDS = frozenset({"true", "false", "null"})


def build_redaction_patterns(secrets: Iterable[NamedSecret]) -> RedactionPatterns:
    """Return all byte strings to redact in an output."""
    texts = {secret.text for secret in secrets if is_maskable(secret.text)}
    pieces = {piece for text in texts for piece in _text_variants(text)}
    exact = {
        form.encode("utf-8", "surrogatepass")
        for piece in pieces
        for form in (*escape_variants(piece), _spaced_hex(piece))
    }
    encoded = {
        form.encode() for piece in pieces for form in _breakable_encodings(piece.encode("utf-8", "surrogatepass"))
    }
    # A line break can be within the head, so the text is also searched without its first bytes.
    broken = {form[start:] for form in encoded for start in range(HEAD_LENGTH)}
    return RedactionPatterns(_drop_short(exact), _drop_short(broken))


def find_unmaskable(secrets: Iterable[NamedSecret]) -> list[str]:
    """Return the names of secrets that are too short to be masked, or common words.

    A text that is in the bundle is named by its values there, and otherwise by its place in a secrets file.
    """
    names: dict[str, set[str]] = {}
    for secret in secrets:
        if secret.text and not is_maskable(secret.text):
            names.setdefault(secret.text, set()).add(secret.name)
    shown_names = (
        {name for name in secret_names if "#" not in name} or secret_names for secret_names in names.values()
    )
    return sorted(set().union(*shown_names))


def is_maskable(text: str) -> bool:
    """Report whether a text is long and unusual enough to be masked."""
    return len(text) >= _MIN_LENGTH and text not in _COMMON_WORDS


def _text_variants(text: str) -> Iterator[str]:
    """Yield the text, also without surrounding whitespace, which many programs drop, and each of its lines."""
    yield text
    lines = text.splitlines()
    # A terminal ends lines with CR LF.
    whole = (text.strip(), "\r\n".join(lines).strip())
    yield from (piece for piece in (*whole, *map(str.strip, lines)) if is_maskable(piece))


def _spaced_hex(text: str) -> str:
    """Return the bytes in hexadecimal, separated by spaces, as Node prints a buffer."""
    return text.encode("utf-8", "surrogatepass").hex(" ")


def _breakable_encodings(raw: bytes) -> Iterator[str]:
    """Yield the encodings that programs break into lines."""
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        # At each of the three offsets that preceding bytes can cause, without the digits that depend on neighbours.
        for offset in range(3):
            first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
            yield encode(b"\0" * offset + raw).decode()[first:last]


def _drop_short(forms: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(form for form in forms if len(form) >= HEAD_LENGTH)
