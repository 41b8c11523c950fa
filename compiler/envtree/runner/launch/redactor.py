"""Take secrets out of a stream of bytes, however it is cut into pieces."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

import re2

REDACTION_MARK = b"[redacted]"

# By how many of its first bytes a pattern is looked for; none is shorter.
HEAD_LENGTH = 4

# Where an encoded text may be broken: at the end of a line, and the next may be indented.
_LINE_BREAK = re.compile(rb"[\r\n][\r\n\t ]*")
_NO_MATCH, _PARTIAL_MATCH = -1, -2


class RedactionPatterns(NamedTuple):
    """What must not be read, at least `HEAD` bytes each: as it is, or with line breaks anywhere behind its head."""

    exact: frozenset[bytes]
    breakable: frozenset[bytes] = frozenset()


class Redactor:
    """Replaces each longest stretch of bytes that patterns cover by one mark.

    All occurrences count, overlapping ones too: of two secrets that share bytes, neither is left in part. What comes
    out is what the whole text at once would give. Held back is only what may be the beginning of a pattern.
    """

    def __init__(self, patterns: RedactionPatterns) -> None:
        self._breakable = patterns.breakable
        self._by_head: dict[bytes, list[bytes]] = {}
        for pattern in patterns.exact | patterns.breakable:
            self._by_head.setdefault(pattern[:HEAD_LENGTH], []).append(pattern)
        self._partial_heads = {head[:size] for head in self._by_head for size in range(1, HEAD_LENGTH)}
        self._finder = _finder(self._by_head)
        self._buffer = b""
        # How much of what is held is covered by what began before it, and whether the last that came out is a mark.
        self._covered = 0
        self._ends_with_mark = False

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; returns what can be told by now."""
        text = self._buffer + data
        end = self._find_partial_head(text)
        found: list[tuple[int, int]] = []
        for at, stop in self._find_matches(text):
            if stop == _PARTIAL_MATCH:
                end = min(end, at)
            else:
                found.append((at, stop))
        return self._emit(text, end, found)

    def finish(self) -> bytes:
        """What is left when nothing follows any more."""
        found = [(at, stop) for at, stop in self._find_matches(self._buffer) if stop != _PARTIAL_MATCH]
        return self._emit(self._buffer, len(self._buffer), found)

    def _find_matches(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Where patterns begin and end; the end of one that the text may cut off is open."""
        at = -1
        while self._finder and (head := self._finder.search(text, at + 1)):
            at = head.start()
            for pattern in self._by_head[text[at : at + HEAD_LENGTH]]:
                stop = _match_end(text, at, pattern, breakable=pattern in self._breakable)
                if stop != _NO_MATCH:
                    yield at, stop

    def _find_partial_head(self, text: bytes) -> int:
        """Where the text ends, but for bytes too few to be found that may begin a pattern."""
        for at in range(max(0, len(text) - HEAD_LENGTH + 1), len(text)):
            if text[at:] in self._partial_heads:
                return at
        return len(text)

    def _emit(self, text: bytes, end: int, matches: list[tuple[int, int]]) -> bytes:
        """The text up to `end` with marks in it; the rest is held."""
        told = bytearray()
        at = self._covered
        for start, stop in sorted(matches):
            if start >= end:
                break
            if start > at:
                told += text[at:start]
                self._ends_with_mark = False
            if not self._ends_with_mark:
                told += REDACTION_MARK
                self._ends_with_mark = True
            at = max(at, stop)
        if at < end:
            told += text[at:end]
            self._ends_with_mark = False
        self._buffer, self._covered = text[end:], max(at - end, 0)
        return bytes(told)


def _match_end(text: bytes, at: int, pattern: bytes, *, breakable: bool) -> int:
    """Where a pattern that begins at a place ends there; it may be cut off, or not be there at all."""
    if text.startswith(pattern, at):
        return at + len(pattern)
    if not breakable:
        return _PARTIAL_MATCH if pattern.startswith(text[at:]) else _NO_MATCH
    done = 0
    while True:
        line_break = _LINE_BREAK.search(text, at)
        line = text[at : line_break.start() if line_break else len(text)]
        left = len(pattern) - done
        if not pattern.startswith(line[:left], done):
            return _NO_MATCH
        if len(line) >= left:
            return at + left
        if not line_break:
            return _PARTIAL_MATCH
        done, at = done + len(line), line_break.end()


def _finder(heads: Collection[bytes]) -> "re2._Regexp[bytes] | None":
    """One look for all heads: as an automaton, it takes the same time for one secret and for a hundred."""
    if not heads:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(b"|".join(_literal(head) for head in sorted(heads)), options)


def _literal(head: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in head)
