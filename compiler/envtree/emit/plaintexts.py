"""The secrets of a bundle in clear, for whoever must keep them out of something."""

from collections.abc import Iterator
from typing import Any

from envtree.node import Cipher
from envtree.resolved import AsText, Bundle, Composite, Derived, Hidden, Part, reveal
from envtree.sensitive import Named, named
from envtree.value import Branch, Leaf, Listing, Merged


def plaintexts(bundle: Bundle) -> frozenset[Named]:
    """Every sensitive value of a bundle, and every secret that one of them was computed from."""
    places = _places(bundle.data["env_vars"], "") if bundle.sensitive else iter(())
    sections = {key: value for key, value in bundle.data.items() if key != "env_vars"}
    both = (*places, *_places(sections, ""))
    seen: set[int] = set()
    return frozenset(each for name, value in both for each in _texts(name, value, seen))


def _places(value: Any, path: str) -> Iterator[tuple[str, Hidden]]:
    if isinstance(value, Hidden):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in parts:
        yield from _places(child, f"{path}.{key}" if path else str(key))


def _texts(name: str, value: Hidden, seen: set[int]) -> Iterator[Named]:
    """What a hidden value is, and what it is made of; parts that values share are looked at once."""
    if value.known and value.secret:
        yield from named(name, reveal(value))
    if id(value) in seen:
        return
    seen.add(id(value))
    symbol = value.symbol
    if isinstance(symbol, (Branch, Listing, Leaf)):
        yield from _kept(symbol, value.reveal())
    for inner in _made_of(symbol):
        yield from _texts(name, inner, seen)


def _made_of(symbol: Any) -> Iterator[Hidden]:
    if isinstance(symbol, Derived):
        yield from (hidden for operand in symbol.operands for _, hidden in _places(operand, ""))
    elif isinstance(symbol, Composite):
        yield from (hidden for _, hidden in _places(symbol.data, ""))
    elif isinstance(symbol, Part):
        yield symbol.whole
    elif isinstance(symbol, AsText):
        yield symbol.value


def _kept(merged: Merged, plain: Any) -> Iterator[Named]:
    """The secrets of a merged one, by where they are kept."""
    if isinstance(merged, Branch):
        for key, child in merged.entries.items():
            yield from _kept(child, plain[key])
    elif isinstance(merged, Listing):
        for child, item in zip(merged.items, plain, strict=True):
            yield from _kept(child, item)
    elif isinstance(merged, Leaf) and isinstance(merged.node.value, Cipher):
        yield from named(f"{merged.node.value.file}#{merged.node.value.path}", plain)
