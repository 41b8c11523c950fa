"""What differs, in words: the same ones for a terminal and for a comment on a pull request."""

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
    """What somebody wants to know first, the most important first; there are two at least, and the last is the rest."""
    told = []
    sure = {id for change in diff.changes if not change.reencrypted for id in change.bundles}
    for changed, one, many in (
        ([id for id in diff.changed if id in sure], "gets new values", "get new values"),
        ([id for id in diff.changed if id not in sure], "has secrets encrypted anew", "have secrets encrypted anew"),
    ):
        if changed:
            told.append(_environment_counts_phrase(changed, (one, many), diff, quote))
    for kind, how in (("added", "new in"), ("removed", "gone from")):
        ids = [one.id for one in diff.bundles if one.kind == kind]
        if ids:
            verb = "is" if count_agents(ids) == 1 else "are"
            told.append(f"{_agent_count_phrase(ids)} {verb} {how} {_environment_phrase(ids, quote)}")
    if diff.not_compared:
        told.append(f"{plural(len(diff.not_compared), 'bundle')} could not be compared")
    if not told:
        return ["no bundle changes", f"{plural(diff.bundle_count, 'bundle')} compared"]
    return [*told, f"{diff.unchanged} of {plural(diff.bundle_count, 'bundle')} unaffected"]


def _environment_counts_phrase(
    ids: Sequence[str], verbs: tuple[str, str], diff: Diff, quote: Callable[[str], str]
) -> str:
    counts = count_by_environment(ids, diff.environments)
    (first, number), *others = counts[:_MAX_NAMED_ENVIRONMENTS]
    listed = [f"{plural(number, 'agent')} {verbs[number > 1]} in {quote(first)}"]
    listed += [f"{count} in {quote(name)}" for name, count in others]
    if len(counts) > _MAX_NAMED_ENVIRONMENTS:
        listed.append(f"and more in {plural(len(counts) - _MAX_NAMED_ENVIRONMENTS, 'more environment')}")
    return ", ".join(listed)


def _agent_count_phrase(ids: Sequence[str]) -> str:
    return plural(count_agents(ids), "agent")


def _environment_phrase(ids: Iterable[str], quote: Callable[[str], str]) -> str:
    names = {*map(environment_of, ids)}
    return quote(names.pop()) if len(names) == 1 else f"{len(names)} environments"


class CauseGroup(NamedTuple):
    """Changes that have the same causes."""

    causes: tuple[Cause, ...]
    changes: tuple[ValueChange, ...]

    @property
    def bundles(self) -> tuple[str, ...]:
        """The bundles that show any of them."""
        return affected_bundles(self.changes)

    @property
    def has_same_bundles(self) -> bool:
        """Whether all of them are in the same bundles."""
        return all(change.bundles == self.changes[0].bundles for change in self.changes)


def group_by_causes(diff: Diff) -> list[CauseGroup]:
    """The changes by what caused them: those of the most important environment first, then those in most bundles."""
    groups: dict[tuple[Cause, ...], list[ValueChange]] = {}
    for change in _without_implied(diff.changes):
        groups.setdefault(change.causes, []).append(change)
    ranks = {name: rank for rank, name in enumerate(diff.environments)}
    # Thousands of changes may be in the same thousands of bundles.
    known: dict[int, tuple[int, int]] = {}

    def weight(caused: CauseGroup) -> tuple[int, int]:
        ids = caused.bundles
        if id(ids) not in known:
            known[id(ids)] = min(ranks.get(name, len(ranks)) for name in {*map(environment_of, ids)}), -len(ids)
        return known[id(ids)]

    caused = [CauseGroup(causes, tuple(_merge_indistinguishable(changes))) for causes, changes in groups.items()]
    return sorted(caused, key=lambda one: (weight(one), one.causes))


def group_by_file(groups: Iterable[CauseGroup]) -> list[list[CauseGroup]]:
    """Neighbours that single lines of one file have caused in the same bundles, together."""
    found: list[list[CauseGroup]] = []
    for one in groups:
        last = found[-1][-1] if found else None
        if (
            last
            and one.has_same_bundles
            and last.has_same_bundles
            and _only_file(one) == _only_file(last) != ""
            and one.bundles == last.bundles
        ):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _only_file(group: CauseGroup) -> str:
    return group.causes[0].path if len(group.causes) == 1 else ""


def group_bundles_by_cause(diff: Diff) -> list[tuple[ChangeKind, tuple[Cause, ...], list[str]]]:
    """The bundles that are new or gone, by why they are."""
    groups: dict[tuple[ChangeKind, tuple[Cause, ...]], list[str]] = {}
    for one in diff.bundles:
        groups.setdefault((one.kind, one.causes), []).append(one.id)
    return [(kind, causes, ids) for (kind, causes), ids in groups.items()]


def _without_implied(changes: Sequence[ValueChange]) -> Iterator[ValueChange]:
    """The changes without what goes without saying."""
    listed = [change for change in changes if change.section == "secrets"]
    filled = [change for change in changes if change.kind == "added"]
    emptied = [change for change in changes if change.kind == "removed"]
    for change in changes:
        # A variable is injected because `secrets` lists it.
        implied = change.section == "env_vars" and change.sensitive
        if implied and any(one[1:3] == change[1:3] and one.bundles == change.bundles for one in listed):
            continue
        # A map is no longer empty because something is in it now, or the other way round.
        if change.kind == "removed" and change.old == {} and _contains_any(change, filled):
            continue
        if change.kind == "added" and change.new == {} and _contains_any(change, emptied):
            continue
        yield change


def _contains_any(change: ValueChange, candidates: Iterable[ValueChange]) -> bool:
    inside = f"{change.key}."
    return any(
        other.section == change.section and other.key.startswith(inside) and other.bundles == change.bundles
        for other in candidates
    )


def _merge_indistinguishable(changes: Iterable[ValueChange]) -> Iterator[ValueChange]:
    """The changes with those in one that people cannot tell apart: of values that are cut, or not shown."""
    found: dict[tuple[object, ...], list[ValueChange]] = {}
    for change in changes:
        found.setdefault((change.kind, change.section, change.key, *describe_value_change(change)), []).append(change)
    for same in found.values():
        yield same[0] if len(same) == 1 else same[0]._replace(bundles=affected_bundles(same))


def cause_locations(causes: Sequence[Cause]) -> list[str]:
    """The causes as places, each with what happened to the line."""
    return [f"{cause.path}:{cause.line} ({cause.action})" for cause in causes]


def secrets_file_notes(file: SecretsFileChange) -> Iterator[tuple[TextPiece, ...]]:
    """What there is to say of a secrets file, a sentence each."""
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
        # Who once had the data key can open what is encrypted with it for ever.
        kept = () if file.reencrypted else (plain_piece("(the data key is the same: rotate it, and the secrets)"),)
        yield from (
            (plain_piece("can no longer be read by"), *_reader_pieces(reader), *kept) for reader in file.readers_removed
        )
    for leaf in file.leaves:
        if leaf.kind != "reencrypted":
            yield TextPiece(leaf.key), plain_piece(f"{leaf.kind}, line {leaf.line}")


def _reader_pieces(reader: SecretsFileReader) -> tuple[TextPiece, ...]:
    if not reader.person:
        return (TextPiece(f"{reader.kind} {reader.key}"),)
    # Beside a name the beginning of a public key is enough to recognise it.
    key = reader.key if len(reader.key) <= _KEY_LENGTH else f"{reader.key[: _KEY_LENGTH - 1]}…"
    return TextPiece(reader.person), plain_piece("with"), TextPiece(f"{reader.kind} {key}")


def describe_rule_change(rule: RuleChange) -> tuple[TextPiece, ...]:
    """What happened to a rule."""
    name = (TextPiece(rule.name),) if rule.name else ()
    return plain_piece(rule.rule), *name, plain_piece(rule.kind)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, the worst first; what differs in the hint alone is one."""
    ordered = sorted(findings, key=lambda one: _SEVERITIES.index(one.severity))
    distinct = {(one.severity, one.diagnostic.span, *one.diagnostic[1:3]): one for one in ordered}
    return list(distinct.values())
