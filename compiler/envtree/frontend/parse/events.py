"""YAML events from PyYAML: libyaml's parser where it is built in, the pure one elsewhere, with one verdict."""

import re
from typing import Any

import yaml
from yaml.error import Mark, YAMLError
from yaml.events import ScalarEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

from envtree.frontend.parse.backend import Backend, NextEvent

# What libyaml gave up and the pure parser did not: a '?' ends a plain scalar inside brackets.
_INNER_QUESTION_MARK = re.compile(r"(?<=[^\s\[\]{},:?])\?+|(?<=\w) +\?+")
_STAND_IN = "\ue000"
_BARE_STAND_IN = re.compile(rf"{_STAND_IN}(?!\S)")
# What libyaml refuses and the pure parser takes for a key: '{a:}', '[a :, b]'.
_COLON_BEFORE_INDICATOR = re.compile(r"\s*:[,?\[\]{}]")
# What libyaml refuses and the pure parser takes for text: a tab where the indentation of a block text is not yet
# known, and half a character.
_TAB_FIRST = re.compile(r"[^\n]*?[|>][-+]?(?: [^\n]*)?\r?\n[ \r\n]*(?=\t)")
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)", re.DOTALL)


def libyaml_events(text: str) -> NextEvent:
    """The events of libyaml's parser."""
    return yaml.CBaseLoader(text).get_event


def pure_events(text: str) -> NextEvent:
    """The events of PyYAML's own parser, which are those of libyaml but for the time they take."""
    return _PureParser(text).next_event


def fastest() -> Backend:
    """The quickest backend that this installation has."""
    return libyaml_events if yaml.__with_libyaml__ else pure_events


class _PureParser(Reader, Scanner, Parser):
    """PyYAML's loader without composer, constructor and resolver, and with libyaml's idea of plain scalars."""

    def __init__(self, text: str) -> None:
        self._text = text
        # A stand-in is only safe where the file does not hold it itself.
        self._stands_in = "?" in text and _STAND_IN not in text
        if self._stands_in:
            text = _INNER_QUESTION_MARK.sub(lambda match: match[0].replace("?", _STAND_IN), text)
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self._pull: NextEvent = self.get_event

    def next_event(self) -> Any:
        try:
            event = self._pull()
        except (ValueError, OverflowError):
            raise _half_a_character(self.get_mark()) from None
        if event.__class__ is ScalarEvent:
            self._as_libyaml(event)
        return event

    def _as_libyaml(self, event: Any) -> None:
        if self._stands_in:
            if not event.style and _BARE_STAND_IN.match(event.value):
                raise ScannerError(None, None, "mapping keys are not allowed here", event.start_mark)
            event.value = event.value.replace(_STAND_IN, "?")
        if not event.style and _COLON_BEFORE_INDICATOR.match(self._text, event.end_mark.index):
            raise ScannerError(None, None, "found unexpected ':'", event.end_mark)
        if event.style in ("|", ">") and (tab := _TAB_FIRST.match(self._text, event.start_mark.index)):
            raise ScannerError(None, None, "found a tab", Mark("", tab.end(), 0, 0, None, 0))
        if event.style == '"' and _HALF.search(event.value):
            raise _half_a_character(self._half_mark(event))

    def _half_mark(self, event: Any) -> Mark:
        start = event.start_mark.index
        escapes = _ESCAPE.finditer(self._text, start, event.end_mark.index)
        half = next(found for found in escapes if 0xD800 <= int(found[1] or found[2] or "0", 16) <= 0xDFFF)
        return Mark("", half.start(), 0, 0, None, 0)


def _half_a_character(mark: Mark) -> ScannerError:
    return ScannerError(None, None, "found invalid Unicode character escape code", mark)


__all__ = ["Backend", "Mark", "NextEvent", "YAMLError", "fastest", "libyaml_events", "pure_events"]
