"""Random edits of random organizations: what diff tells is the difference of what compile writes."""

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
from tests.support.trees import MemoryTree, start_run

SCALAR_SECTIONS = ("organization", "model_id", "working_dir", "integration_ids")
MAPS = ("config", "endpoints", "feature_flags", "mcp_servers")


def written(drawn: Organization) -> dict[str, str]:
    sealed = {path: seal(data) for path, data in drawn.secrets.items()}
    return {path: block_text(data) for path, data in {**drawn.tree, **sealed}.items()}


def compiled(
    drawn: Organization, memory: DocumentCache
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]] | None:
    """The bundles with references, and with plaintext; None if there is an error."""
    tree = MemoryTree(written(drawn))
    run = start_run(tree_request(tree, decrypter=lambda policy: OpenBook(drawn.secrets), document_cache=memory))
    bundles = {bundle.target.id: bundle for bundle in run.bundles()}
    if run.error_monitor.has_errors():
        return None
    refs, plain = ({id: bundle_json(one, mode) for id, one in bundles.items()} for mode in ("ref", "plain"))
    return refs, plain


def asked(drawn: Organization, memory: DocumentCache) -> Request:
    return tree_request(MemoryTree(written(drawn)), allow_empty=True, document_cache=memory)


def flat(bundle: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """A bundle as keys and values, written without a look at the program."""
    found: dict[tuple[str, str], Any] = {}
    for section in SCALAR_SECTIONS:
        if bundle[section] not in (None, []):
            found[section, ""] = bundle[section]
    for section in ("env_vars", "secrets"):
        found |= {(section, format_path((key,))): value for key, value in bundle[section].items()}
    agenda: list[tuple[str, tuple[str, ...], Any]]
    agenda = [(section, (key,), value) for section in MAPS for key, value in bundle[section].items()]
    while agenda:
        section, path, value = agenda.pop()
        if isinstance(value, dict) and value and not {*value} <= {"$secret", "$template"}:
            agenda += [(section, (*path, key), inner) for key, inner in value.items()]
        else:
            found[section, format_path(path)] = value
    return found


def is_same(one: Any, other: Any) -> bool:
    """Equal, and of the same types, whatever the order of keys."""
    return one is other if ... in (one, other) else encode_canonical(one) == encode_canonical(other)


def assert_told(base: Organization, head: Organization) -> None:
    memory: DocumentCache = {}
    old, new = compiled(base, memory), compiled(head, memory)
    assume(old is not None)
    assume(new is not None)
    assert old
    assert new
    one, other = asked(base, memory), asked(head, memory)
    found = compare_both_ways(one, other)
    assert {*found.bundle_ids("added")} == new[0].keys() - old[0].keys()
    assert {*found.bundle_ids("removed")} == old[0].keys() - new[0].keys()
    shared = old[0].keys() & new[0].keys()
    for id in shared:
        told = {(one.section, one.key): one for one in found.changes if id in one.bundles}
        before, after = flat(old[0][id]), flat(new[0][id])
        both_keys = before.keys() | after.keys()
        wrong = {key for key in both_keys if not is_same(before.get(key, ...), after.get(key, ...))}
        clear, hidden = ({key for key, one in told.items() if one.sensitive is which} for which in (False, True))
        assert wrong <= clear | hidden
        assert clear <= wrong
        for key in clear:
            assert is_same([told[key].old, told[key].new], [before.get(key), after.get(key)])
        if not told:
            assert encode_canonical(old[1][id]) == encode_canonical(new[1][id])
        plain = [flat(side[1][id]) for side in (old, new)]
        for key in hidden - wrong:
            assert not is_same(*(side.get(key, ...) for side in plain)), "an untouched secret is told as a change"
    assert {*found.affected} <= find_affected(start_run(one), start_run(other)), "--changed-since misses a bundle"
    assert found.unchanged == len(shared - {*found.changed})
    event("changes" if found.changes else "bundles" if found.bundles else "nothing")
    assert_caused(found, written(base), written(head))


def assert_caused(found: Diff, base: dict[str, str], head: dict[str, str]) -> None:
    """Every difference has causes, and they are lines that somebody wrote, changed or took out."""
    told = [(one, one.causes) for one in found.changes] + [(one, one.causes) for one in found.bundles]
    for change, causes in told:
        assert causes, change
        for cause in causes:
            old, new = (side.get(cause.path, "").splitlines() for side in (base, head))
            assert old != new, (change, cause)
            assert is_edited(cause, old, new), (change, cause, old, new)


def is_edited(cause: Cause, old: list[str], new: list[str]) -> bool:
    mine, other = map(placed, (old, new) if cause.action == "removed" else (new, old))
    if cause.line == 1 and not other:
        return True
    line = mine[cause.line - 1]
    # Where a line stands many times, which of them is new is anybody's guess.
    return mine.count(line) != other.count(line) or _moved(mine, other, cause.line - 1)


def placed(lines: list[str]) -> list[str]:
    """Each line behind the keys that it stands below: the same line elsewhere is another one."""
    found: list[str] = []
    above: list[str] = []
    for line in lines:
        above = [*above[: (len(line) - len(line.lstrip())) // 2], line.strip()]
        found.append("\n".join([*(key.partition(":")[0] for key in above[:-1]), above[-1]]))
    return found


def _moved(mine: list[str], other: list[str], at: int) -> bool:
    matcher = difflib.SequenceMatcher(None, other, mine, autojunk=False)
    kept = {block.b + n for block in matcher.get_matching_blocks() for n in range(block.size)}
    return at not in kept or mine.count(mine[at]) > 1


@settings(SLOW, max_examples=30)
@given(pairs())
def test_diff_tells_what_differs(drawn: tuple[Organization, Organization]) -> None:
    assert_told(*drawn)


@pytest.mark.slow
@settings(SLOW, max_examples=1000)
@given(pairs())
def test_diff_tells_what_differs_for_long(drawn: tuple[Organization, Organization]) -> None:
    assert_told(*drawn)
