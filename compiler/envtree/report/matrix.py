"""One key over all bundles, for people: each value, how many bundles have it, who wrote it, and where they are."""

from collections import Counter
from collections.abc import Iterator, Sequence

from envtree.model.canonical_json import compact
from envtree.queries.fleet.matrix import Matrix, Row
from envtree.report import plural
from envtree.report.gist import spread
from envtree.report.lines import BOLD, DIM, Line, painted_lines, place, shortened, some

_FEW = 3
_MOST_ROWS = 40
_MOST_PLACES = 3


def matrix_text(matrix: Matrix, *, color: bool, whole: bool) -> str:
    """The values of a key, those of most bundles first; with `whole` every value and every bundle is told."""
    every = [*matrix.missing, *(id for row in matrix.rows for id in row.bundles)]
    width = len(str(max(len(matrix.missing), *(len(row.bundles) for row in matrix.rows))))
    lines = [Line(f"{matrix.key} has {plural(len(matrix.rows), 'value')} in {_bundles(matrix)}", BOLD)]
    rows = matrix.rows if whole else matrix.rows[:_MOST_ROWS]
    cut = Counter(_value(row, whole=False) for row in matrix.rows)
    for row in rows:
        # Of values that begin alike, the end tells them apart.
        value = _value(row, whole=whole or cut[_value(row, whole=False)] > 1)
        lines += [Line(""), Line(f"  {len(row.bundles):>{width}}  {value}", BOLD), *_row(row, every, width, whole)]
    if len(rows) < len(matrix.rows):
        lines += [Line(""), Line(f"and {len(matrix.rows) - len(rows)} more values (-v lists them)")]
    if matrix.missing:
        lines += [Line(""), Line(f"  {len(matrix.missing):>{width}}  (not set)", DIM)]
        lines += _where(matrix.missing, every, width, whole)
    return painted_lines(lines, color=color)


def _bundles(matrix: Matrix) -> str:
    count = matrix.bundles - len(matrix.missing)
    return f"{count} of {plural(matrix.bundles, 'bundle')}" if matrix.missing else plural(count, "bundle")


def _row(row: Row, every: Sequence[str], width: int, whole: bool) -> Iterator[Line]:
    places = list(dict.fromkeys(place(span) for span in row.origins))
    indent = " " * (width + 4)
    yield from (Line(f"{indent}{each}") for each in (places if whole else some(places, _MOST_PLACES, "place")))
    yield from _where(row.bundles, every, width, whole)


def _where(ids: Sequence[str], every: Sequence[str], width: int, whole: bool) -> Iterator[Line]:
    indent = " " * (width + 4)
    if whole or len(ids) <= _FEW:
        yield from (Line(f"{indent}{id}") for id in ids)
    else:
        for name, count, projects in spread(ids, every):
            yield Line(f"{indent}{name}, {count}: {projects}")


def _value(row: Row, *, whole: bool) -> str:
    if row.sensitive:
        return "(secret)"
    if row.unknown:
        return "(depends on an input)"
    if isinstance(row.value, dict) and row.value.keys() == {"source", "path"}:
        return f"{row.value['source']}#{row.value['path']}"
    return compact(row.value) if whole else shortened(row.value)
