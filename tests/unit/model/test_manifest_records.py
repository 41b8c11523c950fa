"""The records of a manifest as text are those that they were made from, wherever the text is cut."""

from collections.abc import Mapping
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from envtree.model.artifact import Manifest, Output, WrittenRecords
from envtree.model.canonical_json import encode_canonical
from envtree.model.manifest_records import ManifestRecord, ManifestRecords, project_of
from envtree.system.disk import manifest_from_pieces, parse_manifest

NAMES = st.sampled_from(("a", "a-b", "a-b-c", "a0", "ab", "b", "z9"))
IDS = st.builds("{}/{}/{}@{}".format, NAMES, NAMES, NAMES, st.sampled_from(("dev", "prod")))
FILES = st.dictionaries(
    st.sampled_from((".env", "bundle.json", 'a "sha256": "b', "x{}}", "y\n    }")),
    st.tuples(st.sampled_from(("0" * 64, "f" * 64)), st.integers(0, 1 << 40)),
    max_size=3,
)
RECORDS = st.dictionaries(
    IDS, st.builds(ManifestRecord, st.sampled_from(("dev/a", "dev/a b")), st.just("sha256:0"), FILES)
)


def data(records: Mapping[str, ManifestRecord]) -> bytes:
    """The manifest, made from nothing but plain data."""
    bundles = {id: record.to_json() for id, record in records.items()}
    return encode_canonical({"envtree": "1", "edition": 2026, "mode": "ref", "inputs": {"X": "}"}, "bundles": bundles})


@given(RECORDS)
def test_text_and_records_are_one(records: dict[str, ManifestRecord]) -> None:
    kept = ManifestRecords.from_records(records.items())
    manifest = Manifest(2026, "ref", {"X": "}"}, kept)
    text = b"".join(manifest.pieces())
    assert text == data(records)
    assert dict(kept) == records
    assert list(kept) == sorted(records) == list(orjson.loads(text)["bundles"])
    assert (len(kept), sum(kept.file_counts())) == (len(records), sum(len(one.files) for one in records.values()))
    assert all(kept[id] == records[id] for id in records)
    assert "a/b@none" not in kept
    trace = manifest.compute_digest()
    known = manifest_from_pieces([*manifest.pieces()], trace)
    assert known == parse_manifest(text) == manifest
    assert known.bundles.project_texts == kept.project_texts
    assert known.compute_digest() == trace == parse_manifest(text).compute_digest()


@given(RECORDS, RECORDS, st.sets(NAMES))
def test_what_a_run_leaves_of_another(
    old: dict[str, ManifestRecord], new: dict[str, ManifestRecord], selected: set[str]
) -> None:
    new = {id: record for id, record in new.items() if project_of(id) in selected}
    output = Output(Path("out"), None, "ref", 2026, {"Y": "1"}, lambda id: project_of(id) in selected)
    before = Manifest(2026, "ref", {"X": "1"}, ManifestRecords.from_records(old.items()))
    after = output.next_manifest(before, WrittenRecords(ManifestRecords.from_records(new.items())))
    kept = {id: record for id, record in old.items() if project_of(id) not in selected}
    assert dict(after.bundles) == kept | new
    assert after.inputs == ({"X": "1", "Y": "1"} if kept else {"Y": "1"})
    assert set(before.removed_ids(after)) == {id for id in old if id not in kept and id not in new}
