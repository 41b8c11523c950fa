"""From findings to the changes that mend them: only those that cannot be meant otherwise."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256

from envtree.diagnostics.findings import Finding
from envtree.frontend.discover import discover, load
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.source import Kind, Source, Sources
from envtree.model.tree_layout import ROOT_FILE, parse_file_name
from envtree.refactor.fix.change import Edit, Places, Rename
from envtree.refactor.fix.keys import Vocabulary, rename_key
from envtree.refactor.fix.modelines import correct_modeline
from envtree.refactor.fix.quotes import QUOTABLE, quote
from envtree.refactor.fix.reading import Reading, Replacement, count, read
from envtree.sources.tree import Tree, What

# The codes of what can be mended; a wrong modeline has none.
MENDABLE = QUOTABLE | {"ET122", "ET201"}


def plan(findings: Iterable[Finding], tree: Tree, schemas: Schemas) -> tuple[Edit | Rename, ...]:
    """All changes that are safe as far as one file can tell; `findings` are those of the tree."""
    findings = tuple(findings)
    return (*plan_edits(findings, tree, schemas), *plan_renames(findings, tree))


def plan_edits(findings: Iterable[Finding], tree: Tree, schemas: Schemas) -> tuple[Edit, ...]:
    """The files with other text in them, in the order of their paths."""
    places = Places(tree)
    planner = _Planner(tuple(findings), places, schemas)
    sources = _sources(tree)
    edits = [edit for source in sources if (edit := planner.edit(source))]
    linked = _linked(sources, places) if edits else frozenset()
    return tuple(
        edit for edit in edits if places.find(edit.path) is What.FILE and sha256(edit.before).hexdigest() not in linked
    )


def plan_renames(findings: Iterable[Finding], tree: Tree) -> tuple[Rename, ...]:
    """The files with another ending."""
    paths = [finding.diagnostic.span.path for finding in findings if finding.diagnostic.code == "ET122"]
    places = Places(tree)
    renames = [rename for path in paths if (rename := _rename(path, places))]
    wanted = Counter(rename.new for rename in renames)
    hidden = tree.ignored([ROOT_FILE, *wanted]) if renames else frozenset()
    if ROOT_FILE in hidden:
        # A tree in an ignored folder: nothing in it is hidden.
        hidden = frozenset()
    linked = _linked(_sources(tree), places) if renames else frozenset()
    return tuple(
        rename
        for rename in renames
        if wanted[rename.new] == 1 and rename.new not in hidden and _digest(rename.path, tree) not in linked
    )


class _Planner:
    """Plans the edit of one file after the other."""

    def __init__(self, findings: tuple[Finding, ...], places: Places, schemas: Schemas) -> None:
        self._places, self._schemas = places, schemas
        self._vocabulary = Vocabulary(schemas)
        self._by_path: defaultdict[str, list[Diagnostic]] = defaultdict(list)
        for finding in findings:
            self._by_path[finding.diagnostic.span.path].append(finding.diagnostic)
        # A scalar that is wrong in itself, such as a text where a switch belongs, is not mended by quotes.
        self._wrong = {
            finding.diagnostic.span
            for finding in findings
            if finding.severity is Severity.ERROR and finding.diagnostic.code not in QUOTABLE
        }

    def edit(self, source: Source) -> Edit | None:
        """The file without what can be mended in it."""
        if source.location.kind is Kind.SECRETS:
            return None
        found = [one for one in self._by_path[source.path] if one.code in QUOTABLE or one.code == "ET201"]
        modeline = correct_modeline(source, self._places, self._schemas)
        reading = read(source, self._schemas) if found or modeline else None
        # What sops has encrypted is left alone under any name.
        if reading is None or "sops" in reading.document.root.entries:
            return None
        fixes = {one: fix for one in found if (fix := self._fix(reading, one))}
        quotes = {one: fix for one, fix in fixes.items() if one.code in QUOTABLE}
        return self._proven(reading, fixes, modeline) or self._proven(reading, quotes, modeline)

    def _fix(self, reading: Reading, finding: Diagnostic) -> Replacement | None:
        if finding.code not in QUOTABLE:
            return rename_key(reading, finding, self._vocabulary, self._schemas)
        return None if finding.span in self._wrong else quote(reading, finding, self._schemas)

    def _proven(
        self, reading: Reading, fixes: Mapping[Diagnostic, Replacement], modeline: Replacement | None
    ) -> Edit | None:
        """The edit, if what it mends is gone then, nothing new is there, and quotes change no value."""
        replacements = {*fixes.values(), *([modeline] if modeline else ())}
        after = read(reading.with_text(replacements), self._schemas) if replacements else None
        if after is None:
            return None
        before, left = reading.counted(), after.counted()
        if left - before or not count(fixes) <= before - left:
            return None
        if all(one.code in QUOTABLE for one in fixes) and not _says_the_same(reading, after):
            return None
        return Edit(reading.source.path, reading.source.data, after.source.data)


def _says_the_same(one: Reading, other: Reading) -> bool:
    # As text, for to Python 1 equals true.
    return repr(one.document.root.value) == repr(other.document.root.value)


def _rename(path: str, places: Places) -> Rename | None:
    folder, slash, name = path.rpartition("/")
    parsed = parse_file_name(name)
    if parsed is None or parsed.format.lower() not in ("yaml", "yml") or ".secrets." in name.lower():
        return None
    new = f"{folder}{slash}{parsed.stem}.yaml"
    return Rename(path, new) if places.find(path) is What.FILE and places.find(new) is None else None


def _sources(tree: Tree) -> Sources:
    return tuple(load(tree, discover(tree, Diagnostics()), Diagnostics()))


def _linked(sources: Sources, places: Places) -> frozenset[str]:
    """The digests of what links lead to: a change would show at a second place, or break the link."""
    return frozenset(source.digest for source in sources if places.find(source.path) is What.LINK)


def _digest(path: str, tree: Tree) -> str:
    data = tree.read(path)
    return sha256(data).hexdigest() if isinstance(data, bytes) else ""
