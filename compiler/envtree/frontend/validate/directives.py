"""Directives, as written: whether each is well formed, and stands where one works."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest
from envtree.frontend.validate.sections import LAYERS, SECTION, is_directive, is_dollar, outside, sections, walk
from envtree.frontend.validate.wording import cut, kind_of, quoted, type_name
from envtree.model.diagnostic import Diagnostic, Related
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Cipher, Document, Mapping, Node, Scalar, Sequence
from envtree.model.source import Kind

_LISTS = ("$append", "$prepend", "$remove")
_ACTIONS = ("$value", "$replace", "$delete", *_LISTS)
_CONDITIONS = ("$lock", "$expect")
_KNOWN = (*_ACTIONS, *_CONDITIONS)
_EXPECTATIONS = ("exists", "new")


def check_directives(document: Document) -> Iterator[Diagnostic]:
    """What is wrong with the directives of a file, and with `$` keys that are none."""
    checker = _Checker(document)
    if document.location.kind in LAYERS:
        for path, section in sections(document):
            yield from checker.section(section, path)
    yield from checker.misplaced()


def check_sealed_directives(document: Document, content: Mapping) -> Iterator[Diagnostic]:
    """What is wrong with the directives of a SOPS file, as far as it shows without a key."""
    checker = _Checker(document, sealed=True)
    key = next(filter(is_dollar, content.entries), "")
    if key:
        message = f"{quoted(key)} stands on the secrets file itself, expected on a secret of it or below"
        place = document.key_span(content, key)
        yield Diagnostic(place, "ET212", message, f"write it inside each secret; {_literal(key)}", key=key)
    else:
        yield from checker.value(content, (), text=False)


class _Checker(NamedTuple):
    document: Document
    sealed: bool = False

    def section(self, section: Mapping, path: KeyPath) -> Iterator[Diagnostic]:
        """An `execution_environment`: directives work below it, not on it."""
        for key, node in section.entries.items():
            if is_dollar(key):
                message = f"{quoted(key)} stands on '{SECTION}' itself, expected on a section of it or below"
                hint = "write it inside each section, such as 'config'"
                yield self._at_key(section, key, (*path, key), "ET212", message, hint)
            else:
                yield from self.value(node, (*path, key), text=key == "env_vars")

    def misplaced(self) -> Iterator[Diagnostic]:
        """Directives outside of the layers' `execution_environment`."""
        policy = self.document.location.kind is Kind.POLICY
        for path, node in outside(self.document):
            # A JSON Schema has `$` keys of its own.
            if (policy and path[:1] == ("schema",)) or not isinstance(node, Mapping) or not is_directive(node):
                continue
            key = next((key for key in node.entries if key in _KNOWN), "")
            if key:
                message = f"'{key}' stands where no directive works, expected a plain value"
                hint = f"directives work inside '{SECTION}' of a layer; write the value itself"
                yield self._at_key(node, key, path, "ET212", message, hint)

    def value(self, node: Node, path: KeyPath, *, text: bool) -> Iterator[Diagnostic]:
        """A value in which directives work; `text` is set among variables, where there are no lists."""
        if isinstance(node, Sequence):
            yield from self._elements(node, path)
        elif isinstance(node, Mapping):
            dollars = [key for key in node.entries if is_dollar(key)]
            if not dollars:
                for key, child in node.entries.items():
                    yield from self.value(child, (*path, key), text=text)
            elif len(dollars) < len(node.entries):
                yield self._mixed(node, dollars[0], path)
            else:
                yield from self._directive(node, path, text=text)

    def _elements(self, node: Sequence, path: KeyPath) -> Iterator[Diagnostic]:
        for at, inner in walk(node, path):
            key = next(filter(is_dollar, inner.entries), "") if isinstance(inner, Mapping) else ""
            if isinstance(inner, Mapping) and key:
                message = f"{quoted(key)} stands inside a list element, where no directive works"
                hint = f"write the directive in the place of the whole list, such as {{$remove: […]}}; {_literal(key)}"
                yield self._at_key(inner, key, at, "ET212", message, hint)

    def _mixed(self, node: Mapping, key: str, path: KeyPath) -> Diagnostic:
        other = next(other for other in node.entries if not is_dollar(other))
        message = f"{quoted(key)} stands beside {quoted(other)}, but all keys of a directive begin with '$'"
        if key in ("$value", "$replace"):
            hint = f"put {quoted(other)} inside '{key}'"
        elif key in _CONDITIONS:
            hint = f"put the other keys inside '$value' beside it: {{$value: {{{cut(other)}: …}}, {key}: …}}"
        elif key in _ACTIONS:
            hint = f"keep one of them; {_literal(key)}"
        else:
            close = nearest(key, _KNOWN)
            hint = f"did you mean '{close}'? {_literal(key)}" if close else _literal(key)
        related = (Related(self.document.key_span(node, other), "the other key"),)
        return self._at_key(node, key, path, "ET211", message, hint)._replace(related=related)

    def _directive(self, node: Mapping, path: KeyPath, *, text: bool) -> Iterator[Diagnostic]:
        unknown = [key for key in node.entries if key not in _KNOWN]
        for key in unknown:
            close = nearest(key, _KNOWN)
            hint = f"did you mean '{close}'?" if close else f"{did_you_mean(key, _KNOWN)}; {_literal(key)}"
            yield self._at_key(node, key, path, "ET211", f"{quoted(key)} is not a directive", hint)
        lists = [key for key in node.entries if key in _LISTS]
        if not unknown:
            yield from self._together(node, path)
        if text and lists:
            message = f"'{lists[0]}' stands among variables, which are text and never lists"
            hint = "write the text itself, or keep the list in 'config'"
            yield self._at_key(node, lists[0], path, "ET212", message, hint)
            return
        if self.sealed and "$remove" in node.entries:
            message = "'$remove' stands in a secrets file, whose elements cannot be compared without the key"
            hint = "write the whole list as it should be: {$replace: […]}"
            yield self._at_key(node, "$remove", path, "ET212", message, hint)
        for key, operand in node.entries.items():
            yield from self._operand(key, operand, path, text=text)

    def _together(self, node: Mapping, path: KeyPath) -> Iterator[Diagnostic]:
        """One action, or a removal and one addition; conditions only beside one that leaves a value."""
        actions = [key for key in node.entries if key in _ACTIONS]
        conditions = [key for key in node.entries if key in _CONDITIONS]
        alternatives = [key for key in actions if key != "$remove"] if set(actions) <= set(_LISTS) else actions
        if len(alternatives) > 1:
            one, other = alternatives[:2]
            related = (Related(self.document.key_span(node, one), "the first action"),)
            message = f"'{other}' stands beside '{one}', but a directive has one action"
            hint = "keep one of them; only '$remove' goes with '$append' or '$prepend'"
            yield self._at_key(node, other, path, "ET211", message, hint)._replace(related=related)
        elif not actions:
            message = f"'{conditions[0]}' stands alone, expected an action beside it"
            hint = f"write {{$value: …, {conditions[0]}: …}}"
            yield self._at_key(node, conditions[0], path, "ET211", message, hint)
        elif conditions and actions == ["$delete"]:
            message = f"'{conditions[0]}' does not go with '$delete'"
            yield self._at_key(node, conditions[0], path, "ET211", message, f"remove '{conditions[0]}'")

    def _operand(self, key: str, node: Node, path: KeyPath, *, text: bool) -> Iterator[Diagnostic]:
        if key in _LISTS:
            if isinstance(node, Sequence):
                yield from self._elements(node, path)
            else:
                yield self._wrong(key, node, path, "a list", f"write {key}: […]")
        elif key in ("$value", "$replace"):
            if is_directive(node):
                hint = "write one directive: the inner one replaces the outer one"
                yield self._wrong(key, node, path, "a value", hint)
            else:
                yield from self.value(node, path, text=text)
        elif key == "$expect":
            if not _says(node, _EXPECTATIONS):
                hint = "'exists': a layer below has the value; 'new': none has it"
                yield self._wrong(key, node, path, "'exists' or 'new'", hint)
        elif key in _KNOWN and not _says(node, (True,)):
            yield self._wrong(key, node, path, "true", f"write true, or remove '{key}'")

    def _wrong(self, key: str, node: Node, path: KeyPath, expected: str, hint: str) -> Diagnostic:
        found = (
            "a directive" if is_directive(node) else "false" if node.value is False else type_name(kind_of(node.value))
        )
        message = f"'{key}' holds {found}, expected {expected}"
        return Diagnostic(self.document.span(node), "ET211", message, hint, key=format_path((*path, key)))

    def _at_key(self, node: Mapping, key: str, path: KeyPath, code: str, message: str, hint: str) -> Diagnostic:
        return Diagnostic(self.document.key_span(node, key), code, message, hint, key=format_path(path))


def _literal(key: str) -> str:
    return f"write {quoted('$' + key)} if it is an ordinary key"


def _says(node: Node, words: tuple[str | bool, ...]) -> bool:
    """Whether a scalar is one of some words; of an encrypted one the type and the length tell."""
    if not isinstance(node, Scalar):
        return False
    if isinstance(node.value, Cipher):
        return any(node.value.length == len(str(word)) and node.value.type == type(word).__name__ for word in words)
    return any(node.value is word or (isinstance(word, str) and node.value == word) for word in words)
