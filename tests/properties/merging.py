"""The merge table, the list policies and the directives of the language, as naively as they can be written."""

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
ACTIONS = {"$value", "$replace", "$delete", "$append", "$prepend", "$remove"}
LEGAL_ACTIONS = [{action} for action in ACTIONS] + [{"$remove", "$append"}, {"$remove", "$prepend"}]


class Conflict(Exception):
    """The language forbids this tree."""


class Missing:
    """The type of a value that is not there."""

    def __deepcopy__(self, memo: object) -> "Missing":
        return self


MISSING = Missing()


@dataclass(frozen=True)
class Plain:
    """A scalar written without quotes: its spelling, and by YAML 1.2's JSON schema its value."""

    text: str

    @property
    def value(self) -> object:
        """What the spelling means."""
        if self.text in ("true", "false", "null") or JSON_NUMBER.fullmatch(self.text):
            return json.loads(self.text)
        return self.text


@dataclass(frozen=True)
class Secret:
    """A decrypted scalar, the file that it came from and its dotted path in there; never a template."""

    value: object
    file: str
    path: str


def kind(value: object) -> str:
    """Tell the type that the merge table sees."""
    if isinstance(value, Secret):
        return "string" if isinstance(value.value, str) else kind(value.value)
    if isinstance(value, Plain):
        return kind(value.value)
    if isinstance(value, str):
        return "expression" if holds_expression(value) else "string"
    kinds = {Missing: "missing", type(None): "null", bool: "boolean", dict: "map", list: "list"}
    return kinds.get(type(value), "number")


def holds_expression(text: str) -> bool:
    """Tell whether an unescaped `${{` stands in a text."""
    return "${{" in re.sub(r"\$\$\{\{.*?(\}\}|$)", "", text, flags=re.DOTALL)


def same(one: object, other: object) -> bool:
    """JSON equality: 1 is 1.0, true is not 1."""
    if isinstance(one, Secret):
        one = one.value
    if isinstance(other, Secret):
        other = other.value
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def contains(elements: list[Any], wanted: object) -> bool:
    """Tell whether an equal element is in the list."""
    return any(same(element, wanted) for element in elements)


def is_directive(value: object) -> bool:
    """Tell a directive from a map; `$` keys beside others are forbidden."""
    if not isinstance(value, dict):
        return False
    dollars = [key for key in value if key.startswith("$") and not key.startswith("$$")]
    if dollars and len(dollars) != len(value):
        raise Conflict("directive keys beside other keys")
    return bool(dollars)


def literal(value: object) -> Any:
    """Copy a value in which directives do not work, keys unescaped and scalars typed."""
    if is_directive(value):
        raise Conflict("a directive inside a list element")
    if isinstance(value, dict):
        return {unescaped(key): literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [literal(item) for item in value]
    return value.value if isinstance(value, Plain) else value


def unescaped(key: str) -> str:
    """Turn `$$x` into the literal key `$x`."""
    return key[1:] if key.startswith("$$") else key


def at(tree: Any, path: Path) -> Any:
    """Find the value at a path of map keys."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return MISSING
        tree = tree[key]
    return tree


def segments(dotted: str) -> Path:
    """Split a dotted path; a segment with a dot stands in double quotes."""
    return tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[^.]+', dotted))


def matches(pattern: Path, path: Path) -> bool:
    """Tell whether a path falls under a pattern, where `*` is one segment."""
    return len(pattern) == len(path) and all(p in ("*", s) for p, s in zip(pattern, path, strict=True))


@dataclass
class Merger:
    """Merges the layers of one bundle, lowest first."""

    policies: dict[Path, Any] = field(default_factory=dict)
    locks: dict[Path, Any] = field(default_factory=dict)
    new_locks: list[Path] = field(default_factory=list)
    overwrites: list[tuple[Path, Any, Any]] = field(default_factory=list)

    def add(self, tree: Any, layer: Any) -> Any:
        """Merge one layer over the tree of all lower ones."""
        self.new_locks = []
        result = self.merge(copy.deepcopy(tree), copy.deepcopy(layer), ())
        for path, locked in self.locks.items():
            found = at(result, path)
            if (locked is MISSING) != (found is MISSING) or not same(locked, found):
                raise Conflict(f"{path} is locked")
        for path in self.new_locks:
            self.locks.setdefault(path, copy.deepcopy(at(result, path)))
        return result

    def merge(self, base: Any, over: Any, path: Path) -> Any:
        """Apply the merge table."""
        if is_directive(over):
            return self.direct(base, over, path)
        old, new = kind(base), kind(over)
        open_base = old in ("missing", "null", "expression")
        if not open_base and new not in ("null", "expression") and old != new:
            raise Conflict(f"{new} over {old} at {path}")
        if new == "map":
            return self.merge_map(base, over, path)
        if new == "list":
            return self.merge_list(base if old == "list" else MISSING, over, path, replaced=base)
        return self.replaced(base, literal(over), path)

    def replaced(self, base: Any, result: Any, path: Path) -> Any:
        """Put a value in the place of another, which secretness may forbid later."""
        self.forget(path, deeper=True)
        if base is not MISSING:
            self.overwrites.append((path, base, result))
        return result

    def forget(self, path: Path, *, deeper: bool = False) -> None:
        """Drop what was overwritten at a path and below it, or only below it: none of it is left."""
        self.overwrites[:] = [
            entry for entry in self.overwrites if entry[0][: len(path)] != path or (deeper and entry[0] == path)
        ]

    def merge_map(self, base: Any, over: dict[str, Any], path: Path) -> Any:
        """Merge key by key."""
        result = dict(base) if isinstance(base, dict) else {}
        for raw, value in over.items():
            key = unescaped(raw)
            merged = self.merge(result.get(key, MISSING), value, (*path, key))
            if merged is MISSING:
                result.pop(key, None)
            else:
                result[key] = merged
        return result if isinstance(base, dict) else self.replaced(base, result, path)

    def merge_list(self, base: Any, over: list[Any], path: Path, *, replaced: Any) -> Any:
        """Apply the list policy of a path."""
        policy = self.policy(path)
        elements = literal(over)
        if isinstance(policy, dict):
            require_keys(elements, policy["by_key"])
        if base is MISSING:
            return self.replaced(replaced, elements, path)
        if policy == "append":
            return [*base, *elements]
        if policy == "prepend":
            return [*elements, *base]
        if policy == "union":
            return union(base, elements)
        if isinstance(policy, dict):
            return self.merge_by_key(base, over, policy["by_key"], path)
        return self.replaced(base, elements, path)

    def merge_by_key(self, base: list[Any], over: list[Any], key: str, path: Path) -> list[Any]:
        """Merge elements that have the same key, append the others; what a directive put there may have none."""
        result = list(base)
        for element in over:
            wanted = literal(element)[key]
            keyed = [i for i, old in enumerate(result) if isinstance(old, dict) and key in old]
            places = [i for i in keyed if same(result[i][key], wanted)]
            if places:
                result[places[0]] = self.merge_map(result[places[0]], element, (*path, str(wanted)))
            else:
                result.append(literal(element))
        return result

    def policy(self, path: Path) -> Any:
        """Find what is declared for lists at a path; an exact path before one with stars."""
        if path in self.policies:
            return self.policies[path]
        return next((self.policies[p] for p in self.policies if matches(p, path)), "replace")

    def direct(self, base: Any, directive: dict[str, Any], path: Path) -> Any:
        """Obey a directive."""
        require_legal(base, directive)
        if directive.get("$lock"):
            self.new_locks.append(path)
        if "$value" in directive:
            return self.merge(base, directive["$value"], path)
        if "$replace" in directive or "$delete" in directive:
            self.forget(path)
        if "$replace" in directive:
            return Merger.merge(self.without_policies(), MISSING, directive["$replace"], path)
        if "$delete" in directive:
            return MISSING
        return self.edit_list(base, directive, path)

    def without_policies(self) -> "Merger":
        """Share the locks, forget the policies: a directive decides alone."""
        return Merger(new_locks=self.new_locks)

    def edit_list(self, base: Any, directive: dict[str, Any], path: Path) -> Any:
        """Remove first, then append or prepend."""
        if path == ("secrets",) and isinstance(base, dict) and set(directive) == {"$remove"}:
            return {name: secret for name, secret in base.items() if name not in directive["$remove"]}
        if kind(base) not in ("missing", "null", "list"):
            raise Conflict(f"a list directive over {kind(base)} at {path}")
        if not isinstance(base, list) and not {"$append", "$prepend"} & set(directive):
            return base
        kept = self.without(base, literal(directive.get("$remove", [])), path) if isinstance(base, list) else []
        return [*literal(directive.get("$prepend", [])), *kept, *literal(directive.get("$append", []))]

    def without(self, elements: list[Any], unwanted: list[Any], path: Path) -> list[Any]:
        """Take out every equal element; under `by_key` also those whose key is named."""
        policy = self.policy(path)
        key = policy["by_key"] if isinstance(policy, dict) else None
        kept = [
            element
            for element in elements
            if not contains(unwanted, element)
            and not (key and isinstance(element, dict) and key in element and contains(unwanted, element[key]))
        ]
        for element in elements:
            if key and element not in kept and isinstance(element, dict) and key in element:
                self.forget((*path, str(element[key])))
        return kept


def union(base: list[Any], elements: list[Any]) -> list[Any]:
    """Append each element that is not yet there, once."""
    result = list(base)
    for element in elements:
        if not contains(result, element):
            result.append(element)
    return result


def require_keys(elements: list[Any], key: str) -> None:
    """Refuse elements without the key of a `by_key` policy."""
    if not all(isinstance(element, dict) and key in element for element in elements):
        raise Conflict(f"a list element without {key}")
    if any(same(one[key], other[key]) for n, one in enumerate(elements) for other in elements[:n]):
        raise Conflict(f"two list elements with one {key}")


def require_legal(base: Any, directive: dict[str, Any]) -> None:
    """Refuse unknown directives, two actions, and an unmet `$expect`."""
    keys = set(directive)
    expect = directive.get("$expect")
    if keys - ACTIONS - {"$lock", "$expect"} or keys & ACTIONS not in LEGAL_ACTIONS:
        raise Conflict(f"no such directive: {sorted(keys)}")
    if "$delete" in keys and len(keys) > 1:
        raise Conflict("$delete goes alone")
    if (expect == "exists" and base is MISSING) or (expect == "new" and base is not MISSING):
        raise Conflict(f"expected {expect}")
