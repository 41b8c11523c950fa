"""Small trees in memory, and what envtree makes of them: a test says what is in the files, and no more."""

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
from envtree.frontend import read_files as reading
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
# A model, and no word about templates, or secrets that nobody reads or places, that are short or stand twice: none of
# it is what a test is about.
_QUIET = ", ".join(f"{code}: 'off'" for code in ("ET253", "ET650", "ET651", "ET655", "ET656"))
ORGANIZATION = f"{{name: acme, edition: 2026, default_model: m, lint: {{{_QUIET}}}"
_DOCUMENT_HEADS = (ORGANIZATION, "{key: PP", "{description: a team", "{description: a bot")


# Compiling the schemas takes ten times as long as all the rest of a small tree.
_SCHEMAS = Schemas()


def start_run(request: Request) -> Run:
    """A run that shares its compiled schemas with all others."""
    with mock.patch.object(reading, "Schemas", return_value=_SCHEMAS):
        return Run(request)


class MemoryTree(NamedTuple):
    """A tree that lies nowhere."""

    files: Files

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        prefix = f"{folder}/" if folder else ""
        inside = {path.removeprefix(prefix).partition("/")[::2] for path in self.files if path.startswith(prefix)}
        kinds = {name: EntryType.FOLDER if rest else EntryType.FILE for name, rest in inside}
        return tuple(TreeEntry(prefix + name, what) for name, what in sorted(kinds.items()))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        content = self.files[path]
        return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset()

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        return None


class CheckResult(NamedTuple):
    """The bundles of a run by id, and all that it found."""

    bundles: dict[str, Bundle]
    outcome: RunOutcome

    @property
    def findings(self) -> list[str]:
        """The findings as `path:line:column code message`."""
        told = (finding.diagnostic for finding in self.outcome.findings)
        return [f"{one.span} {one.code} {one.message}" for one in told]

    @property
    def codes(self) -> list[str]:
        return [finding.diagnostic.code for finding in self.outcome.findings]

    @property
    def not_checked(self) -> list[str]:
        return [f"{skipped.code} {skipped.key}" for skipped in self.outcome.not_checked]

    def only_finding(self) -> Diagnostic:
        """The one finding that there is."""
        (finding,) = self.outcome.findings
        return finding.diagnostic

    def data(self, id: str = ID) -> dict[str, Any]:
        """A bundle as `compile` writes it."""
        return bundle_json(self.bundles[id], "plain")


def layers(*sections: str, organization: str = "", secrets: Mapping[int, Any] | None = None) -> dict[str, str]:
    """The files of one agent: the sections, lowest first, are those of organization, project, team and agent.

    `organization` is what else stands in organization.yaml; `secrets` has the plain data by the number of the layer.
    """
    files = {"environments/production.yaml": "{}"}
    for stem, head, section in zip(STEMS, _DOCUMENT_HEADS, (*sections, "", "", "", ""), strict=False):
        extra = f",\n{organization}" if organization and stem == "organization" else ""
        body = f",\nexecution_environment: {section}" if section else ""
        files[f"{stem}.yaml"] = f"{head}{extra}{body}}}\n"
    return files | sealed_files({STEMS[n]: data for n, data in (secrets or {}).items()})


def sealed_files(plain: Mapping[str, Any]) -> dict[str, str]:
    """Secrets files, by stem, as sops would have encrypted them."""
    return {f"{stem}.secrets.yaml": flow_text(seal(data)) for stem, data in plain.items()}


def load_sources(tree: Tree, diags: Diagnostics) -> tuple[Source, ...]:
    """Every file of a tree that means something, read."""
    return tuple(read_sources(tree, discover(tree, diags), diags))


def make_request(files: Files, plain: Mapping[str, Any] | None = None, **options: Any) -> Request:
    """What to ask of a tree; with the plain data of its secrets files, by stem, they can be opened."""
    tree = MemoryTree(files)
    if plain is None:
        return tree_request(tree, **options)
    book = OpenBook({f"{stem}.secrets.yaml": data for stem, data in plain.items()})
    return tree_request(tree, decrypter=lambda policy: book, **options)


def check(files: Files, plain: Mapping[str, Any] | None = None, **options: Any) -> CheckResult:
    """Compute every bundle of a tree."""
    run = start_run(make_request(files, plain, **options))
    bundles = {result.bundle.target.id: result.bundle for result in check_results(run, run.select_writers())}
    return CheckResult(bundles, run.outcome())


def run(
    *sections: str, organization: str = "", secrets: Mapping[int, Any] | None = None, **options: Any
) -> CheckResult:
    """Compute the bundle of one agent, see `layers`; its secrets are known."""
    files = layers(*sections, organization=organization, secrets=secrets)
    return check(files, {STEMS[n]: data for n, data in (secrets or {}).items()}, **options)


def merge_all(files: Files) -> tuple[dict[str, MergedStack], Diagnostics]:
    """Merge every stack of a tree, and what merging alone finds."""
    workspace = start_run(tree_request(MemoryTree(files))).workspace
    assert workspace
    diags, effects = Diagnostics(), Effects()
    stacks = merge(layer(workspace, lambda id: True), workspace.organization, diags, effects)
    found = {merged.stack.target.id: merged for merged in stacks}
    diags.extend(effect_findings([effects.log]))
    return found, diags


def plain_data(value: MergedValue | None) -> Any:
    """A merged value as plain data, expressions unread; None where there is none."""
    if value is None:
        return None
    if isinstance(value, MergedMapping):
        return {key: plain_data(child) for key, child in value.entries.items()}
    return [plain_data(item) for item in value.items] if isinstance(value, MergedSequence) else value.node.value


def parse_document(text: str, kind: Kind = Kind.AGENT, path: str = "a.yaml") -> Document:
    """A parsed file."""
    found = parse(Source(path, Location(kind, "", "", "a"), text.encode(), "0" * 64), diags := Diagnostics())
    assert found, list(diags)
    return found


def quote_yaml(value: object) -> str:
    """A value as YAML on one line."""
    return json.dumps(value, ensure_ascii=False)
