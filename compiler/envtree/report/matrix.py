"""The values of a key for people: the number and the distribution of their bundles, and the places that set them."""

from collections import Counter
from collections.abc import Iterator, Sequence

from envtree.diagnostics.summary import plural
from envtree.model.canonical_json import encode_compact
from envtree.queries.fleet.matrix import Matrix, MatrixRow
from envtree.report.bundle_summary import distribution_rows
from envtree.report.terminal_lines import (
    BOLD,
    DIM,
    StyledLine,
    render_lines,
    short_location,
    shorten_value,
    truncate_items,
)

_MAX_LISTED_BUNDLES = 3
_MAX_ROWS = 40
_MAX_LOCATIONS = 3


def render_matrix(matrix: Matrix, *, color: bool, verbose: bool) -> str:
    """Return the values of a key, those of most bundles first; with `verbose` every value and bundle is listed."""
    all_ids = [*matrix.missing, *(id for row in matrix.rows for id in row.bundles)]
    width = len(str(max(len(matrix.missing), *(len(row.bundles) for row in matrix.rows))))
    lines = [StyledLine(f"{matrix.key} has {plural(len(matrix.rows), 'value')} in {_bundle_count(matrix)}", BOLD)]
    rows = matrix.rows if verbose else matrix.rows[:_MAX_ROWS]
    cut_values = Counter(_value_text(row, verbose=False) for row in matrix.rows)
    for row in rows:
        # Values that look the same when cut are shown in full.
        value = _value_text(row, verbose=verbose or cut_values[_value_text(row, verbose=False)] > 1)
        lines += [
            StyledLine(""),
            StyledLine(f"  {len(row.bundles):>{width}}  {value}", BOLD),
            *_row_lines(row, all_ids, width, verbose),
        ]
    if len(rows) < len(matrix.rows):
        lines += [StyledLine(""), StyledLine(f"and {len(matrix.rows) - len(rows)} more values (-v lists them)")]
    if matrix.missing:
        lines += [StyledLine(""), StyledLine(f"  {len(matrix.missing):>{width}}  (not set)", DIM)]
        lines += _distribution_lines(matrix.missing, all_ids, width, verbose)
    return render_lines(lines, color=color)


def _bundle_count(matrix: Matrix) -> str:
    count = matrix.bundle_count - len(matrix.missing)
    return f"{count} of {plural(matrix.bundle_count, 'bundle')}" if matrix.missing else plural(count, "bundle")


def _row_lines(row: MatrixRow, all_ids: Sequence[str], width: int, verbose: bool) -> Iterator[StyledLine]:
    locations = list(dict.fromkeys(short_location(span) for span in row.origins))
    indent = " " * (width + 4)
    yield from (
        StyledLine(f"{indent}{location}")
        for location in (locations if verbose else truncate_items(locations, _MAX_LOCATIONS, "place"))
    )
    yield from _distribution_lines(row.bundles, all_ids, width, verbose)


def _distribution_lines(ids: Sequence[str], all_ids: Sequence[str], width: int, verbose: bool) -> Iterator[StyledLine]:
    indent = " " * (width + 4)
    if verbose or len(ids) <= _MAX_LISTED_BUNDLES:
        yield from (StyledLine(f"{indent}{id}") for id in ids)
    else:
        for name, count, projects in distribution_rows(ids, all_ids):
            yield StyledLine(f"{indent}{name}, {count}: {projects}")


def _value_text(row: MatrixRow, *, verbose: bool) -> str:
    if row.sensitive:
        return "(secret)"
    if row.unknown:
        return "(depends on an input)"
    if isinstance(row.value, dict) and row.value.keys() == {"source", "path"}:
        return f"{row.value['source']}#{row.value['path']}"
    return encode_compact(row.value) if verbose else shorten_value(row.value)
