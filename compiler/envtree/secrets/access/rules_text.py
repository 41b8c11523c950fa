"""Write the creation rules of `.sops.yaml`: a block of rules for the declared readers, before those of others."""

from hashlib import sha256

from envtree.frontend.link.creation_rules import RULES, read_rules
from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics, Refusal
from envtree.model.nodes import Document, Scalar, Sequence
from envtree.model.secrets_file import age_kind
from envtree.model.sops_rule import RulesDocument, RulesFile
from envtree.model.source import Kind, Location, Source
from envtree.secrets.access.audience import RuleReaders
from envtree.secrets.access.block import Parts, newline, split

_PLACE = Location(Kind.CREATION_RULES, "", "", "")
_HEAD = "# Which keys sops encrypts a new file to.\n"


def rules_text(text: str | None, path: str, audiences: list[RuleReaders]) -> str | None:
    """The text of a `.sops.yaml` with the rules for the audiences; None where there is nothing to write."""
    parts = split(text, path) if text is not None else None
    if not audiences and parts is None:
        return text
    if parts is None:
        parts = _place(text, path) if text else Parts(f"{_HEAD}{RULES}:\n", "  ", "")
    return parts.filled([line for one in audiences for line in _rule(one)])


def read_text(text: str, path: str, inside: str) -> RulesFile:
    """The rules of a text that was put together here; a Refusal if it is not what YAML readers can use."""
    findings = Diagnostics()
    data = text.encode("utf-8", "surrogateescape")
    document = parse(Source(path, _PLACE, data, sha256(data).hexdigest()), findings)
    if document is None:
        hint = f"write '{RULES}' as a list with one '-' to a line"
        raise Refusal("ET808", f"there is no place for generated rules in '{path}'", hint)
    return read_rules(RulesDocument(document, inside), Diagnostics())


def check_rules(file: RulesFile, audiences: list[RuleReaders]) -> None:
    """Make sure that every audience has its rule, as it was meant; a Refusal if the file does not say so."""
    for one in audiences:
        wanted = {(age_kind(key), key) for key in one.age} | {("pgp", key) for key in one.pgp}
        rules = [rule for rule in file.rules if rule.pattern == one.pattern]
        if not any({(key.kind, key.value) for key in rule.keys} == wanted and len(rule.groups) == 1 for rule in rules):
            message = f"the rule for {one.name} cannot be written into '{file.path}'"
            raise Refusal("ET808", message, "move the file away, and have a new one written")


def _place(text: str, path: str) -> Parts:
    """Where the block goes in a file without one: in front of all rules, for the first that matches counts."""
    data = text.encode("utf-8", "surrogateescape")
    document = parse(Source(path, _PLACE, data, ""), Diagnostics())
    if document is None:
        raise Refusal("ET808", f"'{path}' cannot be read", "correct it: 'envtree check' tells what is wrong")
    lines = text.splitlines(keepends=True)
    node = document.root.entries.get(RULES)
    if node is None:
        gap = "" if not text or text.endswith("\n") else newline(text)
        return Parts(f"{text}{gap}{RULES}:{newline(text)}", "  ", "")
    at = document.root.keys[RULES][0]
    indent = _indent(node, document, lines)
    if indent is None:
        hint = f"write '{RULES}' as a list with one '-' to a line"
        raise Refusal("ET808", f"there is no place for generated rules in '{path}'", hint)
    before = "".join(lines[:at])
    return Parts(before if before.endswith("\n") else before + newline(text), indent, "".join(lines[at:]))


def _indent(node: object, document: Document, lines: list[str]) -> str | None:
    """How far the rules are indented; None for a list in brackets, into which no lines can be put."""
    key = document.root.keys[RULES][0]
    if isinstance(node, Scalar):
        return "  " if node.value is None and lines[key - 1].split("#")[0].rstrip().endswith(":") else None
    if not isinstance(node, Sequence) or not node.items:
        return None
    for line in lines[key : node.items[0].at[0]]:
        stripped = line.lstrip(" ")
        if stripped.startswith("-"):
            return line[: len(line) - len(stripped)]
    return None


def _rule(one: RuleReaders) -> list[str]:
    quoted = one.pattern.replace("'", "''")
    lines = [f"# {one.name}: {', '.join(one.people)}", f"- path_regex: '{quoted}'"]
    for kind, keys in (("age", one.age), ("pgp", one.pgp)):
        if keys:
            lines += [f"  {kind}: >-", *(f"    {key}," for key in keys[:-1]), f"    {keys[-1]}"]
    return lines
