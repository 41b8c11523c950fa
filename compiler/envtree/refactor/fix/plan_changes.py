"""From findings to the changes that mend them: only those that cannot be meant otherwise."""

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

# The codes of what can be mended; a wrong modeline has none.
FIXABLE_CODES = QUOTABLE_CODES | {"ET122", "ET201"}


def plan_changes(findings: Iterable[Finding], tree: Tree, schemas: Schemas) -> tuple[FileEdit | FileRename, ...]:
    """All changes that are safe as far as one file can tell; `findings` are those of the tree."""
    findings = tuple(findings)
    return (*plan_edits(findings, tree, schemas), *plan_renames(findings, tree))


def plan_edits(findings: Iterable[Finding], tree: Tree, schemas: Schemas) -> tuple[FileEdit, ...]:
    """The files with other text in them, in the order of their paths."""
    places = TreeIndex(tree)
    planner = _EditPlanner(tuple(findings), places, schemas)
    sources = _load_sources(tree)
    edits = [edit for source in sources if (edit := planner.plan_edit(source))]
    linked = _linked_digests(sources, places) if edits else frozenset()
    return tuple(
        edit
        for edit in edits
        if places.kind_at(edit.path) is EntryType.FILE and sha256(edit.before).hexdigest() not in linked
    )


def plan_renames(findings: Iterable[Finding], tree: Tree) -> tuple[FileRename, ...]:
    """The files with another ending."""
    paths = [finding.diagnostic.span.path for finding in findings if finding.diagnostic.code == "ET122"]
    places = TreeIndex(tree)
    renames = [rename for path in paths if (rename := _plan_rename(path, places))]
    wanted = Counter(rename.new_path for rename in renames)
    hidden = tree.ignored([ROOT_FILE, *wanted]) if renames else frozenset()
    if ROOT_FILE in hidden:
        # A tree in an ignored folder: nothing in it is hidden.
        hidden = frozenset()
    linked = _linked_digests(_load_sources(tree), places) if renames else frozenset()
    return tuple(
        rename
        for rename in renames
        if wanted[rename.new_path] == 1
        and rename.new_path not in hidden
        and _file_digest(rename.path, tree) not in linked
    )


class _EditPlanner:
    """Plans the edit of one file after the other."""

    def __init__(self, findings: tuple[Finding, ...], tree_index: TreeIndex, schemas: Schemas) -> None:
        self._tree_index, self._schemas = tree_index, schemas
        self._schema_keys = SchemaKeys(schemas)
        self._by_path: defaultdict[str, list[Diagnostic]] = defaultdict(list)
        for finding in findings:
            self._by_path[finding.diagnostic.span.path].append(finding.diagnostic)
        # A scalar that is wrong in itself, such as a text where a switch belongs, is not mended by quotes.
        self._error_spans = {
            finding.diagnostic.span
            for finding in findings
            if finding.severity is Severity.ERROR and finding.diagnostic.code not in QUOTABLE_CODES
        }

    def plan_edit(self, source: Source) -> FileEdit | None:
        """The file without what can be mended in it."""
        if source.location.kind is Kind.SECRETS:
            return None
        found = [one for one in self._by_path[source.path] if one.code in QUOTABLE_CODES or one.code == "ET201"]
        modeline = correct_modeline(source, self._tree_index, self._schemas)
        reading = parse_file(source, self._schemas) if found or modeline else None
        # What sops has encrypted is left alone under any name.
        if reading is None or "sops" in reading.document.root.entries:
            return None
        fixes = {one: fix for one in found if (fix := self._find_replacement(reading, one))}
        quotes = {one: fix for one, fix in fixes.items() if one.code in QUOTABLE_CODES}
        return self._verified_edit(reading, fixes, modeline) or self._verified_edit(reading, quotes, modeline)

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
        """The edit, if what it mends is gone then, nothing new is there, and quotes change no value."""
        replacements = {*replacements_by_finding.values(), *([modeline] if modeline else ())}
        after = parse_file(parsed.with_replacements(replacements), self._schemas) if replacements else None
        if after is None:
            return None
        before, left = parsed.finding_counts(), after.finding_counts()
        if left - before or not count_by_identity(replacements_by_finding) <= before - left:
            return None
        if all(one.code in QUOTABLE_CODES for one in replacements_by_finding) and not _has_equal_values(parsed, after):
            return None
        return FileEdit(parsed.source.path, parsed.source.data, after.source.data)


def _has_equal_values(left: ParsedFile, right: ParsedFile) -> bool:
    # As text, for to Python 1 equals true.
    return repr(left.document.root.value) == repr(right.document.root.value)


def _plan_rename(path: str, tree_index: TreeIndex) -> FileRename | None:
    folder, slash, name = path.rpartition("/")
    parsed = parse_file_name(name)
    if parsed is None or parsed.format.lower() not in ("yaml", "yml") or ".secrets." in name.lower():
        return None
    new = f"{folder}{slash}{parsed.stem}.yaml"
    return (
        FileRename(path, new)
        if tree_index.kind_at(path) is EntryType.FILE and tree_index.kind_at(new) is None
        else None
    )


def _load_sources(tree: Tree) -> Sources:
    return tuple(read_sources(tree, discover(tree, Diagnostics()), Diagnostics()))


def _linked_digests(sources: Sources, tree_index: TreeIndex) -> frozenset[str]:
    """The digests of what links lead to: a change would show at a second place, or break the link."""
    return frozenset(source.digest for source in sources if tree_index.kind_at(source.path) is EntryType.LINK)


def _file_digest(path: str, tree: Tree) -> str:
    data = tree.read(path)
    return sha256(data).hexdigest() if isinstance(data, bytes) else ""
