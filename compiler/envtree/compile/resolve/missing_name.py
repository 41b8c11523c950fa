"""Hints for names that do not exist: what is found at the level of the first segment that is missing."""

from collections.abc import Iterable, Mapping

from envtree.compile.resolve.path_lookup import child_of
from envtree.diagnostics.suggest import did_you_mean
from envtree.model.expression import NamePath
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue


def spell_name(path: NamePath) -> str:
    """Spell a name as expressions read it: `config['my-key']`, `config.hosts[0]`."""
    parts = [f".{part}" if str(part).isidentifier() else f"[{part!r}]" for part in path[1:]]
    return "".join([str(path[0]), *parts])


def missing_field_hint(path: NamePath, fields: Iterable[str] | None) -> str:
    """Return a hint for a name below a root with flat fields, which are None for a team that the bundle lacks."""
    if fields is None:
        return f"this bundle has no {path[0]}; write: {spell_name(path)} if {path[0]} else ''"
    if len(path) > 2 and str(path[1]) in fields:
        return _end_hint(path[:2])
    return _suggestion(path, 1, fields)


def missing_value_hint(path: NamePath, key: NamePath, sections: Mapping[str, MergedValue]) -> str:
    """Return a hint for a name in a merged section; the value at `key`, which reads it, is not suggested."""
    node = sections.get(str(path[0]))
    for depth in range(1, len(path)):
        if isinstance(node, MergedScalar):
            return "" if node.is_dynamic else _end_hint(path[:depth])
        child = child_of(node, path[depth])
        if child is None:
            if isinstance(node, MergedSequence):
                return f"'{spell_name(path[:depth])}' is a list of {len(node.items)}, counted from 0"
            names = node.entries if isinstance(node, MergedMapping) else ()
            return _suggestion(path, depth, [name for name in names if (*path[:depth], name) != key])
        node = child
    return ""


def _end_hint(path: NamePath) -> str:
    return f"'{spell_name(path)}' has no parts: end the name there"


def _suggestion(path: NamePath, depth: int, names: Iterable[str]) -> str:
    return did_you_mean(str(path[depth]), names, lambda name: spell_name((*path[:depth], name)))
