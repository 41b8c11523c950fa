"""Types of YAML parser backends, apart from the parsers themselves, which are slow to import."""

from collections.abc import Callable
from typing import Any

# The events of all parsers have the same attributes, but no common type.
NextEvent = Callable[[], Any]
Backend = Callable[[str], NextEvent]
