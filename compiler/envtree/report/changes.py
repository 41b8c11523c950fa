"""A diff for people: what changes, in which bundles, and the lines that are the cause."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from envtree.canonical import compact
from envtree.diff.model import BundleChange, Cause, Change, Diff, LeafChange, RuleChange, SecretsFileChange
from envtree.finding import Finding
from envtree.printable import printable, printable_lines
from envtree.report import plural
from envtree.report.gist import agents, by_environment, gist

_WIDTH = 60
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLORS = {"+": "32", "-": "31", "~": "33"}
_BOLD = "1"

Painted = tuple[str, str]


def changes_text(diff: Diff, *, color: bool, whole: bool) -> str:
    """All that differs; with `whole` every bundle is named."""
    blocks = [
        ("", [line for causes, changes in by_causes(diff.changes) for line in _caused(causes, changes, whole)]),
        ("bundles", [line for bundle in diff.bundles for line in _bundle(bundle)]),
        ("secrets files", [line for file in diff.secrets for line in _secrets_file(file)]),
        ("the rules changed in this change", [line for rule in diff.rules for line in _rule(rule)]),
        ("findings that are new", [("", line) for line in findings(diff.new)]),
        ("findings that are gone", [("", line) for line in findings(diff.gone)]),
        ("not compared, for errors in either tree", [("", f"  {id}") for id in diff.spoiled]),
    ]
    lines: list[Painted] = []
    for title, block in blocks:
        if block:
            lines += [*([("", "")] if lines else []), *([(_BOLD, title)] if title else []), *block]
    return "".join(f"{_paint(line, hue, color)}\n" for hue, line in lines)


def sentence(diff: Diff) -> str:
    """What somebody wants to know first, in a sentence."""
    parts = [f"{plural(agents(diff.changed), 'agent')} {_gets(diff.changed)}"] if diff.changed else []
    for kind, words in (("added", "new"), ("removed", "gone")):
        ids = tuple(one.id for one in diff.bundles if one.kind == kind)
        if ids:
            parts.append(f"{plural(len(ids), 'bundle')} {'is' if len(ids) == 1 else 'are'} {words}")
    if diff.spoiled:
        parts.append(f"{plural(len(diff.spoiled), 'bundle')} could not be compared")
    total = diff.unchanged + len(diff.touched)
    if not parts:
        return f"no bundle changes ({total} compared)"
    return f"{', '.join(parts)}; {diff.unchanged} of {plural(total, 'bundle')} unaffected"


def told(changes: Iterable[Change]) -> Iterator[Change]:
    """The changes without what goes without saying: a variable is injected because `secrets` lists it."""
    changes = list(changes)
    listed = {(change.key, change.kind, change.bundles) for change in changes if change.section == "secrets"}
    for change in changes:
        implied = change.section == "env_vars" and change.sensitive
        if not (implied and (change.key, change.kind, change.bundles) in listed):
            yield change


def by_causes(changes: Iterable[Change]) -> list[tuple[tuple[Cause, ...], list[Change]]]:
    """The changes by what caused them: the causes that reach most bundles first."""
    groups: dict[tuple[Cause, ...], list[Change]] = {}
    for change in told(changes):
        groups.setdefault(change.causes, []).append(change)

    def weight(causes: tuple[Cause, ...]) -> tuple[int, tuple[Cause, ...]]:
        return -len({id for change in groups[causes] for id in change.bundles}), causes

    return [(causes, _alike(groups[causes])) for causes in sorted(groups, key=weight)]


def _alike(changes: Iterable[Change]) -> list[Change]:
    """The changes with those in one that people cannot tell apart: of values that are cut, or not shown."""
    found: dict[tuple[str, str, str], Change] = {}
    for change in changes:
        key = (change.kind, name_of(change), what(change))
        one = found.get(key, change)
        found[key] = one._replace(bundles=tuple(sorted({*one.bundles, *change.bundles})))
    return list(found.values())


def name_of(change: Change) -> str:
    """The key as people write it."""
    return f"{change.section}.{change.key}" if change.key else change.section


def values_of(change: Change) -> tuple[str, str]:
    """The old and the new value in words; an empty text where there is none."""
    if change.section == "secrets":
        return _source(change.old), _source(change.new)
    hidden = "(secret)" if change.sensitive else ""
    old, new = (hidden or compact(value) for value in (change.old, change.new))
    return "" if change.kind == "added" else old, "" if change.kind == "removed" else new


def where(causes: Sequence[Cause]) -> list[str]:
    """The causes as places, each with what happened to the line."""
    return [f"{cause.path}:{cause.line} ({cause.action})" for cause in causes]


def _gets(ids: Sequence[str]) -> str:
    environments = [name for name, _ in by_environment(ids)]
    listed = ", ".join(environments) if len(environments) <= 3 else f"{len(environments)} environments"
    return f"{'gets' if agents(ids) == 1 else 'get'} new values in {listed}"


def _caused(causes: Sequence[Cause], changes: Sequence[Change], whole: bool) -> Iterator[Painted]:
    for place in where(causes):
        yield _BOLD, place
    same = len({change.bundles for change in changes}) == 1
    for change in changes:
        sign = _SIGNS[change.kind]
        yield _COLORS[sign], f"  {sign} {name_of(change)}: {what(change)}"
        if not same or change is changes[-1]:
            yield "", f"    {'' if same else 'in '}{', '.join(change.bundles) if whole else gist(change.bundles)}"


def what(change: Change) -> str:
    """What happened to the value, in a few words."""
    if change.sensitive and change.kind == "changed":
        if change.reencrypted:
            return "its secret is encrypted anew, and may be the same"
        sealed = any(".secrets." in cause.path for cause in change.causes)
        return "its secret changes" if sealed else "changes around its secret"
    if isinstance(change.old, list) and isinstance(change.new, list):
        return _elements(change.old, change.new)
    old, new = (_cut(value) for value in values_of(change))
    return f"{old} → {new}" if change.kind == "changed" else old or new


def _elements(old: list[Any], new: list[Any]) -> str:
    """The elements of a list that are gone or new; only their order may differ."""
    before, after = ([compact(item) for item in side] for side in (old, new))
    gone = [item for item in before if item not in after]
    added = [item for item in after if item not in before]
    if not gone and not added:
        return f"{_cut(compact(old))} → {_cut(compact(new))}"
    return "  ".join([*(f"-{_cut(item)}" for item in gone), *(f"+{_cut(item)}" for item in added)])


def _source(value: Any) -> str:
    return f"{value['source']}#{value['path']}" if isinstance(value, dict) else ""


def _bundle(bundle: BundleChange) -> Iterator[Painted]:
    sign = _SIGNS[bundle.kind]
    yield _COLORS[sign], f"{sign} {bundle.id}"
    yield from (("", f"    {place}") for place in where(bundle.causes))


def _secrets_file(file: SecretsFileChange) -> Iterator[Painted]:
    sign = _SIGNS[file.kind]
    yield _COLORS[sign], f"{sign} {file.path}"
    yield from (("", f"    {line}") for line in secrets_notes(file))
    yield from (("", f"    {leaf_sentence(leaf)}") for leaf in file.leaves if leaf.kind != "reencrypted")


def secrets_notes(file: SecretsFileChange) -> Iterator[str]:
    """What there is to say of a secrets file as a whole."""
    if file.reencrypted:
        yield "encrypted anew with another data key: whether its values changed takes a key to tell"
    if file.rolled_back:
        yield "rolled back: it is older than what it replaces"
    for recipient in file.recipients_added:
        yield f"can now be read by {recipient}"
    for recipient in file.recipients_removed:
        rotate = "" if file.reencrypted else ", who still has the data key: rotate it, and the secrets"
        yield f"can no longer be read by {recipient}{rotate}"


def leaf_sentence(leaf: LeafChange) -> str:
    """What happened to a value in a secrets file."""
    return f"{leaf.key} {leaf.kind}, line {leaf.line}"


def rule_sentence(rule: RuleChange) -> str:
    """What happened to a rule."""
    return f"{' '.join(filter(None, (rule.rule, rule.name)))} {rule.kind}"


def _rule(rule: RuleChange) -> Iterator[Painted]:
    sign = _SIGNS[rule.kind]
    yield _COLORS[sign], f"{sign} {rule_sentence(rule)}, {rule.path}:{rule.line}"


def findings(found: Iterable[Finding]) -> list[str]:
    """The findings, a line each; what differs in the hint alone is one."""
    return list(dict.fromkeys(f"{one.span}: {severity} {one.code}: {one.message}" for one, severity, _ in found))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _paint(line: str, hue: str, color: bool) -> str:
    words = printable_lines(printable(line))
    return f"\x1b[{hue}m{words}\x1b[0m" if color and hue else words
