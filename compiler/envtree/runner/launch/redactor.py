"""Redact secrets in a stream of bytes, however it is divided into chunks."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

import re2

REDACTION_MARK = b"[redacted]"

# The number of first bytes by which a pattern is searched; no pattern is shorter.
HEAD_LENGTH = 4

# A line break in an encoded text, with the indentation of the next line.
_LINE_BREAK = re.compile(rb"[\r\n][\r\n\t ]*")
_NO_MATCH, _PARTIAL_MATCH = -1, -2


class RedactionPatterns(NamedTuple):
    """The byte strings to redact, each of at least HEAD_LENGTH bytes.

    Those in `breakable` may have line breaks anywhere after their head.
    """

    exact: frozenset[bytes]
    breakable: frozenset[bytes] = frozenset()


class Redactor:
    """A filter that replaces each longest stretch of bytes covered by patterns with one mark.

    All occurrences count, overlapping ones too, so that no part of either of two secrets that share bytes is left. The
    output does not depend on the chunks. Only bytes that may begin a pattern are held back.
    """

    def __init__(self, patterns: RedactionPatterns) -> None:
        self._breakable = patterns.breakable
        self._by_head: dict[bytes, list[bytes]] = {}
        for pattern in patterns.exact | patterns.breakable:
            self._by_head.setdefault(pattern[:HEAD_LENGTH], []).append(pattern)
        self._partial_heads = {head[:size] for head in self._by_head for size in range(1, HEAD_LENGTH)}
        self._finder = _compile_heads(self._by_head)
        self._buffer = b""
        # The number of bytes in the buffer that an earlier match covers, and whether the output ends with a mark.
        self._covered = 0
        self._ends_with_mark = False

    def feed(self, data: bytes) -> bytes:
        """Add a chunk, and return the output that is certain by now."""
        text = self._buffer + data
        end = self._find_partial_head(text)
        matches: list[tuple[int, int]] = []
        for at, stop in self._find_matches(text):
            if stop == _PARTIAL_MATCH:
                end = min(end, at)
            else:
                matches.append((at, stop))
        return self._emit(text, end, matches)

    def finish(self) -> bytes:
        """Return the rest at the end of the stream."""
        matches = [(at, stop) for at, stop in self._find_matches(self._buffer) if stop != _PARTIAL_MATCH]
        return self._emit(self._buffer, len(self._buffer), matches)

    def _find_matches(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each match; the end is _PARTIAL_MATCH if the text ends within the pattern."""
        at = -1
        while self._finder and (head := self._finder.search(text, at + 1)):
            at = head.start()
            for pattern in self._by_head[text[at : at + HEAD_LENGTH]]:
                stop = _match_end(text, at, pattern, breakable=pattern in self._breakable)
                if stop != _NO_MATCH:
                    yield at, stop

    def _find_partial_head(self, text: bytes) -> int:
        """Return the length of the text without a possible beginning of a head at its end."""
        for at in range(max(0, len(text) - HEAD_LENGTH + 1), len(text)):
            if text[at:] in self._partial_heads:
                return at
        return len(text)

    def _emit(self, text: bytes, end: int, matches: list[tuple[int, int]]) -> bytes:
        """Return the redacted text up to `end`; the rest goes into the buffer."""
        output = bytearray()
        at = self._covered
        for start, stop in sorted(matches):
            if start >= end:
                break
            if start > at:
                output += text[at:start]
                self._ends_with_mark = False
            if not self._ends_with_mark:
                output += REDACTION_MARK
                self._ends_with_mark = True
            at = max(at, stop)
        if at < end:
            output += text[at:end]
            self._ends_with_mark = False
        self._buffer, self._covered = text[end:], max(at - end, 0)
        return bytes(output)


def _match_end(text: bytes, at: int, pattern: bytes, *, breakable: bool) -> int:
    """Return the end of a pattern that begins at `at`, or _PARTIAL_MATCH or _NO_MATCH."""
    if text.startswith(pattern, at):
        return at + len(pattern)
    if not breakable:
        return _PARTIAL_MATCH if pattern.startswith(text[at:]) else _NO_MATCH
    matched = 0
    while True:
        line_break = _LINE_BREAK.search(text, at)
        line = text[at : line_break.start() if line_break else len(text)]
        remaining = len(pattern) - matched
        if not pattern.startswith(line[:remaining], matched):
            return _NO_MATCH
        if len(line) >= remaining:
            return at + remaining
        if not line_break:
            return _PARTIAL_MATCH
        matched, at = matched + len(line), line_break.end()


def _compile_heads(heads: Collection[bytes]) -> "re2._Regexp[bytes] | None":
    """Compile one expression for all heads: as an automaton it takes the same time for one secret and for a hundred."""
    if not heads:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(b"|".join(_literal(head) for head in sorted(heads)), options)


def _literal(head: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in head)
