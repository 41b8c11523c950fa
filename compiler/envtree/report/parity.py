"""Two environments side by side, for people."""

from collections.abc import Sequence

from envtree.diagnostics.summary import plural
from envtree.model.span import Span
from envtree.queries.fleet.parity import MissingKey, Parity
from envtree.report.bundle_summary import count_agents
from envtree.report.terminal_lines import BOLD, DIM, StyledLine, format_table, render_lines, short_location


def render_parity(parity: Parity, *, color: bool, verbose: bool) -> str:
    """All that differs in kind; with `whole` every bundle is named."""
    lines = [StyledLine(_parity_summary(parity), BOLD)]
    for name in parity.environments:
        found = [one for one in parity.missing_keys if one.present_in == name and not one.is_expected]
        lines += _block(f"keys of {name} only", _key_lines(found, verbose))
    lines += _block("keys of another type", _type_lines(parity, verbose))
    for name in parity.environments:
        lone = [StyledLine(f"  {one.agent}") for one in parity.unpaired_agents if one.present_in == name]
        lines += _block(f"agents of {name} only", lone)
    expected = [one for one in parity.missing_keys if one.is_expected]
    lines += _block("declared for one of them only", _key_lines(expected, verbose, DIM))
    return render_lines(lines, color=color)


def _parity_summary(parity: Parity) -> str:
    one, other = parity.environments
    compared = f"({plural(parity.agent_count, 'agent')} compared)"
    keys = {missing.key for missing in parity.missing_keys if not missing.is_expected}
    counts = (
        (len(keys), "key"),
        (len({types.key for types in parity.type_mismatches}), "type"),
        (len(parity.unpaired_agents), "agent"),
    )
    parts = [plural(count, noun) for count, noun in counts if count]
    if not parts:
        return f"{one} and {other} differ in no key, type or agent {compared}"
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{one} and {other} differ in {listed} {compared}"


def _block(title: str, lines: Sequence[StyledLine]) -> list[StyledLine]:
    return [StyledLine(""), StyledLine(title, BOLD), *lines] if lines else []


def _key_lines(missing_keys: Sequence[MissingKey], verbose: bool, style: str = "") -> list[StyledLine]:
    """The keys, each with how many bundles lack it, and where the others have it from."""
    rows = [(f"  {one.key}", plural(len(one.bundles), "bundle"), _locations_phrase(one.spans)) for one in missing_keys]
    return [
        line
        for text, one in zip(format_table(rows) if rows else [], missing_keys, strict=True)
        for line in (
            StyledLine(text, style),
            *(StyledLine(f"      {id}", style) for id in (one.bundles if verbose else ())),
        )
    ]


def _type_lines(parity: Parity, verbose: bool) -> list[StyledLine]:
    lines = []
    for one in parity.type_mismatches:
        types = ", ".join(f"{one.types[name]} in {name}" for name in parity.environments)
        lines.append(StyledLine(f"  {one.key}: {types}"))
        lines.append(StyledLine(f"      {plural(count_agents(one.bundles), 'agent')}, {_locations_phrase(one.spans)}"))
        lines += [StyledLine(f"      {id}") for id in one.bundles] if verbose else []
    return lines


def _locations_phrase(spans: Sequence[Span]) -> str:
    """The first place, and how many more there are."""
    rest = f" and {plural(len(spans) - 1, 'more place')}" if len(spans) > 1 else ""
    return f"{short_location(spans[0])}{rest}" if spans else ""
