"""YAML events from PyYAML: from libyaml where it is built in, else from the pure parser, with the same results."""

import re
from typing import Any

import yaml
from yaml.error import Mark, YAMLError
from yaml.events import ScalarEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

from envtree.frontend.parse.backend import Backend, NextEvent

# In the pure parser, a '?' ends a plain scalar in brackets; libyaml no longer does this.
_INNER_QUESTION_MARK = re.compile(r"(?<=[^\s\[\]{},:?])\?+|(?<=\w) +\?+")
_PLACEHOLDER = "\ue000"
_BARE_PLACEHOLDER = re.compile(rf"{_PLACEHOLDER}(?!\S)")
# Refused by libyaml, a key to the pure parser: '{a:}', '[a :, b]'.
_COLON_BEFORE_INDICATOR = re.compile(r"\s*:[,?\[\]{}]")
# Refused by libyaml, text to the pure parser: a tab before the indentation of a block text is known, and half of a
# surrogate pair.
_LEADING_TAB = re.compile(r"[^\n]*?[|>][-+]?(?: [^\n]*)?\r?\n[ \r\n]*(?=\t)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)", re.DOTALL)


def libyaml_events(text: str) -> NextEvent:
    """Return a function that gives the next event of libyaml."""
    return yaml.CBaseLoader(text).get_event


def pure_events(text: str) -> NextEvent:
    """Return a function that gives the next event of PyYAML's own parser: as libyaml, but slower."""
    return _PureParser(text).next_event


def fastest_backend() -> Backend:
    """Return the fastest backend of this installation."""
    return libyaml_events if yaml.__with_libyaml__ else pure_events


class _PureParser(Reader, Scanner, Parser):
    """PyYAML's loader without composer, constructor and resolver, with plain scalars as libyaml reads them."""

    def __init__(self, text: str) -> None:
        self._text = text
        # The placeholder is safe only if the file does not contain it.
        self._has_placeholders = "?" in text and _PLACEHOLDER not in text
        if self._has_placeholders:
            text = _INNER_QUESTION_MARK.sub(lambda match: match[0].replace("?", _PLACEHOLDER), text)
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self._pull_event: NextEvent = self.get_event

    def next_event(self) -> Any:
        try:
            event = self._pull_event()
        except (ValueError, OverflowError):
            raise _surrogate_error(self.get_mark()) from None
        if event.__class__ is ScalarEvent:
            self._match_libyaml(event)
        return event

    def _match_libyaml(self, event: Any) -> None:
        if self._has_placeholders:
            if not event.style and _BARE_PLACEHOLDER.match(event.value):
                raise ScannerError(None, None, "mapping keys are not allowed here", event.start_mark)
            event.value = event.value.replace(_PLACEHOLDER, "?")
        if not event.style and _COLON_BEFORE_INDICATOR.match(self._text, event.end_mark.index):
            raise ScannerError(None, None, "found unexpected ':'", event.end_mark)
        if event.style in ("|", ">") and (tab := _LEADING_TAB.match(self._text, event.start_mark.index)):
            raise ScannerError(None, None, "found a tab", Mark("", tab.end(), 0, 0, None, 0))
        if event.style == '"' and _SURROGATE.search(event.value):
            raise _surrogate_error(self._surrogate_mark(event))

    def _surrogate_mark(self, event: Any) -> Mark:
        start = event.start_mark.index
        escapes = _ESCAPE.finditer(self._text, start, event.end_mark.index)
        half = next(escape for escape in escapes if 0xD800 <= int(escape[1] or escape[2] or "0", 16) <= 0xDFFF)
        return Mark("", half.start(), 0, 0, None, 0)


def _surrogate_error(mark: Mark) -> ScannerError:
    return ScannerError(None, None, "found invalid Unicode character escape code", mark)


__all__ = ["Backend", "Mark", "NextEvent", "YAMLError", "fastest_backend", "libyaml_events", "pure_events"]
