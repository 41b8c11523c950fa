"""A comparison of two environments, for people."""

from collections.abc import Sequence

from envtree.diagnostics.summary import plural
from envtree.model.span import Span
from envtree.queries.fleet.parity import MissingKey, Parity
from envtree.report.bundle_summary import count_agents
from envtree.report.terminal_lines import BOLD, DIM, StyledLine, format_table, render_lines, short_location


def render_parity(parity: Parity, *, color: bool, verbose: bool) -> str:
    """Return the differences in keys, types and agents; with `verbose` every bundle is named."""
    lines = [StyledLine(_parity_summary(parity), BOLD)]
    for name in parity.environments:
        missing_keys = [
            missing for missing in parity.missing_keys if missing.present_in == name and not missing.is_expected
        ]
        lines += _block(f"keys of {name} only", _key_lines(missing_keys, verbose))
    lines += _block("keys of another type", _type_lines(parity, verbose))
    for name in parity.environments:
        unpaired_lines = [
            StyledLine(f"  {unpaired.agent}") for unpaired in parity.unpaired_agents if unpaired.present_in == name
        ]
        lines += _block(f"agents of {name} only", unpaired_lines)
    expected = [missing for missing in parity.missing_keys if missing.is_expected]
    lines += _block("declared for one of them only", _key_lines(expected, verbose, DIM))
    return render_lines(lines, color=color)


def _parity_summary(parity: Parity) -> str:
    first, second = parity.environments
    agents_note = f"({plural(parity.agent_count, 'agent')} compared)"
    keys = {missing.key for missing in parity.missing_keys if not missing.is_expected}
    counts = (
        (len(keys), "key"),
        (len({mismatch.key for mismatch in parity.type_mismatches}), "type"),
        (len(parity.unpaired_agents), "agent"),
    )
    parts = [plural(count, noun) for count, noun in counts if count]
    if not parts:
        return f"{first} and {second} differ in no key, type or agent {agents_note}"
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{first} and {second} differ in {listed} {agents_note}"


def _block(title: str, lines: Sequence[StyledLine]) -> list[StyledLine]:
    return [StyledLine(""), StyledLine(title, BOLD), *lines] if lines else []


def _key_lines(missing_keys: Sequence[MissingKey], verbose: bool, style: str = "") -> list[StyledLine]:
    """Return a line for each key, with the number of bundles without it, and the places that set it in the others."""
    rows = [
        (f"  {missing.key}", plural(len(missing.bundles), "bundle"), _locations_phrase(missing.spans))
        for missing in missing_keys
    ]
    return [
        line
        for text, missing in zip(format_table(rows) if rows else [], missing_keys, strict=True)
        for line in (
            StyledLine(text, style),
            *(StyledLine(f"      {id}", style) for id in (missing.bundles if verbose else ())),
        )
    ]


def _type_lines(parity: Parity, verbose: bool) -> list[StyledLine]:
    lines = []
    for mismatch in parity.type_mismatches:
        types = ", ".join(f"{mismatch.types[name]} in {name}" for name in parity.environments)
        lines.append(StyledLine(f"  {mismatch.key}: {types}"))
        lines.append(
            StyledLine(f"      {plural(count_agents(mismatch.bundles), 'agent')}, {_locations_phrase(mismatch.spans)}")
        )
        lines += [StyledLine(f"      {id}") for id in mismatch.bundles] if verbose else []
    return lines


def _locations_phrase(spans: Sequence[Span]) -> str:
    """Return the first location, and how many more there are."""
    rest = f" and {plural(len(spans) - 1, 'more place')}" if len(spans) > 1 else ""
    return f"{short_location(spans[0])}{rest}" if spans else ""
