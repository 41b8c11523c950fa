"""What a parser of YAML is to the rest: told apart from the parsers themselves, which take long to load."""

from collections.abc import Callable
from typing import Any

# The events of all parsers have the same attributes, but no common type says so.
NextEvent = Callable[[], Any]
Backend = Callable[[str], NextEvent]
