"""A naive implementation of the merge table, the list policies and the directives of the language."""

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
    """The type of `MISSING`, a value that does not exist."""

    def __deepcopy__(self, memo: object) -> "Missing":
        return self


MISSING = Missing()


@dataclass(frozen=True)
class Plain:
    """A scalar written without quotes: its spelling, and by YAML 1.2's JSON schema its value."""

    text: str

    @property
    def value(self) -> object:
        """The value of the spelling."""
        if self.text in ("true", "false", "null") or JSON_NUMBER.fullmatch(self.text):
            return json.loads(self.text)
        return self.text


@dataclass(frozen=True)
class Secret:
    """A decrypted scalar, its file and its dotted path in the file; never a template."""

    value: object
    file: str
    path: str


def kind(value: object) -> str:
    """Return the type of a value in the merge table."""
    if isinstance(value, Secret):
        return "string" if isinstance(value.value, str) else kind(value.value)
    if isinstance(value, Plain):
        return kind(value.value)
    if isinstance(value, str):
        return "expression" if contains_expression(value) else "string"
    kinds = {Missing: "missing", type(None): "null", bool: "boolean", dict: "map", list: "list"}
    return kinds.get(type(value), "number")


def contains_expression(text: str) -> bool:
    """Report whether a text contains an unescaped `${{`."""
    return "${{" in re.sub(r"\$\$\{\{.*?(\}\}|$)", "", text, flags=re.DOTALL)


def same(left: object, right: object) -> bool:
    """Report JSON equality: 1 equals 1.0, true does not equal 1."""
    if isinstance(left, Secret):
        left = left.value
    if isinstance(right, Secret):
        right = right.value
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def contains(elements: list[Any], value: object) -> bool:
    """Report whether an equal element is in the list."""
    return any(same(element, value) for element in elements)


def is_directive(value: object) -> bool:
    """Report whether a map is a directive; `$` keys beside others are forbidden."""
    if not isinstance(value, dict):
        return False
    dollars = [key for key in value if key.startswith("$") and not key.startswith("$$")]
    if dollars and len(dollars) != len(value):
        raise Conflict("directive keys beside other keys")
    return bool(dollars)


def literal(value: object) -> Any:
    """Copy a value that must not contain directives, with keys unescaped and scalars typed."""
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
    """Split a dotted path; a segment with a dot is in double quotes."""
    return tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[^.]+', dotted))


def matches(pattern: Path, path: Path) -> bool:
    """Report whether a path matches a pattern: `*` is one segment, `**` any number, at the end at least one."""
    if not pattern or not path:
        return not pattern and not path
    if pattern == ("**",):
        return True
    if pattern[0] == "**":
        return any(matches(pattern[1:], path[skipped:]) for skipped in range(len(path) + 1))
    return pattern[0] in ("*", path[0]) and matches(pattern[1:], path[1:])


def specificity(pattern: Path) -> tuple[int, str]:
    """Return a key by which the most specific pattern is the largest: literal segments, then kinds from the left."""
    kinds = ["d" if segment == "**" else "s" if segment == "*" else "z" for segment in pattern]
    return kinds.count("z"), "".join(kinds)


@dataclass
class Merger:
    """Merger of the layers of one bundle, lowest first."""

    policies: dict[Path, Any] = field(default_factory=dict)
    locks: dict[Path, Any] = field(default_factory=dict)
    new_locks: list[Path] = field(default_factory=list)
    overwrites: list[tuple[Path, Any, Any]] = field(default_factory=list)

    def add(self, tree: Any, layer: Any) -> Any:
        """Merge one layer over the tree of all lower ones."""
        self.new_locks = []
        result = self.merge(copy.deepcopy(tree), copy.deepcopy(layer), ())
        for path, locked in self.locks.items():
            value = at(result, path)
            if (locked is MISSING) != (value is MISSING) or not same(locked, value):
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
        if new == "map" and old == "map" and base and self.declared(path) == "replace":
            return self.replace_map(base, over, path)
        if new == "map":
            return self.merge_map(base, over, path)
        if new == "list":
            return self.merge_list(base if old == "list" else MISSING, over, path, replaced=base)
        return self.replaced(base, literal(over), path)

    def replaced(self, base: Any, result: Any, path: Path) -> Any:
        """Replace a value by another; a later check may find that it declassifies a secret."""
        self.forget(path, deeper=True)
        if base is not MISSING:
            self.overwrites.append((path, base, result))
        return result

    def forget(self, path: Path, *, deeper: bool = False) -> None:
        """Drop the recorded overwrites at a path and below it; with `deeper`, only those below it."""
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
            return self.replaced(replaced, union([], elements) if policy == "unique" else elements, path)
        if policy == "unique":
            return union(union([], base), elements) if elements else base
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
        """Merge elements with the same key, append the others; elements added by a directive may have no key."""
        result = list(base)
        for element in over:
            key_value = literal(element)[key]
            with_key = [position for position, old in enumerate(result) if isinstance(old, dict) and key in old]
            positions = [position for position in with_key if same(result[position][key], key_value)]
            if positions:
                result[positions[0]] = self.merge_map(result[positions[0]], element, (*path, str(key_value)))
            else:
                result.append(literal(element))
        return result

    def policy(self, path: Path) -> Any:
        """Return the list policy of a path."""
        declared = self.declared(path)
        return declared.get("list", "replace") if "override" in declared else declared

    def declared(self, path: Path) -> Any:
        """Return what the most specific pattern of a path declares; two that are equally specific are a conflict."""
        matching = sorted((pattern for pattern in self.policies if matches(pattern, path)), key=specificity)
        if not matching:
            return "nothing"
        if len(matching) > 1 and specificity(matching[-1]) == specificity(matching[-2]):
            raise Conflict(f"two policies of {path}")
        return self.policies[matching[-1]]

    def replace_map(self, base: dict[str, Any], over: dict[str, Any], path: Path) -> Any:
        """Put a map in the place of another; a key of both is an override, the other keys are gone."""
        inner = Merger(self.policies, new_locks=self.new_locks)
        result = inner.merge_map(MISSING, over, path)
        self.overwrites[:] = [
            entry
            for entry in self.overwrites
            if entry[0][: len(path)] != path or at(result, entry[0][len(path) :]) is not MISSING
        ]
        self.override_keys(base, result, path)
        return result

    def override_keys(self, base: Any, result: Any, path: Path) -> None:
        """Record each value that overrides one at the same path."""
        if isinstance(base, dict) and isinstance(result, dict):
            for key in base.keys() & result.keys():
                self.override_keys(base[key], result[key], (*path, key))
        else:
            self.overwrites.append((path, base, result))

    def require_inherited(self, base: Any, over: Any, path: Path = ()) -> None:
        """Refuse values that a policy only lets override, and that no lower layer has."""
        if is_directive(over):
            if {"$delete", "$replace", "$expect"} & set(over):
                return
            if "$value" in over:
                self.require_inherited(base, over["$value"], path)
                return
        elif isinstance(over, dict):
            if base is MISSING and self.must_exist(path):
                raise Conflict(f"{path} is not inherited")
            for raw, value in over.items():
                key = unescaped(raw)
                inherited = base.get(key, MISSING) if isinstance(base, dict) else MISSING
                self.require_inherited(inherited, value, (*path, key))
            return
        if base is MISSING and self.must_exist(path):
            raise Conflict(f"{path} is not inherited")

    def must_exist(self, path: Path) -> bool:
        """Report whether the policy of a path is `override: exists`."""
        return bool(path) and "override" in self.declared(path)

    def direct(self, base: Any, directive: dict[str, Any], path: Path) -> Any:
        """Apply a directive."""
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
        """Return a merger with the same locks and without policies: a directive overrides the list policy."""
        return Merger(new_locks=self.new_locks)

    def edit_list(self, base: Any, directive: dict[str, Any], path: Path) -> Any:
        """Remove first, then append or prepend."""
        if path == ("secrets",) and isinstance(base, dict) and set(directive) == {"$remove"}:
            return {name: secret for name, secret in base.items() if name not in directive["$remove"]}
        if kind(base) not in ("missing", "null", "list"):
            raise Conflict(f"a list directive over {kind(base)} at {path}")
        if not isinstance(base, list) and not {"$append", "$prepend"} & set(directive):
            return base
        remaining = self.without(base, literal(directive.get("$remove", [])), path) if isinstance(base, list) else []
        return [*literal(directive.get("$prepend", [])), *remaining, *literal(directive.get("$append", []))]

    def without(self, elements: list[Any], unwanted: list[Any], path: Path) -> list[Any]:
        """Remove every equal element; under `by_key` also those whose key is listed."""
        policy = self.policy(path)
        key = policy["by_key"] if isinstance(policy, dict) else None
        remaining = [
            element
            for element in elements
            if not contains(unwanted, element)
            and not (key and isinstance(element, dict) and key in element and contains(unwanted, element[key]))
        ]
        for element in elements:
            if key and element not in remaining and isinstance(element, dict) and key in element:
                self.forget((*path, str(element[key])))
        return remaining


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
    if any(same(left[key], right[key]) for index, left in enumerate(elements) for right in elements[:index]):
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
