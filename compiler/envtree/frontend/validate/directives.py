"""Check directives as written: each must be well formed, and in a position where directives work."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest_name
from envtree.frontend.validate.execution_environment import (
    EXECUTION_ENVIRONMENT,
    LAYER_KINDS,
    execution_environments,
    is_directive,
    is_directive_key,
    walk,
    walk_outside_layers,
)
from envtree.frontend.validate.message_text import json_type, quote_value, truncate, type_name
from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, EncryptedValue, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.source import Kind

_LIST_ACTIONS = ("$append", "$prepend", "$remove")
_ACTIONS = ("$value", "$replace", "$delete", *_LIST_ACTIONS)
_CONDITIONS = ("$lock", "$expect")
_DIRECTIVE_KEYS = (*_ACTIONS, *_CONDITIONS)
_EXPECTATIONS = ("exists", "new")


def check_directives(document: Document) -> Iterator[Diagnostic]:
    """Report malformed and misplaced directives of a file, and `$` keys that are not directives."""
    checker = _DirectiveChecker(document)
    if document.location.kind in LAYER_KINDS:
        for path, section in execution_environments(document):
            yield from checker.check_section(section, path)
    yield from checker.check_misplaced()


def check_secrets_file_directives(document: Document, content: MappingNode) -> Iterator[Diagnostic]:
    """Report malformed and misplaced directives of a SOPS file, as far as they are visible without a key."""
    checker = _DirectiveChecker(document, is_secrets_file=True)
    key = next(filter(is_directive_key, content.entries), "")
    if key:
        message = f"{quote_value(key)} stands on the secrets file itself, expected on a secret of it or below"
        place = document.key_span(content, key)
        yield Diagnostic(place, "ET212", message, f"write it inside each secret; {_escape_hint(key)}", key=key)
    else:
        yield from checker.check_value(content, (), is_variable=False)


class _DirectiveChecker(NamedTuple):
    document: Document
    is_secrets_file: bool = False

    def check_section(self, section: MappingNode, path: KeyPath) -> Iterator[Diagnostic]:
        """Check an `execution_environment`: directives work below it, but not on it."""
        for key, node in section.entries.items():
            if is_directive_key(key):
                name = quote_value(key)
                message = f"{name} stands on '{EXECUTION_ENVIRONMENT}' itself, expected on a section of it or below"
                hint = "write it inside each section, such as 'config'"
                yield self._finding_at_key(section, key, (*path, key), "ET212", message, hint)
            else:
                yield from self.check_value(node, (*path, key), is_variable=key == "env_vars")

    def check_misplaced(self) -> Iterator[Diagnostic]:
        """Report directives outside the `execution_environment` of layers."""
        is_policy = self.document.location.kind is Kind.POLICY
        for path, node in walk_outside_layers(self.document):
            # JSON Schema has `$` keys, too.
            if (is_policy and path[:1] == ("schema",)) or not isinstance(node, MappingNode) or not is_directive(node):
                continue
            key = next((key for key in node.entries if key in _DIRECTIVE_KEYS), "")
            if key:
                message = f"'{key}' stands where no directive works, expected a plain value"
                hint = f"directives work inside '{EXECUTION_ENVIRONMENT}' of a layer; write the value itself"
                yield self._finding_at_key(node, key, path, "ET212", message, hint)

    def check_value(self, node: Node, path: KeyPath, *, is_variable: bool) -> Iterator[Diagnostic]:
        """Check a value in which directives work; `is_variable` is set among variables, which are never lists."""
        if isinstance(node, SequenceNode):
            yield from self._check_elements(node, path)
        elif isinstance(node, MappingNode):
            directive_keys = [key for key in node.entries if is_directive_key(key)]
            if not directive_keys:
                for key, child in node.entries.items():
                    yield from self.check_value(child, (*path, key), is_variable=is_variable)
            elif len(directive_keys) < len(node.entries):
                yield self._mixed_keys_finding(node, directive_keys[0], path)
            else:
                yield from self._check_directive(node, path, is_variable=is_variable)

    def _check_elements(self, node: SequenceNode, path: KeyPath) -> Iterator[Diagnostic]:
        for inner_path, inner in walk(node, path):
            key = next(filter(is_directive_key, inner.entries), "") if isinstance(inner, MappingNode) else ""
            if isinstance(inner, MappingNode) and key:
                message = f"{quote_value(key)} stands inside a list element, where no directive works"
                hint = (
                    f"write the directive in the place of the whole list, such as {{$remove: […]}}; {_escape_hint(key)}"
                )
                yield self._finding_at_key(inner, key, inner_path, "ET212", message, hint)

    def _mixed_keys_finding(self, node: MappingNode, key: str, path: KeyPath) -> Diagnostic:
        plain_key = next(entry_key for entry_key in node.entries if not is_directive_key(entry_key))
        message = (
            f"{quote_value(key)} stands beside {quote_value(plain_key)}, but all keys of a directive begin with '$'"
        )
        if key in ("$value", "$replace"):
            hint = f"put {quote_value(plain_key)} inside '{key}'"
        elif key in _CONDITIONS:
            hint = f"put the other keys inside '$value' beside it: {{$value: {{{truncate(plain_key)}: …}}, {key}: …}}"
        elif key in _ACTIONS:
            hint = f"keep one of them; {_escape_hint(key)}"
        else:
            nearest = nearest_name(key, _DIRECTIVE_KEYS)
            hint = f"did you mean '{nearest}'? {_escape_hint(key)}" if nearest else _escape_hint(key)
        related = (RelatedSpan(self.document.key_span(node, plain_key), "the other key"),)
        return self._finding_at_key(node, key, path, "ET211", message, hint)._replace(related=related)

    def _check_directive(self, node: MappingNode, path: KeyPath, *, is_variable: bool) -> Iterator[Diagnostic]:
        unknown = [key for key in node.entries if key not in _DIRECTIVE_KEYS]
        for key in unknown:
            nearest = nearest_name(key, _DIRECTIVE_KEYS)
            hint = (
                f"did you mean '{nearest}'?"
                if nearest
                else f"{did_you_mean(key, _DIRECTIVE_KEYS)}; {_escape_hint(key)}"
            )
            yield self._finding_at_key(node, key, path, "ET211", f"{quote_value(key)} is not a directive", hint)
        list_actions = [key for key in node.entries if key in _LIST_ACTIONS]
        if not unknown:
            yield from self._check_combination(node, path)
        if is_variable and list_actions:
            message = f"'{list_actions[0]}' stands among variables, which are text and never lists"
            hint = "write the text itself, or keep the list in 'config'"
            yield self._finding_at_key(node, list_actions[0], path, "ET212", message, hint)
            return
        if self.is_secrets_file and "$remove" in node.entries:
            message = "'$remove' stands in a secrets file, whose elements cannot be compared without the key"
            hint = "write the whole list as it should be: {$replace: […]}"
            yield self._finding_at_key(node, "$remove", path, "ET212", message, hint)
        for key, operand in node.entries.items():
            yield from self._check_operand(key, operand, path, is_variable=is_variable)

    def _check_combination(self, node: MappingNode, path: KeyPath) -> Iterator[Diagnostic]:
        """Check the combination: one action, or a removal and one addition; conditions only if a value remains."""
        actions = [key for key in node.entries if key in _ACTIONS]
        conditions = [key for key in node.entries if key in _CONDITIONS]
        alternatives = [key for key in actions if key != "$remove"] if set(actions) <= set(_LIST_ACTIONS) else actions
        if len(alternatives) > 1:
            first, second = alternatives[:2]
            related = (RelatedSpan(self.document.key_span(node, first), "the first action"),)
            message = f"'{second}' stands beside '{first}', but a directive has one action"
            hint = "keep one of them; only '$remove' goes with '$append' or '$prepend'"
            yield self._finding_at_key(node, second, path, "ET211", message, hint)._replace(related=related)
        elif not actions:
            message = f"'{conditions[0]}' stands alone, expected an action beside it"
            hint = f"write {{$value: …, {conditions[0]}: …}}"
            yield self._finding_at_key(node, conditions[0], path, "ET211", message, hint)
        elif conditions and actions == ["$delete"]:
            message = f"'{conditions[0]}' does not go with '$delete'"
            yield self._finding_at_key(node, conditions[0], path, "ET211", message, f"remove '{conditions[0]}'")

    def _check_operand(self, key: str, node: Node, path: KeyPath, *, is_variable: bool) -> Iterator[Diagnostic]:
        if key in _LIST_ACTIONS:
            if isinstance(node, SequenceNode):
                yield from self._check_elements(node, path)
            else:
                yield self._operand_finding(key, node, path, "a list", f"write {key}: […]")
        elif key in ("$value", "$replace"):
            if is_directive(node):
                hint = "write one directive: the inner one replaces the outer one"
                yield self._operand_finding(key, node, path, "a value", hint)
            else:
                yield from self.check_value(node, path, is_variable=is_variable)
        elif key == "$expect":
            if not _is_scalar_of(node, _EXPECTATIONS):
                hint = "'exists': a layer below has the value; 'new': none has it"
                yield self._operand_finding(key, node, path, "'exists' or 'new'", hint)
        elif key in _DIRECTIVE_KEYS and not _is_scalar_of(node, (True,)):
            yield self._operand_finding(key, node, path, "true", f"write true, or remove '{key}'")

    def _operand_finding(self, key: str, node: Node, path: KeyPath, expected: str, hint: str) -> Diagnostic:
        actual = (
            "a directive"
            if is_directive(node)
            else "false"
            if node.value is False
            else type_name(json_type(node.value))
        )
        message = f"'{key}' holds {actual}, expected {expected}"
        return Diagnostic(self.document.span(node), "ET211", message, hint, key=format_path((*path, key)))

    def _finding_at_key(
        self, node: MappingNode, key: str, path: KeyPath, code: str, message: str, hint: str
    ) -> Diagnostic:
        return Diagnostic(self.document.key_span(node, key), code, message, hint, key=format_path(path))


def _escape_hint(key: str) -> str:
    return f"write {quote_value('$' + key)} if it is an ordinary key"


def _is_scalar_of(node: Node, words: tuple[str | bool, ...]) -> bool:
    """Report whether a scalar is one of the words; an encrypted one is compared by its type and length."""
    if not isinstance(node, ScalarNode):
        return False
    if isinstance(node.value, EncryptedValue):
        return any(node.value.length == len(str(word)) and node.value.type == type(word).__name__ for word in words)
    return any(node.value is word or (isinstance(word, str) and node.value == word) for word in words)
