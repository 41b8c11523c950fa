"""What differs, in words: the same ones for a terminal and for a comment on a pull request."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.model import Cause, Change, Diff, Kind, Reader, RuleChange, SecretsFileChange, union
from envtree.report import plural
from envtree.report.change_values import Piece, what, words
from envtree.report.gist import agents, by_environment, environment_of

_NAMED_ENVIRONMENTS = 4
_KEY = 20
_SEVERITIES = ("error", "warning", "info", "off")


def clauses(diff: Diff, quoted: Callable[[str], str] = str) -> list[str]:
    """What somebody wants to know first, the most important first; there are two at least, and the last is the rest."""
    told = []
    sure = {id for change in diff.changes if not change.reencrypted for id in change.bundles}
    for changed, one, many in (
        ([id for id in diff.changed if id in sure], "gets new values", "get new values"),
        ([id for id in diff.changed if id not in sure], "has secrets encrypted anew", "have secrets encrypted anew"),
    ):
        if changed:
            told.append(_in_environments(changed, (one, many), diff, quoted))
    for kind, how in (("added", "new in"), ("removed", "gone from")):
        ids = [one.id for one in diff.bundles if one.kind == kind]
        if ids:
            told.append(f"{_agents(ids)} {'is' if agents(ids) == 1 else 'are'} {how} {_environments(ids, quoted)}")
    if diff.spoiled:
        told.append(f"{plural(len(diff.spoiled), 'bundle')} could not be compared")
    if not told:
        return ["no bundle changes", f"{plural(diff.total, 'bundle')} compared"]
    return [*told, f"{diff.unchanged} of {plural(diff.total, 'bundle')} unaffected"]


def _in_environments(ids: Sequence[str], verbs: tuple[str, str], diff: Diff, quoted: Callable[[str], str]) -> str:
    counts = by_environment(ids, diff.environments)
    (first, number), *others = counts[:_NAMED_ENVIRONMENTS]
    listed = [f"{plural(number, 'agent')} {verbs[number > 1]} in {quoted(first)}"]
    listed += [f"{count} in {quoted(name)}" for name, count in others]
    if len(counts) > _NAMED_ENVIRONMENTS:
        listed.append(f"and more in {plural(len(counts) - _NAMED_ENVIRONMENTS, 'more environment')}")
    return ", ".join(listed)


def _agents(ids: Sequence[str]) -> str:
    return plural(agents(ids), "agent")


def _environments(ids: Iterable[str], quoted: Callable[[str], str]) -> str:
    names = {*map(environment_of, ids)}
    return quoted(names.pop()) if len(names) == 1 else f"{len(names)} environments"


class Caused(NamedTuple):
    """Changes that have the same causes."""

    causes: tuple[Cause, ...]
    changes: tuple[Change, ...]

    @property
    def bundles(self) -> tuple[str, ...]:
        """The bundles that show any of them."""
        return union(self.changes)

    @property
    def alike(self) -> bool:
        """Whether all of them are in the same bundles."""
        return all(change.bundles == self.changes[0].bundles for change in self.changes)


def by_causes(diff: Diff) -> list[Caused]:
    """The changes by what caused them: those of the most important environment first, then those in most bundles."""
    groups: dict[tuple[Cause, ...], list[Change]] = {}
    for change in _told(diff.changes):
        groups.setdefault(change.causes, []).append(change)
    ranks = {name: rank for rank, name in enumerate(diff.environments)}
    # Thousands of changes may be in the same thousands of bundles.
    known: dict[int, tuple[int, int]] = {}

    def weight(caused: Caused) -> tuple[int, int]:
        ids = caused.bundles
        if id(ids) not in known:
            known[id(ids)] = min(ranks.get(name, len(ranks)) for name in {*map(environment_of, ids)}), -len(ids)
        return known[id(ids)]

    caused = [Caused(causes, tuple(_alike(changes))) for causes, changes in groups.items()]
    return sorted(caused, key=lambda one: (weight(one), one.causes))


def by_file(caused: Iterable[Caused]) -> list[list[Caused]]:
    """Neighbours that single lines of one file have caused in the same bundles, together."""
    found: list[list[Caused]] = []
    for one in caused:
        last = found[-1][-1] if found else None
        if last and one.alike and last.alike and _file(one) == _file(last) != "" and one.bundles == last.bundles:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _file(caused: Caused) -> str:
    return caused.causes[0].path if len(caused.causes) == 1 else ""


def by_cause_of_bundles(diff: Diff) -> list[tuple[Kind, tuple[Cause, ...], list[str]]]:
    """The bundles that are new or gone, by why they are."""
    groups: dict[tuple[Kind, tuple[Cause, ...]], list[str]] = {}
    for one in diff.bundles:
        groups.setdefault((one.kind, one.causes), []).append(one.id)
    return [(kind, causes, ids) for (kind, causes), ids in groups.items()]


def _told(changes: Sequence[Change]) -> Iterator[Change]:
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
        if change.kind == "removed" and change.old == {} and _is_around(change, filled):
            continue
        if change.kind == "added" and change.new == {} and _is_around(change, emptied):
            continue
        yield change


def _is_around(change: Change, others: Iterable[Change]) -> bool:
    inside = f"{change.key}."
    return any(
        other.section == change.section and other.key.startswith(inside) and other.bundles == change.bundles
        for other in others
    )


def _alike(changes: Iterable[Change]) -> Iterator[Change]:
    """The changes with those in one that people cannot tell apart: of values that are cut, or not shown."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        found.setdefault((change.kind, change.section, change.key, *what(change)), []).append(change)
    for same in found.values():
        yield same[0] if len(same) == 1 else same[0]._replace(bundles=union(same))


def places(causes: Sequence[Cause]) -> list[str]:
    """The causes as places, each with what happened to the line."""
    return [f"{cause.path}:{cause.line} ({cause.action})" for cause in causes]


def secrets_notes(file: SecretsFileChange) -> Iterator[tuple[Piece, ...]]:
    """What there is to say of a secrets file, a sentence each."""
    if file.copied_from:
        yield words("moved from" if file.moved else "copied from"), Piece(file.copied_from)
    if file.reencrypted:
        yield (words("encrypted anew with another data key: whether its values changed takes a key to tell"),)
    if file.rolled_back:
        yield (words("rolled back: it is older than what it replaces"),)
    if file.kind != "removed":
        now = "now " if file.kind == "changed" else ""
        yield from ((words(f"can {now}be read by"), *_reader(reader)) for reader in file.readers_added)
    if file.kind == "changed":
        # Who once had the data key can open what is encrypted with it for ever.
        kept = () if file.reencrypted else (words("(the data key is the same: rotate it, and the secrets)"),)
        yield from ((words("can no longer be read by"), *_reader(reader), *kept) for reader in file.readers_removed)
    for leaf in file.leaves:
        if leaf.kind != "reencrypted":
            yield Piece(leaf.key), words(f"{leaf.kind}, line {leaf.line}")


def _reader(reader: Reader) -> tuple[Piece, ...]:
    if not reader.person:
        return (Piece(f"{reader.kind} {reader.key}"),)
    # Beside a name the beginning of a public key is enough to recognise it.
    key = reader.key if len(reader.key) <= _KEY else f"{reader.key[: _KEY - 1]}…"
    return Piece(reader.person), words("with"), Piece(f"{reader.kind} {key}")


def rule_sentence(rule: RuleChange) -> tuple[Piece, ...]:
    """What happened to a rule."""
    name = (Piece(rule.name),) if rule.name else ()
    return words(rule.rule), *name, words(rule.kind)


def findings(found: Iterable[Finding]) -> list[Finding]:
    """The findings, the worst first; what differs in the hint alone is one."""
    ordered = sorted(found, key=lambda one: _SEVERITIES.index(one.severity))
    distinct = {(one.severity, one.diagnostic.span, *one.diagnostic[1:3]): one for one in ordered}
    return list(distinct.values())
