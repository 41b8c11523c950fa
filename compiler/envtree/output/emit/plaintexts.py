"""The secrets of a bundle in clear, for whoever must keep them out of something."""

from collections.abc import Iterator
from typing import Any

from envtree.model.merged import Branch, Leaf, Listing, Merged
from envtree.model.nodes import Cipher
from envtree.model.resolved import Bundle, Hidden, hidden_parts, operands, reveal
from envtree.model.secret_placeholders import Named, named


def plaintexts(bundle: Bundle) -> frozenset[Named]:
    """Every sensitive value of a bundle, and every secret that one of them was computed from."""
    places = hidden_parts(bundle.data["env_vars"]) if bundle.sensitive else iter(())
    sections = {key: value for key, value in bundle.data.items() if key != "env_vars"}
    both = (*places, *hidden_parts(sections))
    seen: set[int] = set()
    return frozenset(each for path, value in both for each in _texts(".".join(path), value, seen))


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
    for operand in operands(symbol):
        for _, inner in hidden_parts(operand):
            yield from _texts(name, inner, seen)


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
