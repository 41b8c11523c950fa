"""A value that differs, in words: what it was and what it is, as much of it as tells the two apart."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from envtree.model.canonical_json import encode_compact
from envtree.queries.diff.diff_model import ValueChange

_WIDTH = 60
# As much of what two texts have in common is told, before and behind what differs.
_CONTEXT_LENGTH = 15
# By these people tell the maps in a list apart.
_NAME_FIELDS = ("name", "id", "key")
_HIDDEN_LABELS = {"secret": "(secret)", "unshown": "(not shown)", "unknown": "(unknown)"}


class TextPiece(NamedTuple):
    """A part of a sentence: words of ours, or a `quoted` text of the tree's, which may have a sign before it."""

    text: str
    is_quoted: bool = True
    sign: str = ""


def plain_piece(text: str) -> TextPiece:
    """Words of ours."""
    return TextPiece(text, is_quoted=False)


_ARROW = plain_piece("→")


def join_pieces(pieces: Iterable[TextPiece], quote: Callable[[str], str] = str) -> str:
    """The pieces as a sentence."""
    return " ".join(f"{piece.sign}{quote(piece.text) if piece.is_quoted else piece.text}" for piece in pieces)


def change_name(change: ValueChange) -> str:
    """The key as people write it."""
    return f"{change.section}.{change.key}" if change.key else change.section


def describe_value_change(change: ValueChange) -> tuple[TextPiece, ...]:
    """What happened to the value, in a few words."""
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
        # One that does not exist has no file.
        return "#".join(filter(None, (value.get("source"), value.get("path"))))
    return encode_compact(value)


def _secret_change_phrase(change: ValueChange) -> str:
    was, becomes = change.old_hidden == "secret", change.new_hidden == "secret"
    if not was:
        return "becomes a secret" if becomes else "changes, and is not shown"
    if not becomes:
        return "is no longer a secret, and is not shown"
    if change.reencrypted:
        return "its secret is encrypted anew, and may be the same"
    sealed = any(".secrets." in cause.path for cause in change.causes)
    return "its secret changes" if sealed else "changes around its secret"


def _text_difference(old: str, new: str) -> Iterator[TextPiece]:
    """Two texts; of long ones what differs, and a little of what is around it."""
    if max(len(old), len(new)) <= _WIDTH:
        yield from (TextPiece(old), _ARROW, TextPiece(new))
        return
    shortest = min(len(old), len(new))
    before = next((n for n in range(shortest) if old[n] != new[n]), shortest)
    behind = next((n for n in range(shortest - before) if old[-1 - n] != new[-1 - n]), shortest - before)
    if before + behind == shortest:
        # One has a stretch more, which says all, and is the same for many texts.
        longer, sign = (new, "+") if len(new) > len(old) else (old, "-")
        yield TextPiece(f"…{_shorten(longer[before : len(longer) - behind])}…", sign=sign)
        return
    first, last = (_excerpt(text, before, len(text) - behind) for text in (old, new))
    yield from (TextPiece(first), _ARROW, TextPiece(last))


def _excerpt(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _CONTEXT_LENGTH), min(len(text), end + _CONTEXT_LENGTH)
    shown = _shorten(text[first:last])
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) and not shown.endswith('…') else ''}"


def _list_difference(old: list[Any], new: list[Any]) -> Iterator[TextPiece]:
    """The elements of a list that are gone or new; only their order may differ."""
    before, after = ({encode_compact(item): item for item in side} for side in (old, new))
    gone = [item for text, item in before.items() if text not in after]
    added = [item for text, item in after.items() if text not in before]
    if not gone and not added:
        yield from _text_difference(encode_compact(old), encode_compact(new))
        return
    for item in gone:
        other = _find_same_name(item, added)
        if other is None:
            yield TextPiece(_shorten(encode_compact(item)), sign="-")
        else:
            added.remove(other)
            yield from _map_difference(item, other)
    yield from (TextPiece(_shorten(encode_compact(item)), sign="+") for item in added)


def _find_same_name(item: Any, items: Iterable[Any]) -> Any:
    """The map of the same name."""
    named = [other for other in items if isinstance(other, dict) and _item_name(other) == _item_name(item) != ""]
    return named[0] if named else None


def _item_name(item: Any) -> str:
    names = [item[name] for name in _NAME_FIELDS if isinstance(item.get(name), str)] if isinstance(item, dict) else []
    return names[0] if names else ""


def _map_difference(old: dict[str, Any], new: dict[str, Any]) -> Iterator[TextPiece]:
    """What differs in two maps of the same name."""
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
