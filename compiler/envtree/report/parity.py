"""Two environments side by side, for people."""

from collections.abc import Sequence

from envtree.model.span import Span
from envtree.queries.fleet.parity import Missing, Parity
from envtree.report import plural
from envtree.report.gist import agents
from envtree.report.lines import BOLD, DIM, Line, painted_lines, place, table


def parity_text(parity: Parity, *, color: bool, whole: bool) -> str:
    """All that differs in kind; with `whole` every bundle is named."""
    lines = [Line(_sentence(parity), BOLD)]
    for name in parity.environments:
        found = [one for one in parity.missing if one.present == name and not one.expected]
        lines += _block(f"keys of {name} only", _keys(found, whole))
    lines += _block("keys of another type", _types(parity, whole))
    for name in parity.environments:
        lone = [Line(f"  {one.agent}") for one in parity.lone if one.present == name]
        lines += _block(f"agents of {name} only", lone)
    expected = [one for one in parity.missing if one.expected]
    lines += _block("declared for one of them only", _keys(expected, whole, DIM))
    return painted_lines(lines, color=color)


def _sentence(parity: Parity) -> str:
    one, other = parity.environments
    compared = f"({plural(parity.agents, 'agent')} compared)"
    keys = {missing.key for missing in parity.missing if not missing.expected}
    counts = ((len(keys), "key"), (len({types.key for types in parity.types}), "type"), (len(parity.lone), "agent"))
    parts = [plural(count, noun) for count, noun in counts if count]
    if not parts:
        return f"{one} and {other} differ in no key, type or agent {compared}"
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{one} and {other} differ in {listed} {compared}"


def _block(title: str, lines: Sequence[Line]) -> list[Line]:
    return [Line(""), Line(title, BOLD), *lines] if lines else []


def _keys(found: Sequence[Missing], whole: bool, hue: str = "") -> list[Line]:
    """The keys, each with how many bundles lack it, and where the others have it from."""
    rows = [(f"  {one.key}", plural(len(one.bundles), "bundle"), _places(one.places)) for one in found]
    return [
        line
        for text, one in zip(table(rows) if rows else [], found, strict=True)
        for line in (Line(text, hue), *(Line(f"      {id}", hue) for id in (one.bundles if whole else ())))
    ]


def _types(parity: Parity, whole: bool) -> list[Line]:
    lines = []
    for one in parity.types:
        types = ", ".join(f"{one.types[name]} in {name}" for name in parity.environments)
        lines.append(Line(f"  {one.key}: {types}"))
        lines.append(Line(f"      {plural(agents(one.bundles), 'agent')}, {_places(one.places)}"))
        lines += [Line(f"      {id}") for id in one.bundles] if whole else []
    return lines


def _places(spans: Sequence[Span]) -> str:
    """The first place, and how many more there are."""
    rest = f" and {plural(len(spans) - 1, 'more place')}" if len(spans) > 1 else ""
    return f"{place(spans[0])}{rest}" if spans else ""
