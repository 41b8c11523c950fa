"""Random edits of random organizations: diff reports the difference between the outputs of compile."""

import difflib
from typing import Any

import pytest
from hypothesis import assume, event, given, settings

from envtree.cli.support.session import tree_request
from envtree.engine.affected import find_affected
from envtree.engine.request import Request
from envtree.frontend.read_files import DocumentCache
from envtree.model.canonical_json import encode_canonical
from envtree.model.keypath import format_path
from envtree.output.emit import bundle_json
from envtree.queries.diff import Diff
from envtree.queries.diff.diff_model import Cause
from tests.properties.editing import pairs
from tests.properties.organizations import Organization
from tests.properties.test_organizations import SLOW
from tests.properties.writing import OpenBook, block_text, seal
from tests.support.diffs import compare_both_ways
from tests.support.rounds import rounds
from tests.support.trees import MemoryTree, start_run

SCALAR_SECTIONS = ("organization", "model_id", "working_dir", "integration_ids")
MAPS = ("config", "endpoints", "feature_flags", "mcp_servers")


def written(drawn: Organization) -> dict[str, str]:
    sealed = {path: seal(data) for path, data in drawn.secrets.items()}
    return {path: block_text(data) for path, data in {**drawn.tree, **sealed}.items()}


def compiled(
    drawn: Organization, document_cache: DocumentCache
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]] | None:
    """Return the bundles with references, and with plaintext; None if there is an error."""
    tree = MemoryTree(written(drawn))
    run = start_run(tree_request(tree, decrypter=lambda policy: OpenBook(drawn.secrets), document_cache=document_cache))
    bundles = {bundle.target.id: bundle for bundle in run.bundles()}
    if run.error_monitor.has_errors():
        return None
    refs, plain = ({id: bundle_json(bundle, mode) for id, bundle in bundles.items()} for mode in ("ref", "plain"))
    return refs, plain


def make_request(drawn: Organization, document_cache: DocumentCache) -> Request:
    return tree_request(MemoryTree(written(drawn)), allow_empty=True, document_cache=document_cache)


def flat(bundle: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Flatten a bundle to keys and values, independently of the program's own code."""
    cells: dict[tuple[str, str], Any] = {}
    for section in SCALAR_SECTIONS:
        if bundle[section] not in (None, []):
            cells[section, ""] = bundle[section]
    for section in ("env_vars", "secrets"):
        cells |= {(section, format_path((key,))): value for key, value in bundle[section].items()}
    agenda: list[tuple[str, tuple[str, ...], Any]]
    agenda = [(section, (key,), value) for section in MAPS for key, value in bundle[section].items()]
    while agenda:
        section, path, value = agenda.pop()
        if isinstance(value, dict) and value and not {*value} <= {"$secret", "$template"}:
            agenda += [(section, (*path, key), child) for key, child in value.items()]
        else:
            cells[section, format_path(path)] = value
    return cells


def is_same(left: Any, right: Any) -> bool:
    """Report whether two values are equal and of the same types, in any order of keys."""
    return left is right if ... in (left, right) else encode_canonical(left) == encode_canonical(right)


def assert_reported(base: Organization, head: Organization) -> None:
    document_cache: DocumentCache = {}
    old, new = compiled(base, document_cache), compiled(head, document_cache)
    assume(old is not None)
    assume(new is not None)
    assert old
    assert new
    base_request, head_request = make_request(base, document_cache), make_request(head, document_cache)
    diff = compare_both_ways(base_request, head_request)
    assert {*diff.bundle_ids("added")} == new[0].keys() - old[0].keys()
    assert {*diff.bundle_ids("removed")} == old[0].keys() - new[0].keys()
    shared = old[0].keys() & new[0].keys()
    for id in shared:
        reported = {(change.section, change.key): change for change in diff.changes if id in change.bundles}
        before, after = flat(old[0][id]), flat(new[0][id])
        all_keys = before.keys() | after.keys()
        changed = {key for key in all_keys if not is_same(before.get(key, ...), after.get(key, ...))}
        clear, hidden = (
            {key for key, change in reported.items() if change.sensitive is is_sensitive}
            for is_sensitive in (False, True)
        )
        assert changed <= clear | hidden
        assert clear <= changed
        for key in clear:
            assert is_same([reported[key].old, reported[key].new], [before.get(key), after.get(key)])
        if not reported:
            assert encode_canonical(old[1][id]) == encode_canonical(new[1][id])
        plain = [flat(side[1][id]) for side in (old, new)]
        for key in hidden - changed:
            assert not is_same(*(side.get(key, ...) for side in plain)), "an untouched secret is told as a change"
    affected = find_affected(start_run(base_request), start_run(head_request))
    assert {*diff.affected} <= affected, "--changed-since misses a bundle"
    assert diff.unchanged == len(shared - {*diff.changed})
    event("changes" if diff.changes else "bundles" if diff.bundles else "nothing")
    assert_caused(diff, written(base), written(head))


def assert_caused(diff: Diff, base: dict[str, str], head: dict[str, str]) -> None:
    """Check that every difference has causes, and that each is a line that was added, changed or removed."""
    reported = [(change, change.causes) for change in diff.changes] + [
        (bundle, bundle.causes) for bundle in diff.bundles
    ]
    for change, causes in reported:
        assert causes, change
        for cause in causes:
            old, new = (side.get(cause.path, "").splitlines() for side in (base, head))
            assert old != new, (change, cause)
            assert is_edited(cause, old, new), (change, cause, old, new)


def is_edited(cause: Cause, old: list[str], new: list[str]) -> bool:
    lines, other_lines = map(with_parents, (old, new) if cause.action == "removed" else (new, old))
    if cause.line == 1 and not other_lines:
        return True
    line = lines[cause.line - 1]
    # If a line occurs several times, the new occurrence cannot be identified.
    return lines.count(line) != other_lines.count(line) or _moved(lines, other_lines, cause.line - 1)


def with_parents(lines: list[str]) -> list[str]:
    """Return each line with the keys above it, so that the same line elsewhere counts as a different one."""
    result: list[str] = []
    parents: list[str] = []
    for line in lines:
        parents = [*parents[: (len(line) - len(line.lstrip())) // 2], line.strip()]
        result.append("\n".join([*(key.partition(":")[0] for key in parents[:-1]), parents[-1]]))
    return result


def _moved(lines: list[str], other_lines: list[str], index: int) -> bool:
    matcher = difflib.SequenceMatcher(None, other_lines, lines, autojunk=False)
    unmoved = {block.b + offset for block in matcher.get_matching_blocks() for offset in range(block.size)}
    return index not in unmoved or lines.count(lines[index]) > 1


@settings(SLOW, max_examples=rounds(gate=10, full=30))
@given(pairs())
def test_diff_tells_what_differs(drawn: tuple[Organization, Organization]) -> None:
    assert_reported(*drawn)


@pytest.mark.full
@settings(SLOW, max_examples=1000)
@given(pairs())
def test_diff_tells_what_differs_for_long(drawn: tuple[Organization, Organization]) -> None:
    assert_reported(*drawn)
