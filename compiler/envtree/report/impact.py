"""What files feed, for people: the number first, where the bundles are, then what becomes of each value."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from envtree.model.sops_rule import CODE_OWNERS
from envtree.model.source import Kind
from envtree.queries.fleet.impact import Impact
from envtree.queries.fleet.uses import Use
from envtree.report import plural
from envtree.report.gist import spread
from envtree.report.lines import BOLD, DIM, Line, painted_lines, place, some, table

_FEW = 3
_MOST_PLACES = 3
_MOST_NAMED = 10
_HOW = {"layer": "fed by", "rule": "checked by", "mention": "governed by", "template": "put into"}


def impact_text(found: Sequence[Impact], every: Sequence[str], *, color: bool, whole: bool) -> str:
    """All that some files feed, of `every` bundle that there is; with `whole` every bundle is named."""
    lines: list[Line] = []
    if len(found) > 1:
        union = sorted({id for one in found for id in one.bundles})
        lines.append(Line(_number(union, every, f"fed by these {len(found)} files"), BOLD))
        lines += [*_where(union, every, whole), Line("")]
    for one in found:
        lines += [*_file(one, every, whole), Line("")]
    return painted_lines(lines[:-1], color=color)


def _file(found: Impact, every: Sequence[str], whole: bool) -> Iterator[Line]:
    if found.relation == "unread":
        yield Line(f"nothing is read from {found.path}", BOLD)
    elif found.relation == "apart":
        yield Line(f"no bundle holds anything of {found.path}: it is for the control plane alone", BOLD)
    elif found.relation == "access":
        yield from _access(found)
    else:
        how = "equipped with" if found.kind is Kind.SKILL else _HOW[found.relation]
        yield Line(_number(found.bundles, every, f"{how} {found.path}"), BOLD)
    if found.idle:
        yield Line(f"  none of its values counts in {found.idle} of them")
    yield from _where(found.bundles, every, whole)
    if found.keys:
        yield Line("")
        yield from _keys(found.keys)
    if found.named:
        places = [f"  {place(span)}" for span in found.named]
        listed = places if whole else some(places, _MOST_NAMED, "place")
        yield from (Line(""), Line("named in"), *map(Line, listed))


def _access(found: Impact) -> Iterator[Line]:
    if PurePosixPath(found.path).name == CODE_OWNERS:
        said = "'envtree secrets sync' writes into it who owns what"
    elif found.governs:
        said = f"it says for whom sops encrypts {plural(len(found.governs), 'secrets file')}"
    else:
        said = "it says for whom sops encrypts, and no secrets file falls under it"
    yield Line(f"no bundle holds anything of {found.path}: {said}", BOLD)
    if found.governs:
        rows = [(str(rule.line), path) for path, rule in found.governs]
        yield from (Line(""), *(Line(f"  {row}") for row in table([("rule", "secrets file"), *rows], frozenset({0}))))


def _number(ids: Sequence[str], every: Sequence[str], how: str) -> str:
    if not ids:
        return f"no bundle is {how}"
    if len(ids) == len(every):
        return f"all {plural(len(every), 'bundle')} are {how}" if len(every) > 1 else f"the one bundle is {how}"
    return f"{len(ids)} of {plural(len(every), 'bundle')} {'is' if len(ids) == 1 else 'are'} {how}"


def _where(ids: Sequence[str], every: Sequence[str], whole: bool) -> Iterator[Line]:
    if whole or len(ids) <= _FEW:
        yield from (Line(f"  {id}") for id in ids)
    else:
        yield from (Line(f"  {row}") for row in table(spread(ids, every)))


def _keys(keys: Sequence[Use]) -> Iterator[Line]:
    rows = [("line", "key", "counts in", "shadowed in")]
    hues = [DIM]
    for key in keys:
        lost = sorted(key.lost.items(), key=lambda item: (-len(item[1]), item[0]))
        over = some([f"{len(numbers)} by {place(span)}" for span, numbers in lost], _MOST_PLACES, "place")
        first, *others = over or [""]
        rows.append((str(key.span.line), key.key, str(len(key.wins)), first))
        rows += [("", "", "", other) for other in others]
        hues += ["" if key.wins else DIM] * (1 + len(others))
    for text, hue in zip(table(rows, right=frozenset({0, 2})), hues, strict=True):
        yield Line(f"  {text}", hue)
