"""A value that differs, in words: what it was and what it is, as much of it as tells the two apart."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from envtree.model.canonical_json import compact
from envtree.queries.diff.model import Change

_WIDTH = 60
# As much of what two texts have in common is told, before and behind what differs.
_AROUND = 15
# By these people tell the maps in a list apart.
_NAMES = ("name", "id", "key")
_NOT_TOLD = {"secret": "(secret)", "unshown": "(not shown)", "unknown": "(unknown)"}


class Piece(NamedTuple):
    """A part of a sentence: words of ours, or a `quoted` text of the tree's, which may have a sign before it."""

    text: str
    quoted: bool = True
    sign: str = ""


def words(text: str) -> Piece:
    """Words of ours."""
    return Piece(text, quoted=False)


_ARROW = words("→")


def phrase(pieces: Iterable[Piece], quoted: Callable[[str], str] = str) -> str:
    """The pieces as a sentence."""
    return " ".join(f"{piece.sign}{quoted(piece.text) if piece.quoted else piece.text}" for piece in pieces)


def name_of(change: Change) -> str:
    """The key as people write it."""
    return f"{change.section}.{change.key}" if change.key else change.section


def what(change: Change) -> tuple[Piece, ...]:
    """What happened to the value, in a few words."""
    if change.kind == "removed":
        return (_value(change.old_hidden, change.old, change),)
    if change.kind == "added":
        return (_value(change.new_hidden, change.new, change),)
    if change.sensitive and not change.unknown:
        return (words(_around_secret(change)),)
    if change.old_hidden or change.new_hidden:
        return _value(change.old_hidden, change.old, change), _ARROW, _value(change.new_hidden, change.new, change)
    if isinstance(change.old, list) and isinstance(change.new, list):
        return tuple(_elements(change.old, change.new))
    return tuple(_pair(_spelt(change, change.old), _spelt(change, change.new)))


def _value(hidden: str, value: Any, change: Change) -> Piece:
    if hidden or change.sensitive:
        return words(_NOT_TOLD[hidden or "unshown"])
    return Piece(_cut(_spelt(change, value)))


def _spelt(change: Change, value: Any) -> str:
    if change.section == "secrets" and isinstance(value, dict):
        # One that does not exist has no file.
        return "#".join(filter(None, (value.get("source"), value.get("path"))))
    return compact(value)


def _around_secret(change: Change) -> str:
    was, becomes = change.old_hidden == "secret", change.new_hidden == "secret"
    if not was:
        return "becomes a secret" if becomes else "changes, and is not shown"
    if not becomes:
        return "is no longer a secret, and is not shown"
    if change.reencrypted:
        return "its secret is encrypted anew, and may be the same"
    sealed = any(".secrets." in cause.path for cause in change.causes)
    return "its secret changes" if sealed else "changes around its secret"


def _pair(old: str, new: str) -> Iterator[Piece]:
    """Two texts; of long ones what differs, and a little of what is around it."""
    if max(len(old), len(new)) <= _WIDTH:
        yield from (Piece(old), _ARROW, Piece(new))
        return
    shortest = min(len(old), len(new))
    before = next((n for n in range(shortest) if old[n] != new[n]), shortest)
    behind = next((n for n in range(shortest - before) if old[-1 - n] != new[-1 - n]), shortest - before)
    if before + behind == shortest:
        # One has a stretch more, which says all, and is the same for many texts.
        longer, sign = (new, "+") if len(new) > len(old) else (old, "-")
        yield Piece(f"…{_cut(longer[before : len(longer) - behind])}…", sign=sign)
        return
    first, last = (_window(text, before, len(text) - behind) for text in (old, new))
    yield from (Piece(first), _ARROW, Piece(last))


def _window(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _AROUND), min(len(text), end + _AROUND)
    shown = _cut(text[first:last])
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) and not shown.endswith('…') else ''}"


def _elements(old: list[Any], new: list[Any]) -> Iterator[Piece]:
    """The elements of a list that are gone or new; only their order may differ."""
    before, after = ({compact(item): item for item in side} for side in (old, new))
    gone = [item for text, item in before.items() if text not in after]
    added = [item for text, item in after.items() if text not in before]
    if not gone and not added:
        yield from _pair(compact(old), compact(new))
        return
    for item in gone:
        other = _twin(item, added)
        if other is None:
            yield Piece(_cut(compact(item)), sign="-")
        else:
            added.remove(other)
            yield from _fields(item, other)
    yield from (Piece(_cut(compact(item)), sign="+") for item in added)


def _twin(item: Any, others: Iterable[Any]) -> Any:
    """The map of the same name."""
    named = [other for other in others if isinstance(other, dict) and _name(other) == _name(item) != ""]
    return named[0] if named else None


def _name(item: Any) -> str:
    names = [item[name] for name in _NAMES if isinstance(item.get(name), str)] if isinstance(item, dict) else []
    return names[0] if names else ""


def _fields(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Piece]:
    """What differs in two maps of the same name."""
    for key in dict.fromkeys((*old, *new)):
        path = f"[{_cut(_name(new))}].{key}"
        if key not in old or key not in new:
            sign, value = ("+", new[key]) if key in new else ("-", old[key])
            yield Piece(_cut(f"{path}: {compact(value)}"), sign=sign)
        elif compact(old[key]) != compact(new[key]):
            yield Piece(_cut(path))
            yield from _pair(compact(old[key]), compact(new[key]))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
