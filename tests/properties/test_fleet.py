"""Fleet queries on random organizations: no answer omits a bundle, and unused values can be removed."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from envtree.engine.run import Run
from envtree.model.canonical_json import encode_canonical
from envtree.model.keypath import format_path
from envtree.model.nodes import MappingNode, Node, SequenceNode
from envtree.model.resolved import Bundle
from envtree.model.resource import Resource
from envtree.model.span import Span
from envtree.output.bundle_cells import flatten_bundle
from envtree.output.emit import bundle_json
from envtree.queries.fleet.impact import impact
from envtree.queries.fleet.matrix import matrix
from envtree.queries.fleet.parity import parity
from envtree.queries.fleet.unused import unused
from tests.properties.layering import Tree
from tests.properties.merging import Plain
from tests.properties.organizations import Organization, organizations
from tests.properties.sections import chance
from tests.properties.test_organizations import SLOW
from tests.properties.writing import block_text, flow_text, seal
from tests.support.rounds import rounds
from tests.support.trees import make_request, start_run

Path = tuple[str | int, ...]


def anything(_: str) -> bool:
    return True


def files(drawn: Organization) -> dict[str, str]:
    """Return the files of a drawn tree."""
    sealed = {path: seal(data) for path, data in drawn.secrets.items()}
    write = flow_text if drawn.flow else block_text
    return {path: write(data) for path, data in {**drawn.tree, **sealed}.items()}


def begin(drawn: Organization) -> Run:
    return start_run(make_request(files(drawn)))


def bundles(drawn: Organization) -> dict[str, Bundle] | None:
    """Return the bundles of a drawn tree by id, with their secrets known; None if it has an error."""
    plain = {path.removesuffix(".secrets.yaml"): data for path, data in drawn.secrets.items()}
    run = start_run(make_request(files(drawn), plain))
    by_id = {bundle.target.id: bundle for bundle in run.bundles()}
    return None if run.error_monitor.has_errors() else by_id


def values(drawn: Organization) -> dict[str, bytes] | None:
    """Return the bytes of the bundles of a drawn tree; None if it has an error."""
    by_id = bundles(drawn)
    return (
        None if by_id is None else {id: encode_canonical(bundle_json(bundle, "plain")) for id, bundle in by_id.items()}
    )


def sound(drawn: Organization) -> dict[str, bytes]:
    """Return the bytes of the bundles; reject trees without bundles or with errors."""
    by_id = values(drawn)
    assume(by_id)
    assert by_id
    event("bundles")
    return by_id


# Changes of a tree.


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all scalars and lists."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    else:
        yield path
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from leaves(item, (*path, index))


def changed(value: Any, draw: st.DataObject) -> Any:
    """Draw a different value."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return draw.draw(st.sampled_from([value + 1, "text"]))
    if isinstance(value, list):
        return draw.draw(st.sampled_from([value[:-1], value[::-1], [*value, "extra"]]))
    if isinstance(value, Plain):
        return draw.draw(st.sampled_from(["text", 5]))
    names = ["x", "base", "development", "staging", "production", "same", "token", "db.password", "exists"]
    return draw.draw(st.sampled_from(names))


def with_value(drawn: Organization, file: str, path: Path, value: Any) -> Organization:
    """Return the tree with another value in one place."""
    tree, secrets = copy.deepcopy((drawn.tree, drawn.secrets))
    holder: Any = {**tree, **secrets}[file]
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return Organization(tree, secrets, drawn.flow, drawn.wild)


def without(drawn: Organization, places: list[tuple[str, Path]], *, tidy: bool) -> Organization:
    """Return the tree without some values; `tidy` also removes the maps that are empty then, as sops requires."""
    tree, secrets = copy.deepcopy((drawn.tree, drawn.secrets))
    for file, path in places:
        remove({**tree, **secrets}[file], path, tidy=tidy or file in secrets)
    return Organization(tree, {file: data for file, data in secrets.items() if data}, drawn.flow, drawn.wild)


def remove(holder: Any, path: Path, *, tidy: bool) -> None:
    """Remove one value; lists have one element here, so no index shifts."""
    first, *rest = path
    if rest:
        remove(holder[first], tuple(rest), tidy=tidy)
    if not rest or (tidy and not holder[first]):
        del holder[first]


# Queries.


@settings(SLOW, max_examples=rounds(gate=10, full=25))
@given(organizations(), st.data())
def test_a_change_of_a_file_reaches_no_bundle_that_impact_leaves_out(drawn: Organization, data: st.DataObject) -> None:
    before = sound(drawn)
    all_files: Tree = {**drawn.tree, **drawn.secrets}
    file = data.draw(st.sampled_from(sorted(path for path in all_files if list(leaves(all_files[path])))))
    path = data.draw(st.sampled_from(list(leaves(all_files[file]))))
    (file_impact,) = impact(begin(drawn), (file,))
    old: Any = all_files[file]
    for step in path:
        old = old[step]
    # SOPS files have no null.
    new = None if file in drawn.tree and data.draw(chance(10)) else changed(old, data)
    after = values(with_value(drawn, file, path, new))
    if after is None:
        return
    differing = {id for id in before if before[id] != after.get(id)}
    event(f"changes {'some' if differing else 'no'} bundle")
    assert differing <= {*file_impact.bundles}


@settings(SLOW, max_examples=rounds(gate=10, full=25))
@given(organizations(), st.booleans())
def test_what_is_unused_can_go(drawn: Organization, tidy: bool) -> None:
    before = sound(drawn)
    run = begin(drawn)
    findings = [finding.diagnostic for finding in unused(run) if finding.diagnostic.code in ("ET453", "ET652")]
    places = [(finding.span.path, place_of(run.files[finding.span.path], finding.span)) for finding in findings]
    event(f"unused: {len(findings)}")
    for removed in [*([place] for place in places), places]:
        assert values(without(drawn, removed, tidy=tidy)) == before


def place_of(file: Resource, span: Span) -> Path:
    """Return the path of the value at a place in a file."""
    roots = (file.document.root, *([file.secrets_file.content] if file.secrets_file else []))
    (place,) = {path for root in roots for path, node in nodes(root, ()) if node.mark == span[1:]}
    return place


def nodes(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    yield path, node
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from nodes(child, (*path, key))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from nodes(item, (*path, index))


@settings(SLOW, max_examples=rounds(gate=10, full=25))
@given(organizations(), st.data())
def test_the_rows_of_a_matrix_are_all_bundles(drawn: Organization, data: st.DataObject) -> None:
    sound(drawn)
    all_bundles = bundles(drawn)
    assert all_bundles
    cells_by_id = {id: flatten_bundle(bundle) for id, bundle in all_bundles.items()}
    paths = {path for cells in cells_by_id.values() for path in cells if path[0] != "organization"}
    path = data.draw(st.sampled_from(sorted(paths)))
    answer = matrix(begin(drawn), format_path(path))
    ids = [*answer.missing, *(id for row in answer.rows for id in row.bundles)]
    assert sorted(ids) == sorted(all_bundles)
    for row in answer.rows:
        assert row.origins
        for cell in (cells_by_id[id][path] for id in row.bundles if path in cells_by_id[id]):
            assert (cell.value, cell.is_secret) == (row.value, row.sensitive)
    assert all(path not in cells_by_id[id] for id in answer.missing)
    marks = [
        {cells_by_id[id][path].comparison_key for id in row.bundles if path in cells_by_id[id]} for row in answer.rows
    ]
    assert len(frozenset().union(*marks)) == sum(map(len, marks))


@settings(SLOW, max_examples=rounds(gate=10, full=25))
@given(organizations())
def test_parity_is_symmetric_and_complete(drawn: Organization) -> None:
    sound(drawn)
    all_bundles = bundles(drawn)
    assert all_bundles
    names = sorted({bundle.target.environment for bundle in all_bundles.values()})
    assume(len(names) > 1)
    first, second, *_ = names
    forward, backward = parity(begin(drawn), first, second, anything), parity(begin(drawn), second, first, anything)
    assert (forward.missing_keys, forward.type_mismatches, forward.unpaired_agents) == (
        backward.missing_keys,
        backward.type_mismatches,
        backward.unpaired_agents,
    )
    for id, bundle in all_bundles.items():
        agent, _, name = id.partition("@")
        twin = all_bundles.get(f"{agent}@{second}")
        if name != first or twin is None:
            continue
        own_names, twin_names = ({*bundle_json(side, None)["env_vars"]} for side in (bundle, twin))
        reported = {missing.key.removeprefix("env_vars.") for missing in forward.missing_keys if missing.bundles}
        assert own_names ^ twin_names <= reported
