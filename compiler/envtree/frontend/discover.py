"""Discover the files of a tree: each gets its location in the organization, or a finding that says why it has none."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest_name
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.source import Kind, Location, Source
from envtree.model.span import file_span
from envtree.model.tree_layout import (
    DEFAULT_PROJECT,
    EMPTY_LAYOUT,
    IMPLICIT_PROJECT_FOLDERS,
    KINDS_WITH_OWN_OVERLAYS,
    NAME_RULE,
    ROOT_FILE,
    ROOT_LAYOUT,
    SECRET_OWNERS,
    SECRETS_FILE_FORMATS,
    FileName,
    FolderLayout,
    allowed_contents,
    escape_unprintable,
    is_valid_name,
    parse_file_name,
    suggest_name,
    suggest_root_path,
)
from envtree.sources.tree import EntryType, Tree, TreeEntry, not_regular_problem
from envtree.system.disk import MANIFEST_FILE

# Two and a half times the number of files behind 100,000 bundles. A larger tree more likely contains a folder of data
# than hand-written sources. A run that needs all files at once takes about 40 kB for each, or 4 GB for this many.
MAX_FILES = 100_000
_MAX_MANIFEST_BYTES = 1 << 26


class _Folder(NamedTuple):
    """A folder of the walk.

    `parent_entity_folder` is the project or team folder above it. `stray_hint` is the hint for files in a folder that
    has no meaning, or the complete finding to report for them.
    """

    path: str = ""
    layout: FolderLayout = ROOT_LAYOUT
    project: str = ""
    team: str = ""
    parent_entity_folder: "_Folder | None" = None
    stray_hint: str | Diagnostic = ""

    @property
    def is_entity_folder(self) -> bool:
        """Report whether this is the folder of a project or a team."""
        return self.layout.own_kind in (Kind.PROJECT, Kind.TEAM)

    @property
    def nearest_entity_folder(self) -> "_Folder | None":
        """Return the folder itself if it is an entity folder, else the entity folder above it."""
        return self if self.is_entity_folder else self.parent_entity_folder


class _DiscoveredPath(NamedTuple):
    """A relevant path: a file with its location, a finding, or evidence that its entity folder is in use (None)."""

    path: str
    result: Location | Diagnostic | None
    entity_folder: _Folder | None


def discover(tree: Tree, diags: Diagnostics) -> dict[str, Location]:
    """Return the location of every source file of the tree, sorted by path."""
    discovered = sorted(islice(_walk(tree), MAX_FILES + 1), key=lambda item: item.path)
    if len(discovered) > MAX_FILES:
        hint = "split the organization, or keep other files out of its folders"
        diags.add(_finding(ROOT_FILE, "ET109", f"the tree holds more than {MAX_FILES} files", hint))
        return {}
    relevant = _without_ignored(tree, discovered)
    locations = {item.path: item.result for item in relevant if isinstance(item.result, Location)}
    diags.extend(dict.fromkeys(item.result for item in relevant if isinstance(item.result, Diagnostic)))
    diags.extend(_missing_entity_files(relevant))
    diags.extend(_orphaned_secrets(relevant, locations))
    diags.extend(_ambiguous_default_project(locations))
    for finding in _duplicate_secrets(locations):
        diags.add(finding)
        del locations[finding.span.path]
    if any(path.startswith("projects/default/") for path in locations):
        locations = {
            path: location
            for path, location in locations.items()
            if path.partition("/")[0] not in IMPLICIT_PROJECT_FOLDERS
        }
    return _promote_project_environments(locations)


def read_sources(tree: Tree, locations: Mapping[str, Location], diags: Diagnostics) -> Iterator[Source]:
    """Read each located file; report those that cannot be read."""
    for path, location in locations.items():
        data = tree.read(path)
        if isinstance(data, bytes):
            yield Source(path, location, data, sha256(data).hexdigest())
        else:
            diags.add(_finding(path, *data))


def _promote_project_environments(locations: dict[str, Location]) -> dict[str, Location]:
    """Turn project overlays of environments that the root does not declare into declarations, with their secrets."""
    root = {location.name for location in locations.values() if location.kind is Kind.ENVIRONMENT}
    overlays = {(file.project, file.name) for file in locations.values() if file.kind is Kind.OVERLAY and not file.team}

    def promote(location: Location) -> Location:
        if location.team or location.name in root or (location.project, location.name) not in overlays:
            return location
        if location.kind is Kind.OVERLAY:
            return location._replace(kind=Kind.ENVIRONMENT)
        return location._replace(owner=Kind.ENVIRONMENT) if location.owner is Kind.OVERLAY else location

    return {path: promote(location) for path, location in locations.items()}


def _without_ignored(tree: Tree, discovered: list[_DiscoveredPath]) -> list[_DiscoveredPath]:
    ignored = tree.ignored(dict.fromkeys(item.path for item in discovered))
    # A tree inside an ignored folder was named on purpose, so nothing of it is left out.
    return discovered if ROOT_FILE in ignored else [item for item in discovered if item.path not in ignored]


# The walk.


def _walk(tree: Tree) -> Iterator[_DiscoveredPath]:
    pending = [_Folder()]
    while pending:
        folder = pending.pop()
        visible = [entry for entry in tree.entries(folder.path) if not entry.name.startswith(".")]
        manifest = _find_manifest(tree, visible) if folder.path else None
        if manifest and folder.layout is EMPTY_LAYOUT:
            continue
        for entry in visible:
            if entry is manifest:
                # A manifest among sources has no effect; otherwise one file could hide a project or all policies.
                yield _DiscoveredPath(entry.path, _misplaced_manifest_finding(folder, entry), None)
            elif entry.type is EntryType.FOLDER and parse_file_name(entry.name) is None:
                child = _enter_folder(folder, entry)
                if isinstance(child, _Folder):
                    pending.append(child)
                elif child:
                    yield _DiscoveredPath(entry.path, child, None)
            else:
                yield from _inspect_entry(folder, entry)


def _find_manifest(tree: Tree, entries: list[TreeEntry]) -> TreeEntry | None:
    """Return the manifest that marks the folder as an output of envtree, if it has one."""
    entry = next((entry for entry in entries if entry.type is EntryType.FILE and entry.name == MANIFEST_FILE), None)
    data = tree.read(entry.path, limit=_MAX_MANIFEST_BYTES) if entry else b""
    return entry if isinstance(data, bytes) and b'"envtree"' in data else None


def _enter_folder(folder: _Folder, entry: TreeEntry) -> _Folder | Diagnostic | None:
    """Return the subfolder, a finding about its name, or None if envtree has no use for it."""
    layout, name = folder.layout, entry.name
    if name in layout.folders:
        project = DEFAULT_PROJECT if layout is ROOT_LAYOUT and name in IMPLICIT_PROJECT_FOLDERS else folder.project
        child_layout, entity_folder = layout.folders[name], folder.nearest_entity_folder
        return folder._replace(
            path=entry.path, layout=child_layout, project=project, parent_entity_folder=entity_folder
        )
    if layout.child_layout:
        return _enter_child(folder, entry, layout.child_layout)
    if layout is ROOT_LAYOUT:
        return _enter_near_miss(entry)
    candidates = [f"{folder.path}/{content}" for content in allowed_contents(layout).values() if content.endswith("/")]
    hint = did_you_mean(f"{entry.path}/", candidates) if candidates else f"move the file directly into '{folder.path}/'"
    return folder._replace(
        path=entry.path,
        layout=EMPTY_LAYOUT,
        parent_entity_folder=folder.nearest_entity_folder,
        stray_hint=folder.stray_hint or hint,
    )


def _enter_child(folder: _Folder, entry: TreeEntry, layout: FolderLayout) -> _Folder | Diagnostic:
    if not is_valid_name(entry.name):
        return _bad_name_finding(entry.path, entry.name)
    if layout.own_kind is Kind.PROJECT:
        return _Folder(entry.path, layout, project=entry.name)
    return _Folder(
        entry.path, layout, folder.project, team=entry.name, parent_entity_folder=folder.parent_entity_folder
    )


def _enter_near_miss(entry: TreeEntry) -> _Folder | None:
    suggestion = suggest_root_path(entry.name)
    if not suggestion:
        return None
    return _Folder(entry.path, EMPTY_LAYOUT, stray_hint=_near_miss_finding(entry.path, f"{suggestion}/"))


def _inspect_entry(folder: _Folder, entry: TreeEntry) -> Iterator[_DiscoveredPath]:
    result = _classify_entry(folder, entry)
    if result or folder.is_entity_folder:
        yield _DiscoveredPath(entry.path, result, folder.nearest_entity_folder)


def _classify_entry(folder: _Folder, entry: TreeEntry) -> Location | Diagnostic | None:
    name = parse_file_name(entry.name)
    if name is None:
        return _folder_link_finding(folder, entry)
    if folder.layout is ROOT_LAYOUT and not _is_entity_file(folder, name):
        suggestion = suggest_root_path(entry.name)
        return _near_miss_finding(entry.path, suggestion) if suggestion else None
    if isinstance(folder.stray_hint, Diagnostic):
        return folder.stray_hint
    if entry.type not in (EntryType.FILE, EntryType.LINK):
        return _finding(entry.path, *not_regular_problem(entry.path))
    if not _is_entity_file(folder, name) and not folder.layout.entry_kind:
        return _stray_file_finding(folder, entry, name)
    return _extension_finding(entry, name) or _locate(folder, entry, name)


def _is_entity_file(folder: _Folder, name: FileName) -> bool:
    # `organization.yml` is a near miss like any other at the root.
    return name.stem == folder.layout.own_kind and (
        folder.layout is not ROOT_LAYOUT or name.format in SECRETS_FILE_FORMATS
    )


def _locate(folder: _Folder, entry: TreeEntry, name: FileName) -> Location | Diagnostic:
    kind = folder.layout.own_kind or folder.layout.entry_kind or Kind.SECRETS
    if folder.layout.own_kind:
        own_name, environment = "", ""
    elif name.is_secrets and kind in KINDS_WITH_OWN_OVERLAYS:
        own_name, _, environment = name.stem.partition(".")
    else:
        own_name, environment = name.stem, ""
    if folder.layout.entry_kind and not (
        is_valid_name(own_name) and (own_name == name.stem or is_valid_name(environment))
    ):
        return _bad_name_finding(entry.path, name.stem, kind)
    if not name.is_secrets:
        return Location(kind, folder.project, folder.team, own_name)
    if kind not in SECRET_OWNERS:
        hint = "secrets belong to an organization, environment, project, team, agent or mix-in"
        return _finding(entry.path, "ET127", f"a {kind.replace('_', ' ')} has no secrets file", hint)
    return Location(Kind.SECRETS, folder.project, folder.team, own_name, owner=kind, environment=environment)


# Findings about one path.


def _finding(path: str, code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(file_span(escape_unprintable(path)), code, message, hint)


def _folder_link_finding(folder: _Folder, entry: TreeEntry) -> Diagnostic | None:
    layout = folder.layout
    if entry.type is not EntryType.FOLDER_LINK or not (entry.name in layout.folders or layout.child_layout):
        return None
    return _finding(
        entry.path, "ET120", f"'{escape_unprintable(entry.path)}' is a link to a folder", "replace it with a folder"
    )


def _near_miss_finding(path: str, target: str) -> Diagnostic:
    return _finding(path, "ET125", f"nothing is read from '{escape_unprintable(path)}'", f"did you mean '{target}'?")


def _misplaced_manifest_finding(folder: _Folder, entry: TreeEntry) -> Diagnostic:
    message = f"'{entry.path}' marks an output folder, and '{folder.path}/' holds sources"
    return _finding(entry.path, "ET123", message, "remove it, and compile into a folder of its own")


def _stray_file_finding(folder: _Folder, entry: TreeEntry, name: FileName) -> Diagnostic:
    hint = folder.stray_hint if isinstance(folder.stray_hint, str) else ""
    if folder.layout.child_layout and not hint:
        hint = f"did you mean '{folder.path}/{name.stem}/{folder.layout.child_layout.own_kind}.yaml'?"
    return _finding(
        entry.path,
        "ET123",
        f"nothing is read from '{escape_unprintable(entry.path)}'",
        escape_unprintable(hint or _suggest_path(folder, name)),
    )


def _suggest_path(folder: _Folder, name: FileName) -> str:
    """Return a hint with the probable intended path of a file in the folder of a project or a team."""
    contents = allowed_contents(folder.layout)
    nearest = nearest_name(name.stem, contents)
    if nearest == folder.layout.own_kind and name.is_secrets:
        return f"did you mean '{nearest}.secrets.{name.format}'?"
    return f"did you mean '{contents[nearest]}'?" if nearest else did_you_mean(name.stem, contents.values())


def _extension_finding(entry: TreeEntry, name: FileName) -> Diagnostic | None:
    if name.format in SECRETS_FILE_FORMATS:
        return None
    extension = "yaml" if name.format.lower() == "yml" else name.format.lower()
    hint = f"rename it to '{escape_unprintable(entry.name.removesuffix(name.format) + extension)}'"
    return _finding(
        entry.path, "ET122", f"'{escape_unprintable(entry.path)}' ends in '.{name.format}', not in '.{extension}'", hint
    )


def _bad_name_finding(path: str, name: str, kind: Kind | None = None) -> Diagnostic:
    head, _, tail = name.partition(".")
    if is_valid_name(head) and tail in ("secret", "sops", "enc"):
        hint = f"a secrets file is named '{head}.secrets.yaml'"
    elif kind in KINDS_WITH_OWN_OVERLAYS and is_valid_name(head) and is_valid_name(tail):
        hint = f"its overlay is written in '{head}.yaml', under 'environments'"
    else:
        suggestion = "" if tail else suggest_name(name)
        hint = f"rename it, perhaps to '{suggestion}': use {NAME_RULE}" if suggestion else f"use {NAME_RULE}"
    return _finding(path, "ET124", f"'{escape_unprintable(name)}' is not a path name", hint)


# Findings about several paths.


def _missing_entity_files(discovered: list[_DiscoveredPath]) -> Iterator[Diagnostic]:
    """Report project and team folders that lack their `project.yaml` or `team.yaml`."""
    folders = {item.entity_folder.path: item.entity_folder for item in discovered if item.entity_folder}
    parents = [folder.parent_entity_folder for folder in folders.values()]
    folders |= {parent.path: parent for parent in parents if parent}
    described = {
        item.entity_folder.path
        for item in discovered
        if item.entity_folder and _describes_entity(item.path, item.entity_folder)
    }
    for path, folder in folders.items():
        if path not in described:
            expected = f"{folder.layout.own_kind}.yaml"
            content = "with a 'key'" if folder.layout.own_kind is Kind.PROJECT else "which may be empty"
            yield _finding(path, "ET126", f"'{path}' has no '{expected}'", f"add '{path}/{expected}', {content}")


def _describes_entity(path: str, entity_folder: _Folder) -> bool:
    folder, _, name = path.rpartition("/")
    parsed = parse_file_name(name) if folder == entity_folder.path else None
    if parsed is None or parsed.is_secrets:
        return False
    # A misspelled name has its own finding, which names the right one.
    return (
        parsed.stem == entity_folder.layout.own_kind
        or nearest_name(parsed.stem, allowed_contents(entity_folder.layout)) == entity_folder.layout.own_kind
    )


def _orphaned_secrets(discovered: list[_DiscoveredPath], locations: Mapping[str, Location]) -> Iterator[Diagnostic]:
    """Report secrets of an environment or an agent that does not exist; for projects and teams, ET126 reports this."""
    owners = {item.path.rpartition(".")[0] for item in discovered}
    for path, location in locations.items():
        if location.owner not in (Kind.ENVIRONMENT, Kind.AGENT, Kind.MIXIN):
            continue
        owner = f"{path.rpartition('/')[0]}/{location.name}"
        if owner not in owners:
            siblings = {
                sibling.name for sibling in locations.values() if sibling == _owner_location(location, sibling.name)
            }
            nearest = nearest_name(location.name, siblings)
            corrected = path.rpartition("/")[2].replace(location.name, nearest, 1)
            hint = f"did you mean '{corrected}'?" if nearest else f"add '{owner}.yaml', or correct the name"
            yield _finding(path, "ET127", f"there is no '{owner}.yaml' that these secrets belong to", hint)


def _owner_location(secrets: Location, name: str) -> Location:
    """Return the location of the file that the secrets would belong to if it were called `name`."""
    return Location(secrets.owner or secrets.kind, secrets.project, secrets.team, name)


def _duplicate_secrets(locations: Mapping[str, Location]) -> list[Diagnostic]:
    """Report secrets files that exist in a second format; the first in path order counts."""
    first_paths: dict[str, str] = {}
    findings: list[Diagnostic] = []
    for path, location in locations.items():
        if location.kind is not Kind.SECRETS:
            continue
        first = first_paths.setdefault(path.rpartition(".")[0], path)
        if first != path:
            related = (RelatedSpan(file_span(first), "the other file"),)
            message = f"'{path}' and '{first}' hold the secrets of one file"
            findings.append(Diagnostic(file_span(path), "ET128", message, "keep one of them", related=related))
    return findings


def _ambiguous_default_project(locations: Mapping[str, Location]) -> Iterator[Diagnostic]:
    """Report folders of the implicit default project beside `projects/`."""
    top_folders = {path.partition("/")[0] for path in locations}
    if "projects" not in top_folders:
        return
    projects = sorted(location.project for location in locations.values() if location.kind is Kind.PROJECT)
    target = projects[0] if projects and DEFAULT_PROJECT not in projects else DEFAULT_PROJECT
    extra = "" if projects else f", with a 'projects/{target}/project.yaml'"
    for folder in sorted(top_folders & IMPLICIT_PROJECT_FOLDERS):
        message = f"'{folder}/' stands at the root beside 'projects/'"
        hint = f"move it into a project, such as to 'projects/{target}/{folder}/'{extra}"
        yield Diagnostic(
            file_span(folder), "ET306", message, hint, related=(RelatedSpan(file_span("projects"), "the projects"),)
        )
