"""A diff in words, the same in a terminal and in a comment on a pull request."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.summary import plural
from envtree.queries.diff.diff_model import (
    Cause,
    ChangeKind,
    Diff,
    RuleChange,
    SecretsFileChange,
    SecretsFileReader,
    ValueChange,
    affected_bundles,
)
from envtree.report.bundle_summary import count_agents, count_by_environment, environment_of
from envtree.report.value_changes import TextPiece, describe_value_change, plain_piece

_MAX_NAMED_ENVIRONMENTS = 4
_KEY_LENGTH = 20
_SEVERITIES = ("error", "warning", "info", "off")


def summary_clauses(diff: Diff, quote: Callable[[str], str] = str) -> list[str]:
    """Return a summary of a diff as clauses, the most important first.

    There are at least two; the last one counts the other bundles.
    """
    clauses = []
    surely_changed = {id for change in diff.changes if not change.reencrypted for id in change.bundles}
    for changed, singular, plural_verb in (
        ([id for id in diff.changed if id in surely_changed], "gets new values", "get new values"),
        (
            [id for id in diff.changed if id not in surely_changed],
            "has secrets encrypted anew",
            "have secrets encrypted anew",
        ),
    ):
        if changed:
            clauses.append(_environment_counts_phrase(changed, (singular, plural_verb), diff, quote))
    for kind, phrase in (("added", "new in"), ("removed", "gone from")):
        ids = [bundle.id for bundle in diff.bundles if bundle.kind == kind]
        if ids:
            verb = "is" if count_agents(ids) == 1 else "are"
            clauses.append(f"{_agent_count_phrase(ids)} {verb} {phrase} {_environment_phrase(ids, quote)}")
    if diff.not_compared:
        clauses.append(f"{plural(len(diff.not_compared), 'bundle')} could not be compared")
    if not clauses:
        return ["no bundle changes", f"{plural(diff.bundle_count, 'bundle')} compared"]
    return [*clauses, f"{diff.unchanged} of {plural(diff.bundle_count, 'bundle')} unaffected"]


def _environment_counts_phrase(
    ids: Sequence[str], verbs: tuple[str, str], diff: Diff, quote: Callable[[str], str]
) -> str:
    counts = count_by_environment(ids, diff.environments)
    (first, number), *rest = counts[:_MAX_NAMED_ENVIRONMENTS]
    listed = [f"{plural(number, 'agent')} {verbs[number > 1]} in {quote(first)}"]
    listed += [f"{count} in {quote(name)}" for name, count in rest]
    if len(counts) > _MAX_NAMED_ENVIRONMENTS:
        listed.append(f"and more in {plural(len(counts) - _MAX_NAMED_ENVIRONMENTS, 'more environment')}")
    return ", ".join(listed)


def _agent_count_phrase(ids: Sequence[str]) -> str:
    return plural(count_agents(ids), "agent")


def _environment_phrase(ids: Iterable[str], quote: Callable[[str], str]) -> str:
    names = {*map(environment_of, ids)}
    return quote(names.pop()) if len(names) == 1 else f"{len(names)} environments"


class CauseGroup(NamedTuple):
    """Changes with the same causes."""

    causes: tuple[Cause, ...]
    changes: tuple[ValueChange, ...]

    @property
    def bundles(self) -> tuple[str, ...]:
        """The bundles that show any of the changes."""
        return affected_bundles(self.changes)

    @property
    def has_same_bundles(self) -> bool:
        """Whether all changes are in the same bundles."""
        return all(change.bundles == self.changes[0].bundles for change in self.changes)


def group_by_causes(diff: Diff) -> list[CauseGroup]:
    """Group changes by cause: those of the most important environment first, then those in most bundles."""
    groups: dict[tuple[Cause, ...], list[ValueChange]] = {}
    for change in _without_implied(diff.changes):
        groups.setdefault(change.causes, []).append(change)
    ranks = {name: rank for rank, name in enumerate(diff.environments)}
    # Thousands of changes may share the same list of thousands of bundles.
    weights: dict[int, tuple[int, int]] = {}

    def weight(group: CauseGroup) -> tuple[int, int]:
        ids = group.bundles
        if id(ids) not in weights:
            weights[id(ids)] = min(ranks.get(name, len(ranks)) for name in {*map(environment_of, ids)}), -len(ids)
        return weights[id(ids)]

    cause_groups = [CauseGroup(causes, tuple(_merge_indistinguishable(changes))) for causes, changes in groups.items()]
    return sorted(cause_groups, key=lambda group: (weight(group), group.causes))


def group_by_file(groups: Iterable[CauseGroup]) -> list[list[CauseGroup]]:
    """Join consecutive groups if each is caused by a single line, in the same file, and affects the same bundles."""
    joined: list[list[CauseGroup]] = []
    for group in groups:
        previous = joined[-1][-1] if joined else None
        if (
            previous
            and group.has_same_bundles
            and previous.has_same_bundles
            and _only_file(group) == _only_file(previous) != ""
            and group.bundles == previous.bundles
        ):
            joined[-1].append(group)
        else:
            joined.append([group])
    return joined


def _only_file(group: CauseGroup) -> str:
    return group.causes[0].path if len(group.causes) == 1 else ""


def group_bundles_by_cause(diff: Diff) -> list[tuple[ChangeKind, tuple[Cause, ...], list[str]]]:
    """Return the bundles that are new or gone, grouped by kind and causes."""
    groups: dict[tuple[ChangeKind, tuple[Cause, ...]], list[str]] = {}
    for bundle in diff.bundles:
        groups.setdefault((bundle.kind, bundle.causes), []).append(bundle.id)
    return [(kind, causes, ids) for (kind, causes), ids in groups.items()]


def _without_implied(changes: Sequence[ValueChange]) -> Iterator[ValueChange]:
    """Yield the changes without those that another change implies."""
    secrets_changes = [change for change in changes if change.section == "secrets"]
    added = [change for change in changes if change.kind == "added"]
    removed = [change for change in changes if change.kind == "removed"]
    for change in changes:
        # A variable is injected because `secrets` lists it.
        may_be_implied = change.section == "env_vars" and change.sensitive
        if may_be_implied and any(
            secrets_change[1:3] == change[1:3] and secrets_change.bundles == change.bundles
            for secrets_change in secrets_changes
        ):
            continue
        # A map is no longer empty because it has a key now, or the other way round.
        if change.kind == "removed" and change.old == {} and _contains_any(change, added):
            continue
        if change.kind == "added" and change.new == {} and _contains_any(change, removed):
            continue
        yield change


def _contains_any(change: ValueChange, candidates: Iterable[ValueChange]) -> bool:
    prefix = f"{change.key}."
    return any(
        candidate.section == change.section and candidate.key.startswith(prefix) and candidate.bundles == change.bundles
        for candidate in candidates
    )


def _merge_indistinguishable(changes: Iterable[ValueChange]) -> Iterator[ValueChange]:
    """Merge changes that look the same because their values are cut, or hidden."""
    by_description: dict[tuple[object, ...], list[ValueChange]] = {}
    for change in changes:
        by_description.setdefault((change.kind, change.section, change.key, *describe_value_change(change)), []).append(
            change
        )
    for group in by_description.values():
        yield group[0] if len(group) == 1 else group[0]._replace(bundles=affected_bundles(group))


def cause_locations(causes: Sequence[Cause]) -> list[str]:
    """Return the causes as locations, each with the change of the line."""
    return [f"{cause.path}:{cause.line} ({cause.action})" for cause in causes]


def secrets_file_notes(file: SecretsFileChange) -> Iterator[tuple[TextPiece, ...]]:
    """Yield the notes about a secrets file, a sentence each."""
    if file.copied_from:
        yield plain_piece("moved from" if file.moved else "copied from"), TextPiece(file.copied_from)
    if file.reencrypted:
        yield (plain_piece("encrypted anew with another data key: whether its values changed takes a key to tell"),)
    if file.rolled_back:
        yield (plain_piece("rolled back: it is older than what it replaces"),)
    if file.kind != "removed":
        now = "now " if file.kind == "changed" else ""
        yield from ((plain_piece(f"can {now}be read by"), *_reader_pieces(reader)) for reader in file.readers_added)
    if file.kind == "changed":
        # A former reader who kept the data key can still decrypt everything that is encrypted with it.
        advice = () if file.reencrypted else (plain_piece("(the data key is the same: rotate it, and the secrets)"),)
        yield from (
            (plain_piece("can no longer be read by"), *_reader_pieces(reader), *advice)
            for reader in file.readers_removed
        )
    for leaf in file.leaves:
        if leaf.kind != "reencrypted":
            yield TextPiece(leaf.key), plain_piece(f"{leaf.kind}, line {leaf.line}")


def _reader_pieces(reader: SecretsFileReader) -> tuple[TextPiece, ...]:
    if not reader.person:
        return (TextPiece(f"{reader.kind} {reader.key}"),)
    # After a name, the beginning of a public key is enough to recognise it.
    key = reader.key if len(reader.key) <= _KEY_LENGTH else f"{reader.key[: _KEY_LENGTH - 1]}…"
    return TextPiece(reader.person), plain_piece("with"), TextPiece(f"{reader.kind} {key}")


def describe_rule_change(rule: RuleChange) -> tuple[TextPiece, ...]:
    """Return the description of a rule change."""
    name = (TextPiece(rule.name),) if rule.name else ()
    return plain_piece(rule.rule), *name, plain_piece(rule.kind)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, the worst first, without those that differ in the hint alone."""
    ordered = sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    distinct = {(finding.severity, finding.diagnostic.span, *finding.diagnostic[1:3]): finding for finding in ordered}
    return list(distinct.values())
