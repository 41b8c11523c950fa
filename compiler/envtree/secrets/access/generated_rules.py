"""Generate creation rules of `.sops.yaml`: a block of rules for the declared readers, before all other rules."""

from hashlib import sha256

from envtree.frontend.link.creation_rules import CREATION_RULES_KEY, read_creation_rules
from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics, RefusedError
from envtree.model.nodes import Document, ScalarNode, SequenceNode
from envtree.model.secrets_file import age_recipient_kind
from envtree.model.sops_rule import SopsConfig, SopsConfigDocument
from envtree.model.source import Kind, Location, Source
from envtree.secrets.access.generated_block import BlockParts, line_ending, split_at_block
from envtree.secrets.access.rule_readers import RuleReaders

_RULES_LOCATION = Location(Kind.CREATION_RULES, "", "", "")
_HEAD = "# Which keys sops encrypts a new file to.\n"


def render_rules(text: str | None, path: str, rule_readers: list[RuleReaders]) -> str | None:
    """Return the text of a `.sops.yaml` with rules for these readers; None if there is no file and no rule."""
    parts = split_at_block(text, path) if text is not None else None
    if not rule_readers and parts is None:
        return text
    if parts is None:
        parts = _split_at_rules(text, path) if text else BlockParts(f"{_HEAD}{CREATION_RULES_KEY}:\n", "  ", "")
    return parts.render([line for readers in rule_readers for line in _rule_lines(readers)])


def parse_rules(text: str, path: str, root_prefix: str) -> SopsConfig:
    """Parse the rules of a rendered text; RefusedError if it is not valid YAML."""
    findings = Diagnostics()
    data = text.encode("utf-8", "surrogateescape")
    document = parse(Source(path, _RULES_LOCATION, data, sha256(data).hexdigest()), findings)
    if document is None:
        hint = f"write '{CREATION_RULES_KEY}' as a list with one '-' to a line"
        raise RefusedError("ET808", f"there is no place for generated rules in '{path}'", hint)
    return read_creation_rules(SopsConfigDocument(document, root_prefix), Diagnostics())


def check_rules(config: SopsConfig, rule_readers: list[RuleReaders]) -> None:
    """Require that the file has a rule with exactly the keys of each group of readers; RefusedError otherwise."""
    for readers in rule_readers:
        expected = {(age_recipient_kind(key), key) for key in readers.age} | {("pgp", key) for key in readers.pgp}
        rules = [rule for rule in config.rules if rule.pattern == readers.pattern]
        if not any(
            {(key.kind, key.value) for key in rule.keys} == expected and len(rule.groups) == 1 for rule in rules
        ):
            message = f"the rule for {readers.name} cannot be written into '{config.path}'"
            raise RefusedError("ET808", message, "move the file away, and have a new one written")


def _split_at_rules(text: str, path: str) -> BlockParts:
    """Split a text without a block before its first rule, because the first matching rule counts."""
    data = text.encode("utf-8", "surrogateescape")
    document = parse(Source(path, _RULES_LOCATION, data, ""), Diagnostics())
    if document is None:
        raise RefusedError("ET808", f"'{path}' cannot be read", "correct it: 'envtree check' tells what is wrong")
    lines = text.splitlines(keepends=True)
    node = document.root.entries.get(CREATION_RULES_KEY)
    if node is None:
        gap = "" if not text or text.endswith("\n") else line_ending(text)
        return BlockParts(f"{text}{gap}{CREATION_RULES_KEY}:{line_ending(text)}", "  ", "")
    key_line = document.root.key_marks[CREATION_RULES_KEY][0]
    indent = _rule_indent(node, document, lines)
    if indent is None:
        hint = f"write '{CREATION_RULES_KEY}' as a list with one '-' to a line"
        raise RefusedError("ET808", f"there is no place for generated rules in '{path}'", hint)
    before = "".join(lines[:key_line])
    return BlockParts(
        before if before.endswith("\n") else before + line_ending(text), indent, "".join(lines[key_line:])
    )


def _rule_indent(node: object, document: Document, lines: list[str]) -> str | None:
    """Return the indentation of the rules; None for a list in brackets, into which no lines can be inserted."""
    key_line = document.root.key_marks[CREATION_RULES_KEY][0]
    if isinstance(node, ScalarNode):
        return "  " if node.value is None and lines[key_line - 1].split("#")[0].rstrip().endswith(":") else None
    if not isinstance(node, SequenceNode) or not node.items:
        return None
    for line in lines[key_line : node.items[0].mark[0]]:
        stripped = line.lstrip(" ")
        if stripped.startswith("-"):
            return line[: len(line) - len(stripped)]
    return None


def _rule_lines(readers: RuleReaders) -> list[str]:
    quoted = readers.pattern.replace("'", "''")
    lines = [f"# {readers.name}: {', '.join(readers.people)}", f"- path_regex: '{quoted}'"]
    for kind, keys in (("age", readers.age), ("pgp", readers.pgp)):
        if keys:
            lines += [f"  {kind}: >-", *(f"    {key}," for key in keys[:-1]), f"    {keys[-1]}"]
    return lines
