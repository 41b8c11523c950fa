"""The impact of files for people: the number of bundles, where they are, and the use of each value."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from envtree.diagnostics.summary import plural
from envtree.model.sops_rule import CODE_OWNERS_FILE
from envtree.model.source import Kind
from envtree.queries.fleet.declaration_usage import Usage
from envtree.queries.fleet.impact import Impact
from envtree.report.bundle_summary import distribution_rows
from envtree.report.terminal_lines import (
    BOLD,
    DIM,
    StyledLine,
    format_table,
    render_lines,
    short_location,
    truncate_items,
)

_MAX_LISTED_BUNDLES = 3
_MAX_LOCATIONS = 3
_MAX_MENTIONS = 10
_RELATION_PHRASES = {"layer": "fed by", "rule": "checked by", "mention": "governed by", "template": "put into"}


def render_impact(impacts: Sequence[Impact], all_ids: Sequence[str], *, color: bool, verbose: bool) -> str:
    """Return the impact of files on `all_ids`; with `verbose` every bundle is named."""
    lines: list[StyledLine] = []
    if len(impacts) > 1:
        union = sorted({id for impact in impacts for id in impact.bundles})
        lines.append(StyledLine(_count_sentence(union, all_ids, f"fed by these {len(impacts)} files"), BOLD))
        lines += [*_distribution_lines(union, all_ids, verbose), StyledLine("")]
    for impact in impacts:
        lines += [*_impact_lines(impact, all_ids, verbose), StyledLine("")]
    return render_lines(lines[:-1], color=color)


def _impact_lines(impact: Impact, all_ids: Sequence[str], verbose: bool) -> Iterator[StyledLine]:
    if impact.relation == "unread":
        yield StyledLine(f"nothing is read from {impact.path}", BOLD)
    elif impact.relation == "apart":
        yield StyledLine(f"no bundle holds anything of {impact.path}: it is for the control plane alone", BOLD)
    elif impact.relation == "access":
        yield from _access_lines(impact)
    else:
        relation = "equipped with" if impact.kind is Kind.SKILL else _RELATION_PHRASES[impact.relation]
        yield StyledLine(_count_sentence(impact.bundles, all_ids, f"{relation} {impact.path}"), BOLD)
    if impact.unaffected_count:
        yield StyledLine(f"  none of its values counts in {impact.unaffected_count} of them")
    yield from _distribution_lines(impact.bundles, all_ids, verbose)
    if impact.keys:
        yield StyledLine("")
        yield from _usage_lines(impact.keys)
    if impact.mentions:
        locations = [f"  {short_location(span)}" for span in impact.mentions]
        listed_locations = locations if verbose else truncate_items(locations, _MAX_MENTIONS, "place")
        yield from (StyledLine(""), StyledLine("named in"), *map(StyledLine, listed_locations))


def _access_lines(impact: Impact) -> Iterator[StyledLine]:
    if PurePosixPath(impact.path).name == CODE_OWNERS_FILE:
        effect = "'envtree secrets sync' writes into it who owns what"
    elif impact.governed_files:
        effect = f"it says for whom sops encrypts {plural(len(impact.governed_files), 'secrets file')}"
    else:
        effect = "it says for whom sops encrypts, and no secrets file falls under it"
    yield StyledLine(f"no bundle holds anything of {impact.path}: {effect}", BOLD)
    if impact.governed_files:
        rows = [(str(rule.line), path) for path, rule in impact.governed_files]
        yield from (
            StyledLine(""),
            *(StyledLine(f"  {row}") for row in format_table([("rule", "secrets file"), *rows], frozenset({0}))),
        )


def _count_sentence(ids: Sequence[str], all_ids: Sequence[str], phrase: str) -> str:
    if not ids:
        return f"no bundle is {phrase}"
    if len(ids) == len(all_ids):
        return (
            f"all {plural(len(all_ids), 'bundle')} are {phrase}" if len(all_ids) > 1 else f"the one bundle is {phrase}"
        )
    return f"{len(ids)} of {plural(len(all_ids), 'bundle')} {'is' if len(ids) == 1 else 'are'} {phrase}"


def _distribution_lines(ids: Sequence[str], all_ids: Sequence[str], verbose: bool) -> Iterator[StyledLine]:
    if verbose or len(ids) <= _MAX_LISTED_BUNDLES:
        yield from (StyledLine(f"  {id}") for id in ids)
    else:
        yield from (StyledLine(f"  {row}") for row in format_table(distribution_rows(ids, all_ids)))


def _usage_lines(usages: Sequence[Usage]) -> Iterator[StyledLine]:
    rows = [("line", "key", "counts in", "shadowed in")]
    styles = [DIM]
    for usage in usages:
        shadowed = sorted(usage.shadowed_by.items(), key=lambda item: (-len(item[1]), item[0]))
        overrides = truncate_items(
            [f"{len(bundles)} by {short_location(span)}" for span, bundles in shadowed], _MAX_LOCATIONS, "place"
        )
        first, *rest = overrides or [""]
        rows.append((str(usage.span.line), usage.key, str(len(usage.effective_in)), first))
        rows += [("", "", "", override) for override in rest]
        styles += ["" if usage.effective_in else DIM] * (1 + len(rest))
    for text, style in zip(format_table(rows, right_aligned=frozenset({0, 2})), styles, strict=True):
        yield StyledLine(f"  {text}", style)
