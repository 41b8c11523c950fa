"""Small trees in memory, and functions that run envtree over them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from unittest import mock

from envtree.cli.support.session import tree_request
from envtree.compile.layer import layer
from envtree.compile.merge import Effects, effect_findings, merge
from envtree.engine.check import check_results
from envtree.engine.request import Request, RunOutcome
from envtree.engine.run import Run
from envtree.frontend.discover import discover, read_sources
from envtree.frontend.parse import parse
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.merged import MergedMapping, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import Document
from envtree.model.resolved import Bundle
from envtree.model.source import Kind, Location, Source
from envtree.output.emit import bundle_json
from envtree.sources.tree import FILE_LIMIT, EntryType, FileAboveRoot, ReadProblem, Tree, TreeEntry
from tests.properties.writing import OpenBook, flow_text, seal

Files = Mapping[str, str] | Mapping[str, bytes]

ID = "p/t/a@production"
STEMS = ("organization", "projects/p/project", "projects/p/teams/t/team", "projects/p/teams/t/agents/a")
# Tests expect no findings about templates, nor about unread, short or repeated secrets.
_DISABLED_CODES = ", ".join(f"{code}: 'off'" for code in ("ET253", "ET650", "ET651", "ET655", "ET656"))
ORGANIZATION = f"{{name: acme, edition: 2026, default_model: m, lint: {{{_DISABLED_CODES}}}"
_DOCUMENT_HEADS = (ORGANIZATION, "{key: PP", "{description: a team", "{description: a bot")

# Compiling the schemas takes ten times as long as everything else for a small tree.
_SCHEMAS = Schemas()


def start_run(request: Request) -> Run:
    """Start a run that shares its compiled schemas with other tests."""
    with mock.patch("envtree.frontend.read_files.Schemas", return_value=_SCHEMAS):
        return Run(request)


class MemoryTree(NamedTuple):
    """A tree in memory."""

    files: Files

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        prefix = f"{folder}/" if folder else ""
        names = {path.removeprefix(prefix).partition("/")[::2] for path in self.files if path.startswith(prefix)}
        types = {name: EntryType.FOLDER if rest else EntryType.FILE for name, rest in names}
        return tuple(TreeEntry(prefix + name, type) for name, type in sorted(types.items()))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        content = self.files[path]
        return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset()

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        return None


class CheckResult(NamedTuple):
    """The bundles of a run by id, and its outcome."""

    bundles: dict[str, Bundle]
    outcome: RunOutcome

    @property
    def findings(self) -> list[str]:
        """The findings as `path:line:column code message`."""
        diagnostics = (finding.diagnostic for finding in self.outcome.findings)
        return [f"{diagnostic.span} {diagnostic.code} {diagnostic.message}" for diagnostic in diagnostics]

    @property
    def codes(self) -> list[str]:
        return [finding.diagnostic.code for finding in self.outcome.findings]

    @property
    def not_checked(self) -> list[str]:
        return [f"{skipped.code} {skipped.key}" for skipped in self.outcome.not_checked]

    def only_finding(self) -> Diagnostic:
        """Return the only finding; fail if there is not exactly one."""
        (finding,) = self.outcome.findings
        return finding.diagnostic

    def data(self, id: str = ID) -> dict[str, Any]:
        """Return a bundle as `compile` writes it."""
        return bundle_json(self.bundles[id], "plain")


def layers(*sections: str, organization: str = "", secrets: Mapping[int, Any] | None = None) -> dict[str, str]:
    """Return the files of one agent: `sections` are those of organization, project, team and agent, in this order.

    `organization` is further text for organization.yaml; `secrets` is plain data by the index of the layer.
    """
    files = {"environments/production.yaml": "{}"}
    for stem, head, section in zip(STEMS, _DOCUMENT_HEADS, (*sections, "", "", "", ""), strict=False):
        extra = f",\n{organization}" if organization and stem == "organization" else ""
        body = f",\nexecution_environment: {section}" if section else ""
        files[f"{stem}.yaml"] = f"{head}{extra}{body}}}\n"
    return files | sealed_files({STEMS[n]: data for n, data in (secrets or {}).items()})


def sealed_files(plain: Mapping[str, Any]) -> dict[str, str]:
    """Return secrets files with fake ciphertexts; `plain` has their data by stem."""
    return {f"{stem}.secrets.yaml": flow_text(seal(data)) for stem, data in plain.items()}


def load_sources(tree: Tree, diags: Diagnostics) -> tuple[Source, ...]:
    """Discover and read the files of a tree."""
    return tuple(read_sources(tree, discover(tree, diags), diags))


def make_request(files: Files, plain: Mapping[str, Any] | None = None, **options: Any) -> Request:
    """Make a request for a tree; `plain`, the data of its secrets files by stem, lets it decrypt them."""
    tree = MemoryTree(files)
    if plain is None:
        return tree_request(tree, **options)
    decrypter = OpenBook({f"{stem}.secrets.yaml": data for stem, data in plain.items()})
    return tree_request(tree, decrypter=lambda policy: decrypter, **options)


def check(files: Files, plain: Mapping[str, Any] | None = None, **options: Any) -> CheckResult:
    """Check a tree and compute all bundles."""
    run = start_run(make_request(files, plain, **options))
    bundles = {result.bundle.target.id: result.bundle for result in check_results(run, run.select_writers())}
    return CheckResult(bundles, run.outcome())


def run(
    *sections: str, organization: str = "", secrets: Mapping[int, Any] | None = None, **options: Any
) -> CheckResult:
    """Compute the bundle of one agent, see `layers`, with decrypted secrets."""
    files = layers(*sections, organization=organization, secrets=secrets)
    return check(files, {STEMS[n]: data for n, data in (secrets or {}).items()}, **options)


def merge_all(files: Files) -> tuple[dict[str, MergedStack], Diagnostics]:
    """Merge all stacks of a tree; return them by bundle id, with the diagnostics of the merge alone."""
    workspace = start_run(tree_request(MemoryTree(files))).workspace
    assert workspace
    diags, effects = Diagnostics(), Effects()
    stacks = merge(layer(workspace, lambda id: True), workspace.organization, diags, effects)
    by_id = {merged.stack.target.id: merged for merged in stacks}
    diags.extend(effect_findings([effects.log]))
    return by_id, diags


def plain_data(value: MergedValue | None) -> Any:
    """Return a merged value as plain data, with expressions as text; None for no value."""
    if value is None:
        return None
    if isinstance(value, MergedMapping):
        return {key: plain_data(child) for key, child in value.entries.items()}
    return [plain_data(item) for item in value.items] if isinstance(value, MergedSequence) else value.node.value


def parse_document(text: str, kind: Kind = Kind.AGENT, path: str = "a.yaml") -> Document:
    """Parse a file that has no errors."""
    document = parse(Source(path, Location(kind, "", "", "a"), text.encode(), "0" * 64), diags := Diagnostics())
    assert document, list(diags)
    return document


def quote_yaml(value: object) -> str:
    """Return a value as YAML on one line."""
    return json.dumps(value, ensure_ascii=False)
