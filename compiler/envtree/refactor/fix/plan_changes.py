"""Plan the changes that correct findings: only those whose intended result is unambiguous."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256

from envtree.diagnostics.findings import Finding
from envtree.frontend.discover import discover, read_sources
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.source import Kind, Source, Sources
from envtree.model.tree_layout import ROOT_FILE, parse_file_name
from envtree.refactor.fix.file_changes import FileEdit, FileRename, TreeIndex
from envtree.refactor.fix.keys import SchemaKeys, correct_key
from envtree.refactor.fix.modelines import correct_modeline
from envtree.refactor.fix.parsed_file import ParsedFile, Replacement, count_by_identity, parse_file
from envtree.refactor.fix.quotes import QUOTABLE_CODES, quote_scalar
from envtree.sources.tree import EntryType, Tree


def plan_changes(findings: Iterable[Finding], tree: Tree, schemas: Schemas) -> tuple[FileEdit | FileRename, ...]:
    """Return all changes that are safe as far as one file shows; `findings` are those of the tree."""
    findings = tuple(findings)
    return (*plan_edits(findings, tree, schemas), *plan_renames(findings, tree))


def plan_edits(findings: Iterable[Finding], tree: Tree, schemas: Schemas) -> tuple[FileEdit, ...]:
    """Return the edits of files, in the order of their paths."""
    tree_index = TreeIndex(tree)
    planner = _EditPlanner(tuple(findings), tree_index, schemas)
    sources = _load_sources(tree)
    edits = [edit for source in sources if (edit := planner.plan_edit(source))]
    linked = _linked_digests(sources, tree_index) if edits else frozenset()
    return tuple(
        edit
        for edit in edits
        if tree_index.type_at(edit.path) is EntryType.FILE and sha256(edit.before).hexdigest() not in linked
    )


def plan_renames(findings: Iterable[Finding], tree: Tree) -> tuple[FileRename, ...]:
    """Return the renames of files with a wrong extension."""
    paths = [finding.diagnostic.span.path for finding in findings if finding.diagnostic.code == "ET122"]
    tree_index = TreeIndex(tree)
    renames = [rename for path in paths if (rename := _plan_rename(path, tree_index))]
    path_counts = Counter(rename.new_path for rename in renames)
    ignored = tree.ignored([ROOT_FILE, *path_counts]) if renames else frozenset()
    if ROOT_FILE in ignored:
        # The tree is in an ignored folder: none of its files counts as ignored.
        ignored = frozenset()
    linked = _linked_digests(_load_sources(tree), tree_index) if renames else frozenset()
    return tuple(
        rename
        for rename in renames
        if path_counts[rename.new_path] == 1
        and rename.new_path not in ignored
        and _file_digest(rename.path, tree) not in linked
    )


class _EditPlanner:
    """Planner of the edits of single files."""

    def __init__(self, findings: tuple[Finding, ...], tree_index: TreeIndex, schemas: Schemas) -> None:
        self._tree_index, self._schemas = tree_index, schemas
        self._schema_keys = SchemaKeys(schemas)
        self._by_path: defaultdict[str, list[Diagnostic]] = defaultdict(list)
        for finding in findings:
            self._by_path[finding.diagnostic.span.path].append(finding.diagnostic)
        # Quotes do not correct a scalar that is wrong in itself, such as a text in the place of a boolean.
        self._error_spans = {
            finding.diagnostic.span
            for finding in findings
            if finding.severity is Severity.ERROR and finding.diagnostic.code not in QUOTABLE_CODES
        }

    def plan_edit(self, source: Source) -> FileEdit | None:
        """Return the edit that corrects a file as far as possible; None if there is none."""
        if source.location.kind is Kind.SECRETS:
            return None
        findings = [
            finding
            for finding in self._by_path[source.path]
            if finding.code in QUOTABLE_CODES or finding.code == "ET201"
        ]
        modeline = correct_modeline(source, self._tree_index, self._schemas)
        parsed = parse_file(source, self._schemas) if findings or modeline else None
        # A file that sops has encrypted is never edited, whatever its name.
        if parsed is None or "sops" in parsed.document.root.entries:
            return None
        fixes = {finding: fix for finding in findings if (fix := self._find_replacement(parsed, finding))}
        quotes = {finding: fix for finding, fix in fixes.items() if finding.code in QUOTABLE_CODES}
        return self._verified_edit(parsed, fixes, modeline) or self._verified_edit(parsed, quotes, modeline)

    def _find_replacement(self, parsed: ParsedFile, finding: Diagnostic) -> Replacement | None:
        if finding.code not in QUOTABLE_CODES:
            return correct_key(parsed, finding, self._schema_keys, self._schemas)
        return None if finding.span in self._error_spans else quote_scalar(parsed, finding, self._schemas)

    def _verified_edit(
        self,
        parsed: ParsedFile,
        replacements_by_finding: Mapping[Diagnostic, Replacement],
        modeline: Replacement | None,
    ) -> FileEdit | None:
        """Return the edit if it removes its findings and causes no new ones, and if quotes change no value."""
        replacements = {*replacements_by_finding.values(), *([modeline] if modeline else ())}
        after = parse_file(parsed.with_replacements(replacements), self._schemas) if replacements else None
        if after is None:
            return None
        counts, counts_after = parsed.finding_counts(), after.finding_counts()
        if counts_after - counts or not count_by_identity(replacements_by_finding) <= counts - counts_after:
            return None
        has_only_quotes = all(finding.code in QUOTABLE_CODES for finding in replacements_by_finding)
        if has_only_quotes and not _has_equal_values(parsed, after):
            return None
        return FileEdit(parsed.source.path, parsed.source.data, after.source.data)


def _has_equal_values(left: ParsedFile, right: ParsedFile) -> bool:
    # Compared as text, since 1 equals True in Python.
    return repr(left.document.root.value) == repr(right.document.root.value)


def _plan_rename(path: str, tree_index: TreeIndex) -> FileRename | None:
    folder, slash, name = path.rpartition("/")
    parsed = parse_file_name(name)
    if parsed is None or parsed.format.lower() not in ("yaml", "yml") or ".secrets." in name.lower():
        return None
    new_path = f"{folder}{slash}{parsed.stem}.yaml"
    return (
        FileRename(path, new_path)
        if tree_index.type_at(path) is EntryType.FILE and tree_index.type_at(new_path) is None
        else None
    )


def _load_sources(tree: Tree) -> Sources:
    return tuple(read_sources(tree, discover(tree, Diagnostics()), Diagnostics()))


def _linked_digests(sources: Sources, tree_index: TreeIndex) -> frozenset[str]:
    """Return the digests of the targets of links: a change would show in a second place, or break the link."""
    return frozenset(source.digest for source in sources if tree_index.type_at(source.path) is EntryType.LINK)


def _file_digest(path: str, tree: Tree) -> str:
    data = tree.read(path)
    return sha256(data).hexdigest() if isinstance(data, bytes) else ""
