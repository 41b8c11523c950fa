"""The records of a manifest survive encoding as text and parsing, for any content and any split by project."""

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
    """Encode a manifest from plain data, as the expected result."""
    bundles = {id: record.to_json() for id, record in records.items()}
    return encode_canonical({"envtree": "1", "edition": 2026, "mode": "ref", "inputs": {"X": "}"}, "bundles": bundles})


@given(RECORDS)
def test_text_and_records_agree(records: dict[str, ManifestRecord]) -> None:
    encoded = ManifestRecords.from_records(records.items())
    manifest = Manifest(2026, "ref", {"X": "}"}, encoded)
    text = b"".join(manifest.pieces())
    assert text == data(records)
    assert dict(encoded) == records
    assert list(encoded) == sorted(records) == list(orjson.loads(text)["bundles"])
    file_count = sum(len(record.files) for record in records.values())
    assert (len(encoded), sum(encoded.file_counts())) == (len(records), file_count)
    assert all(encoded[id] == records[id] for id in records)
    assert "a/b@none" not in encoded
    digest = manifest.compute_digest()
    from_pieces = manifest_from_pieces([*manifest.pieces()], digest)
    assert from_pieces == parse_manifest(text) == manifest
    assert from_pieces.bundles.project_texts == encoded.project_texts
    assert from_pieces.compute_digest() == digest == parse_manifest(text).compute_digest()


@given(RECORDS, RECORDS, st.sets(NAMES))
def test_a_run_keeps_the_records_it_does_not_select(
    old: dict[str, ManifestRecord], new: dict[str, ManifestRecord], selected: set[str]
) -> None:
    new = {id: record for id, record in new.items() if project_of(id) in selected}
    output = Output(Path("out"), None, "ref", 2026, {"Y": "1"}, lambda id: project_of(id) in selected)
    old_manifest = Manifest(2026, "ref", {"X": "1"}, ManifestRecords.from_records(old.items()))
    new_manifest = output.next_manifest(old_manifest, WrittenRecords(ManifestRecords.from_records(new.items())))
    retained = {id: record for id, record in old.items() if project_of(id) not in selected}
    assert dict(new_manifest.bundles) == retained | new
    assert new_manifest.inputs == ({"X": "1", "Y": "1"} if retained else {"Y": "1"})
    assert set(old_manifest.removed_ids(new_manifest)) == {id for id in old if id not in retained and id not in new}
