"""Find the layers that override a locked variable from the other section: a secret by a plain value, or the reverse."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedStack, MergedValue
from envtree.model.span import Span


class BrokenLock(NamedTuple):
    """The value that overrides a locked variable, and the place of the lock."""

    name: str
    override: MergedValue
    lock: Span


class _History:
    """A section of a stack, layer by layer."""

    def __init__(self, section: MergedValue | None) -> None:
        self._states: dict[Layer, MergedMapping] = {}
        while type(section) is MergedMapping:
            self._states.setdefault(section.layer, section)
            section = section.base
        self.entries: dict[str, MergedValue] = {}
        self.locks: dict[str, Span] = {}
        self._section_lock: Span | None = None
        self.written: dict[str, MergedValue] = {}

    def add(self, layer: Layer) -> None:
        """Go on to the next layer: `entries` and `written` are of this layer, `locks` of the layers below it."""
        for name, value in self.entries.items():
            if lock := value.lock or self._section_lock:
                self.locks.setdefault(name, lock)
        self.written = {}
        if state := self._states.get(layer):
            self.entries, self._section_lock = state.entries, state.lock
            self.written = {name: value for name, value in state.entries.items() if value.layer is layer}


def find_broken_locks(merged: MergedStack) -> Iterator[BrokenLock]:
    """Yield each override of a locked variable by the other section, even if a later layer takes it back."""
    sections = [merged.sections.get(name) for name in ("env_vars", "secrets")]
    if not any(type(section) is MergedMapping and section.contains_lock for section in sections):
        return
    variables, secrets = map(_History, sections)
    injected: set[str] = set()
    for layer in merged.stack.layers:
        variables.add(layer)
        secrets.add(layer)
        overridden = injected & variables.written.keys() - secrets.written.keys()
        for name in sorted(overridden & secrets.locks.keys()):
            yield BrokenLock(name, variables.written[name], secrets.locks[name])
        for name in sorted((secrets.written.keys() - injected) & variables.locks.keys()):
            yield BrokenLock(name, secrets.written[name], variables.locks[name])
        injected -= overridden
        injected |= secrets.written.keys() | (secrets.entries.keys() - variables.entries.keys())
        injected &= secrets.entries.keys()
