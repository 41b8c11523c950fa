"""Random organizations, asked about all their bundles: no answer leaves out a bundle, and what is unused can go."""

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
from tests.support.trees import make_request, start_run

Path = tuple[str | int, ...]


def anything(_: str) -> bool:
    return True


def files(drawn: Organization) -> dict[str, str]:
    """The files of a drawn tree."""
    sealed = {path: seal(data) for path, data in drawn.secrets.items()}
    write = flow_text if drawn.flow else block_text
    return {path: write(data) for path, data in {**drawn.tree, **sealed}.items()}


def begin(drawn: Organization) -> Run:
    return start_run(make_request(files(drawn)))


def bundles(drawn: Organization) -> dict[str, Bundle] | None:
    """The bundles of a drawn tree, their secrets known, by id; None if it has an error."""
    plain = {path.removesuffix(".secrets.yaml"): data for path, data in drawn.secrets.items()}
    run = start_run(make_request(files(drawn), plain))
    found = {bundle.target.id: bundle for bundle in run.bundles()}
    return None if run.error_monitor.has_errors() else found


def values(drawn: Organization) -> dict[str, bytes] | None:
    """The bytes of the bundles of a drawn tree."""
    found = bundles(drawn)
    return (
        None if found is None else {id: encode_canonical(bundle_json(bundle, "plain")) for id, bundle in found.items()}
    )


def sound(drawn: Organization) -> dict[str, bytes]:
    """The same, for trees with bundles and without errors only."""
    found = values(drawn)
    assume(found)
    assert found
    event("bundles")
    return found


# Changes of a tree.


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all scalars and lists."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    else:
        yield path
        for n, item in enumerate(value if isinstance(value, list) else ()):
            yield from leaves(item, (*path, n))


def changed(value: Any, draw: st.DataObject) -> Any:
    """Another value."""
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
    """The tree with another value in one place."""
    tree, secrets = copy.deepcopy((drawn.tree, drawn.secrets))
    holder: Any = {**tree, **secrets}[file]
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return Organization(tree, secrets, drawn.flow, drawn.wild)


def without(drawn: Organization, places: list[tuple[str, Path]], *, tidy: bool) -> Organization:
    """The tree without some values; a tidy person also removes the maps that are empty then, as sops demands."""
    tree, secrets = copy.deepcopy((drawn.tree, drawn.secrets))
    for file, path in places:
        remove({**tree, **secrets}[file], path, tidy=tidy or file in secrets)
    return Organization(tree, {file: data for file, data in secrets.items() if data}, drawn.flow, drawn.wild)


def remove(holder: Any, path: Path, *, tidy: bool) -> None:
    """Remove one value; lists have one element here, so none of them counts on."""
    first, *rest = path
    if rest:
        remove(holder[first], tuple(rest), tidy=tidy)
    if not rest or (tidy and not holder[first]):
        del holder[first]


# What is asked.


@settings(SLOW, max_examples=25)
@given(organizations(), st.data())
def test_a_change_of_a_file_reaches_no_bundle_that_impact_leaves_out(drawn: Organization, data: st.DataObject) -> None:
    before = sound(drawn)
    every: Tree = {**drawn.tree, **drawn.secrets}
    file = data.draw(st.sampled_from(sorted(path for path in every if list(leaves(every[path])))))
    path = data.draw(st.sampled_from(list(leaves(every[file]))))
    (found,) = impact(begin(drawn), (file,))
    old: Any = every[file]
    for step in path:
        old = old[step]
    # Sops has no null.
    new = None if file in drawn.tree and data.draw(chance(10)) else changed(old, data)
    after = values(with_value(drawn, file, path, new))
    if after is None:
        return
    differing = {id for id in before if before[id] != after.get(id)}
    event(f"changes {'some' if differing else 'no'} bundle")
    assert differing <= {*found.bundles}


@settings(SLOW, max_examples=25)
@given(organizations(), st.booleans())
def test_what_is_unused_can_go(drawn: Organization, tidy: bool) -> None:
    before = sound(drawn)
    run = begin(drawn)
    found = [one.diagnostic for one in unused(run) if one.diagnostic.code in ("ET453", "ET652")]
    places = [(one.span.path, place_of(run.files[one.span.path], one.span)) for one in found]
    event(f"unused: {len(found)}")
    for gone in [*([place] for place in places), places]:
        assert values(without(drawn, gone, tidy=tidy)) == before


def place_of(file: Resource, span: Span) -> Path:
    """The path of what stands at a place in a file."""
    roots = (file.document.root, *([file.secrets_file.content] if file.secrets_file else []))
    (found,) = {path for root in roots for path, node in nodes(root, ()) if node.mark == span[1:]}
    return found


def nodes(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    yield path, node
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from nodes(child, (*path, key))
    elif isinstance(node, SequenceNode):
        for n, item in enumerate(node.items):
            yield from nodes(item, (*path, n))


@settings(SLOW, max_examples=25)
@given(organizations(), st.data())
def test_the_rows_of_a_matrix_are_all_bundles(drawn: Organization, data: st.DataObject) -> None:
    sound(drawn)
    every = bundles(drawn)
    assert every
    known = {id: flatten_bundle(bundle) for id, bundle in every.items()}
    paths = {path for one in known.values() for path in one if path[0] != "organization"}
    path = data.draw(st.sampled_from(sorted(paths)))
    found = matrix(begin(drawn), format_path(path))
    told = [*found.missing, *(id for row in found.rows for id in row.bundles)]
    assert sorted(told) == sorted(every)
    for row in found.rows:
        assert row.origins
        for mine in (known[id][path] for id in row.bundles if path in known[id]):
            assert (mine.value, mine.is_secret) == (row.value, row.sensitive)
    assert all(path not in known[id] for id in found.missing)
    marks = [{known[id][path].comparison_key for id in row.bundles if path in known[id]} for row in found.rows]
    assert len(frozenset().union(*marks)) == sum(map(len, marks))


@settings(SLOW, max_examples=25)
@given(organizations())
def test_parity_is_symmetric_and_complete(drawn: Organization) -> None:
    sound(drawn)
    every = bundles(drawn)
    assert every
    names = sorted({bundle.target.environment for bundle in every.values()})
    assume(len(names) > 1)
    first, second, *_ = names
    one, other = parity(begin(drawn), first, second, anything), parity(begin(drawn), second, first, anything)
    assert (one.missing_keys, one.type_mismatches, one.unpaired_agents) == (
        other.missing_keys,
        other.type_mismatches,
        other.unpaired_agents,
    )
    for id, bundle in every.items():
        agent, _, name = id.partition("@")
        twin = every.get(f"{agent}@{second}")
        if name != first or twin is None:
            continue
        here, there = ({*bundle_json(side, None)["env_vars"]} for side in (bundle, twin))
        told = {missing.key.removeprefix("env_vars.") for missing in one.missing_keys if missing.bundles}
        assert here ^ there <= told
