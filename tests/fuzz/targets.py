"""Fuzz targets: for any bytes there is no exception, and each part keeps its invariant. A target fails by raising."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from envtree.diagnostics.codes import CODES
from envtree.frontend.parse.document import parse
from envtree.frontend.parse.yaml_events import libyaml_events, pure_events
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostics
from envtree.model.nodes import Document, EncryptedValue, iter_scalars
from envtree.model.selector import compile_selector
from envtree.model.source import Kind, Location, Source
from envtree.output.emit.dialect import WriterInput
from envtree.output.emit.formats import DIALECTS
from tests.support.diffs import FILES, compare
from tests.support.env_readers import github, json_text, py_yaml, python_dotenv
from tests.support.trees import run

Target = Callable[[bytes], None]

_LONGEST = 4096
_READERS = {"github-env": github, "python-dotenv": python_dotenv, "json-env": json_text, "yaml": py_yaml}
_ENDINGS = ("yaml", "json", "env")
_IDS = ("shop/cart/bot@production", "shop/clerk@staging", "default/a@dev")


def loader(data: bytes) -> None:
    """All readers accept the same input; findings have a valid line, and values can be written as JSON."""
    documents = [_parsed(data, "a.yaml", backend) for backend in (pure_events, libyaml_events, None)]
    values = [document.root.value for document in documents if document]
    for value in values:
        text = json.dumps(value, allow_nan=False)
        assert json.loads(text) == value
        assert value == values[0], "it is read in two ways"


def sealed(data: bytes) -> None:
    """A secrets file without errors has a ciphertext at each leaf, and at least one recipient."""
    path = f"agents/a.secrets.{_ENDINGS[len(data) % 3]}"
    document = _parsed(data, path)
    file = read_secrets_file(document, Diagnostics()) if document else None
    if file:
        assert file.recipients
        assert all(isinstance(leaf.value, EncryptedValue) for leaf in iter_scalars(file.content))


def expression(data: bytes) -> None:
    """An expression yields a value that can be written as JSON, or a finding."""
    text = _text(data)
    outcome = run(f"{{config: {{base: 1, text: x, list: [1, a], value: {json.dumps('${{' + text + '}}')}}}}}")
    if not _errors(outcome.codes):
        json.dumps(outcome.data(), allow_nan=False)


def selectors(data: bytes) -> None:
    """A selector never fails; one without stars selects only its own id."""
    patterns = _text(data).split("\n")
    picks = compile_selector(patterns)
    for id in _IDS:
        picked = picks(id)
        if not any("*" in pattern or "@" not in pattern for pattern in patterns):
            assert picked == (id in patterns)


def merging(data: bytes) -> None:
    """Merging layers succeeds or is refused, twice with the same result."""
    sections = [f"{{config: {text}}}" for text in _text(data).split("\0")[:4] if text.strip()]
    first = run(*sections)
    second = run(*sections)
    assert first.codes == second.codes
    if not _errors(first.codes) and first.bundles:
        assert first.data() == second.data()


def encoders(data: bytes) -> None:
    """A text that a format does not refuse is read back unchanged."""
    text = data.decode("utf-8", "surrogateescape")
    folder = _folder()
    writer_input = WriterInput({"NAME": text, "NEXT": "end"}, data={"id": "p/a@e"})
    for name, read in _READERS.items():
        dialect = DIALECTS[name]
        if "NAME" in writer_input.unwritable_names or (
            dialect.rejection_reason and dialect.rejection_reason("NAME", text)
        ):
            continue
        assert read(dialect.file_writers[0](writer_input), folder) == {"NAME": text, "NEXT": "end"}, name


def differences(data: bytes) -> None:
    """Any file may be replaced by any other; a tree does not differ from itself."""
    number, content = (data[0], data[1:]) if data else (0, b"")
    path = sorted(FILES)[number % len(FILES)]
    files = {**FILES, path: content.decode("utf-8", "replace")}
    comparison = compare(files, files)
    assert (comparison.changes, comparison.bundles, comparison.rules) == ((), (), ())
    compare(FILES, files)


def _parsed(data: bytes, path: str, backend: Any = libyaml_events) -> Document | None:
    diags = Diagnostics()
    source = Source(path, Location(Kind.SECRETS, "", "", "a", Kind.AGENT), data, hashlib.sha256(data).hexdigest())
    document = parse(source, diags, backend=backend)
    lines = data.count(b"\n") + 1
    for finding in diags:
        assert 1 <= finding.span.line <= lines + 1, finding
    return None if _errors([finding.code for finding in diags]) else document


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp())


def _errors(codes: list[str]) -> list[str]:
    return [code for code in codes if CODES[code].severity == "error"]


def _text(data: bytes) -> str:
    return data[:_LONGEST].decode("utf-8", "replace")


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "loader": loader,
        "sealed": sealed,
        "expression": expression,
        "selectors": selectors,
        "merging": merging,
        "encoders": encoders,
        "differences": differences,
    }
)


@cache
def seeds(name: str) -> tuple[bytes, ...]:
    """Return the initial inputs of a target."""
    root = Path(__file__).parents[2]
    if name in ("loader", "differences"):
        prefix = b"\0" if name == "differences" else b""
        return tuple(prefix + path.read_bytes() for path in sorted(root.glob("examples/minimal/**/*.yaml")))
    if name == "sealed":
        return tuple(path.read_bytes() for path in sorted(root.glob("examples/acme/**/*.secrets.*"))[:4])
    return {
        "expression": (
            b" config.base + 1 ",
            b" config.text | upper ~ 'x' ",
            b" [1, config.list[0]] if 1 == 1 else none ",
        ),
        "selectors": (b"shop/*/*@production", b"**@staging", b"shop/cart/bot@production"),
        "merging": (b"{a: {b: 1}}\0{a: {b: 2, c: [1]}}", b"{a: {$value: 1, $lock: true}}\0{a: {$delete: true}}"),
        "encoders": (b"plain", b"a 'b' \"c\" $D `e` \\\n# f", "é\u2028".encode()),
    }[name]
