"""A changed value in words: the old and the new value, shortened to the parts that differ."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from envtree.model.canonical_json import encode_compact
from envtree.queries.diff.diff_model import ValueChange

_WIDTH = 60
# The length of the common text that is shown before and after a difference.
_CONTEXT_LENGTH = 15
# The fields that identify the maps of a list.
_NAME_FIELDS = ("name", "id", "key")
_HIDDEN_LABELS = {"secret": "(secret)", "unshown": "(not shown)", "unknown": "(unknown)"}


class TextPiece(NamedTuple):
    """A part of a sentence: our own words, or a quoted text of the tree, with an optional sign before it."""

    text: str
    is_quoted: bool = True
    sign: str = ""


def plain_piece(text: str) -> TextPiece:
    """Return a piece of our own words."""
    return TextPiece(text, is_quoted=False)


_ARROW = plain_piece("→")


def join_pieces(pieces: Iterable[TextPiece], quote: Callable[[str], str] = str) -> str:
    """Join the pieces to a sentence."""
    return " ".join(f"{piece.sign}{quote(piece.text) if piece.is_quoted else piece.text}" for piece in pieces)


def change_name(change: ValueChange) -> str:
    """Return the key as users write it."""
    return f"{change.section}.{change.key}" if change.key else change.section


def plain_change(change: ValueChange) -> str:
    """Return the key and the description of a change as plain text."""
    return f"{change_name(change)}: {join_pieces(describe_value_change(change))}"


def describe_value_change(change: ValueChange) -> tuple[TextPiece, ...]:
    """Return a short description of the change."""
    if change.kind == "removed":
        return (_value_piece(change.old_hidden, change.old, change),)
    if change.kind == "added":
        return (_value_piece(change.new_hidden, change.new, change),)
    if change.sensitive and not change.is_unknown:
        return (plain_piece(_secret_change_phrase(change)),)
    if change.old_hidden or change.new_hidden:
        return (
            _value_piece(change.old_hidden, change.old, change),
            _ARROW,
            _value_piece(change.new_hidden, change.new, change),
        )
    if isinstance(change.old, list) and isinstance(change.new, list):
        return tuple(_list_difference(change.old, change.new))
    return tuple(_text_difference(_value_text(change, change.old), _value_text(change, change.new)))


def _value_piece(hidden: str, value: Any, change: ValueChange) -> TextPiece:
    if hidden or change.sensitive:
        return plain_piece(_HIDDEN_LABELS[hidden or "unshown"])
    return TextPiece(_shorten(_value_text(change, value)))


def _value_text(change: ValueChange, value: Any) -> str:
    if change.section == "secrets" and isinstance(value, dict):
        # A secret that does not exist has no file.
        return "#".join(filter(None, (value.get("source"), value.get("path"))))
    return encode_compact(value)


def _secret_change_phrase(change: ValueChange) -> str:
    was_secret, becomes_secret = change.old_hidden == "secret", change.new_hidden == "secret"
    if not was_secret:
        return "becomes a secret" if becomes_secret else "changes, and is not shown"
    if not becomes_secret:
        return "is no longer a secret, and is not shown"
    if change.reencrypted:
        return "its secret is encrypted anew, and may be the same"
    sealed = any(".secrets." in cause.path for cause in change.causes)
    return "its secret changes" if sealed else "changes around its secret"


def _text_difference(old: str, new: str) -> Iterator[TextPiece]:
    """Yield two texts; of long ones the difference, and some of the text around it."""
    if max(len(old), len(new)) <= _WIDTH:
        yield from (TextPiece(old), _ARROW, TextPiece(new))
        return
    shortest = min(len(old), len(new))
    prefix_length = next((n for n in range(shortest) if old[n] != new[n]), shortest)
    suffix_length = next(
        (n for n in range(shortest - prefix_length) if old[-1 - n] != new[-1 - n]), shortest - prefix_length
    )
    if prefix_length + suffix_length == shortest:
        # One text has an insertion: only that is shown, which makes equal changes of many texts the same.
        longer, sign = (new, "+") if len(new) > len(old) else (old, "-")
        yield TextPiece(f"…{_shorten(longer[prefix_length : len(longer) - suffix_length])}…", sign=sign)
        return
    old_excerpt, new_excerpt = (_excerpt(text, prefix_length, len(text) - suffix_length) for text in (old, new))
    yield from (TextPiece(old_excerpt), _ARROW, TextPiece(new_excerpt))


def _excerpt(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _CONTEXT_LENGTH), min(len(text), end + _CONTEXT_LENGTH)
    shown = _shorten(text[first:last])
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) and not shown.endswith('…') else ''}"


def _list_difference(old: list[Any], new: list[Any]) -> Iterator[TextPiece]:
    """Yield the removed and added elements of a list, or the texts if only the order differs."""
    old_by_text, new_by_text = ({encode_compact(item): item for item in side} for side in (old, new))
    removed = [item for text, item in old_by_text.items() if text not in new_by_text]
    added = [item for text, item in new_by_text.items() if text not in old_by_text]
    if not removed and not added:
        yield from _text_difference(encode_compact(old), encode_compact(new))
        return
    for item in removed:
        counterpart = _find_same_name(item, added)
        if counterpart is None:
            yield TextPiece(_shorten(encode_compact(item)), sign="-")
        else:
            added.remove(counterpart)
            yield from _map_difference(item, counterpart)
    yield from (TextPiece(_shorten(encode_compact(item)), sign="+") for item in added)


def _find_same_name(item: Any, items: Iterable[Any]) -> Any:
    """Return the map with the same name, or None."""
    matches = [
        candidate
        for candidate in items
        if isinstance(candidate, dict) and _item_name(candidate) == _item_name(item) != ""
    ]
    return matches[0] if matches else None


def _item_name(item: Any) -> str:
    names = [item[name] for name in _NAME_FIELDS if isinstance(item.get(name), str)] if isinstance(item, dict) else []
    return names[0] if names else ""


def _map_difference(old: dict[str, Any], new: dict[str, Any]) -> Iterator[TextPiece]:
    """Yield the differences between two maps with the same name."""
    for key in dict.fromkeys((*old, *new)):
        path = f"[{_shorten(_item_name(new))}].{key}"
        if key not in old or key not in new:
            sign, value = ("+", new[key]) if key in new else ("-", old[key])
            yield TextPiece(_shorten(f"{path}: {encode_compact(value)}"), sign=sign)
        elif encode_compact(old[key]) != encode_compact(new[key]):
            yield TextPiece(_shorten(path))
            yield from _text_difference(encode_compact(old[key]), encode_compact(new[key]))


def _shorten(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
