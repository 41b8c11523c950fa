"""Discover: every file of the tree gets its place in the organization, or a finding that says why it has none."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.source import Kind, Location, Source
from envtree.model.span import whole_file
from envtree.model.tree_layout import (
    DEFAULT_PROJECT,
    FORMATS,
    IMPLICIT,
    NAME_RULE,
    NOWHERE,
    ROOT,
    ROOT_FILE,
    SECRET_OWNERS,
    FileName,
    Place,
    contents,
    is_name,
    meant_at_root,
    parse_file_name,
    renamed,
    shown,
)
from envtree.sources.tree import Entry, Tree, What, not_regular
from envtree.system.disk import MANIFEST

# Twice and a half what 100,000 bundles take. Beyond, a folder of data has found its way into the tree more likely than
# people have written so much; a run that needs all of them at once takes about 40 kB for each, so 4 GB for so many.
TREE_LIMIT = 100_000
_MANIFEST_LIMIT = 1 << 26


class _Folder(NamedTuple):
    """A folder on the way down; `home` is the project or team folder above it.

    `stray` is what a finding about a file in a folder of no meaning says: its hint, or the whole of it.
    """

    path: str = ""
    place: Place = ROOT
    project: str = ""
    team: str = ""
    home: "_Folder | None" = None
    stray: str | Diagnostic = ""

    @property
    def is_home(self) -> bool:
        """Whether this is the folder of a project or a team."""
        return self.place.own in (Kind.PROJECT, Kind.TEAM)

    @property
    def nearest_home(self) -> "_Folder | None":
        """The folder itself if it is a home, else the one above it."""
        return self if self.is_home else self.home


class _Found(NamedTuple):
    """A path that matters: a file with its place, a finding, or a sign that its home is in use."""

    path: str
    what: Location | Diagnostic | None
    home: _Folder | None


def discover(tree: Tree, diags: Diagnostics) -> dict[str, Location]:
    """The place of every file of the tree that means something, in the order of their paths."""
    found = sorted(islice(_walk(tree), TREE_LIMIT + 1), key=lambda each: each.path)
    if len(found) > TREE_LIMIT:
        hint = "split the organization, or keep other files out of its folders"
        diags.add(_finding(ROOT_FILE, "ET109", f"the tree holds more than {TREE_LIMIT} files", hint))
        return {}
    kept = _without_ignored(tree, found)
    placed = {each.path: each.what for each in kept if isinstance(each.what, Location)}
    diags.extend(dict.fromkeys(each.what for each in kept if isinstance(each.what, Diagnostic)))
    diags.extend(_homeless(kept))
    diags.extend(_orphans(kept, placed))
    diags.extend(_two_defaults(placed))
    for doubled in _doubled(placed):
        diags.add(doubled)
        del placed[doubled.span.path]
    if any(path.startswith("projects/default/") for path in placed):
        placed = {path: at for path, at in placed.items() if path.partition("/")[0] not in IMPLICIT}
    return _own_environments(placed)


def load(tree: Tree, placed: Mapping[str, Location], diags: Diagnostics) -> Iterator[Source]:
    """The content of each file that has a place; one that cannot be read is a finding."""
    for path, location in placed.items():
        data = tree.read(path)
        if isinstance(data, bytes):
            yield Source(path, location, data, sha256(data).hexdigest())
        else:
            diags.add(_finding(path, *data))


def _own_environments(placed: dict[str, Location]) -> dict[str, Location]:
    """A project's file for an environment that the root does not declare is the environment, not an overlay of it."""
    root = {at.name for at in placed.values() if at.kind is Kind.ENVIRONMENT}
    files = {(at.project, at.name) for at in placed.values() if at.kind is Kind.OVERLAY and not at.team}

    def settle(at: Location) -> Location:
        own = not at.team and at.name not in root and (at.project, at.name) in files
        if own and at.kind is Kind.OVERLAY:
            return at._replace(kind=Kind.ENVIRONMENT)
        return at._replace(owner=Kind.ENVIRONMENT) if own and at.owner is Kind.OVERLAY else at

    return {path: settle(at) for path, at in placed.items()}


def _without_ignored(tree: Tree, found: list[_Found]) -> list[_Found]:
    ignored = tree.ignored(dict.fromkeys(each.path for each in found))
    # A tree that stands in an ignored folder was named on purpose.
    return found if ROOT_FILE in ignored else [each for each in found if each.path not in ignored]


# The walk.


def _walk(tree: Tree) -> Iterator[_Found]:
    waiting = [_Folder()]
    while waiting:
        folder = waiting.pop()
        visible = [entry for entry in tree.entries(folder.path) if not entry.name.startswith(".")]
        manifest = _manifest(tree, visible) if folder.path else None
        if manifest and folder.place is NOWHERE:
            continue
        for entry in visible:
            if entry is manifest:
                # Were it obeyed, one file could take all policies, or a project, out of sight.
                yield _Found(entry.path, _misplaced(folder, entry), None)
            elif entry.what is What.FOLDER and parse_file_name(entry.name) is None:
                below = _enter(folder, entry)
                if isinstance(below, _Folder):
                    waiting.append(below)
                elif below:
                    yield _Found(entry.path, below, None)
            else:
                yield from _look_at(folder, entry)


def _manifest(tree: Tree, entries: list[Entry]) -> Entry | None:
    """The entry that marks the folder as an output of envtree."""
    entry = next((each for each in entries if each.what is What.FILE and each.name == MANIFEST), None)
    data = tree.read(entry.path, limit=_MANIFEST_LIMIT) if entry else b""
    return entry if isinstance(data, bytes) and b'"envtree"' in data else None


def _enter(folder: _Folder, entry: Entry) -> _Folder | Diagnostic | None:
    """The folder below, a finding about its name, or None for one that is none of envtree's business."""
    place, name = folder.place, entry.name
    if name in place.folders:
        project = DEFAULT_PROJECT if place is ROOT and name in IMPLICIT else folder.project
        below = place.folders[name]
        return folder._replace(path=entry.path, place=below, project=project, home=folder.nearest_home)
    if place.children:
        return _enter_child(folder, entry, place.children)
    if place is ROOT:
        return _enter_near_miss(entry)
    known = [f"{folder.path}/{each}" for each in contents(place).values() if each.endswith("/")]
    hint = did_you_mean(f"{entry.path}/", known) if known else f"move the file directly into '{folder.path}/'"
    return folder._replace(path=entry.path, place=NOWHERE, home=folder.nearest_home, stray=folder.stray or hint)


def _enter_child(folder: _Folder, entry: Entry, place: Place) -> _Folder | Diagnostic:
    if not is_name(entry.name):
        return _bad_name(entry.path, entry.name)
    if place.own is Kind.PROJECT:
        return _Folder(entry.path, place, project=entry.name)
    return _Folder(entry.path, place, folder.project, team=entry.name, home=folder.home)


def _enter_near_miss(entry: Entry) -> _Folder | None:
    meant = meant_at_root(entry.name)
    if not meant:
        return None
    return _Folder(entry.path, NOWHERE, stray=_near_miss(entry.path, f"{meant}/"))


def _look_at(folder: _Folder, entry: Entry) -> Iterator[_Found]:
    what = _classify(folder, entry)
    if what or folder.is_home:
        yield _Found(entry.path, what, folder.nearest_home)


def _classify(folder: _Folder, entry: Entry) -> Location | Diagnostic | None:
    name = parse_file_name(entry.name)
    if name is None:
        return _linked_folder(folder, entry)
    if folder.place is ROOT and not _is_own(folder, name):
        meant = meant_at_root(entry.name)
        return _near_miss(entry.path, meant) if meant else None
    if isinstance(folder.stray, Diagnostic):
        return folder.stray
    if entry.what not in (What.FILE, What.LINK):
        return _finding(entry.path, *not_regular(entry.path))
    if not _is_own(folder, name) and not folder.place.each:
        return _nowhere(folder, entry, name)
    return _wrong_format(entry, name) or _locate(folder, entry, name)


def _is_own(folder: _Folder, name: FileName) -> bool:
    # `organization.yml` is a near miss like any other at the root.
    return name.stem == folder.place.own and (folder.place is not ROOT or name.format in FORMATS)


def _locate(folder: _Folder, entry: Entry, name: FileName) -> Location | Diagnostic:
    kind = folder.place.own or folder.place.each or Kind.SECRETS
    if folder.place.own:
        own, environment = "", ""
    elif name.secrets and kind is Kind.AGENT:
        own, _, environment = name.stem.partition(".")
    else:
        own, environment = name.stem, ""
    if folder.place.each and not (is_name(own) and (own == name.stem or is_name(environment))):
        return _bad_name(entry.path, name.stem, kind)
    if not name.secrets:
        return Location(kind, folder.project, folder.team, own)
    if kind not in SECRET_OWNERS:
        hint = "secrets belong to an organization, environment, project, team or agent"
        return _finding(entry.path, "ET127", f"a {kind.replace('_', ' ')} has no secrets file", hint)
    return Location(Kind.SECRETS, folder.project, folder.team, own, kind, environment)


# Findings about one path.


def _finding(path: str, code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(whole_file(shown(path)), code, message, hint)


def _linked_folder(folder: _Folder, entry: Entry) -> Diagnostic | None:
    place = folder.place
    if entry.what is not What.FOLDER_LINK or not (entry.name in place.folders or place.children):
        return None
    return _finding(entry.path, "ET120", f"'{shown(entry.path)}' is a link to a folder", "replace it with a folder")


def _near_miss(path: str, meant: str) -> Diagnostic:
    return _finding(path, "ET125", f"nothing is read from '{shown(path)}'", f"did you mean '{meant}'?")


def _misplaced(folder: _Folder, entry: Entry) -> Diagnostic:
    message = f"'{entry.path}' marks an output folder, and '{folder.path}/' holds sources"
    return _finding(entry.path, "ET123", message, "remove it, and compile into a folder of its own")


def _nowhere(folder: _Folder, entry: Entry, name: FileName) -> Diagnostic:
    hint = folder.stray if isinstance(folder.stray, str) else ""
    if folder.place.children and not hint:
        hint = f"did you mean '{folder.path}/{name.stem}/{folder.place.children.own}.yaml'?"
    return _finding(
        entry.path, "ET123", f"nothing is read from '{shown(entry.path)}'", shown(hint or _meant(folder, name))
    )


def _meant(folder: _Folder, name: FileName) -> str:
    """What a file in the folder of a project or a team was probably meant to be."""
    known = contents(folder.place)
    close = nearest(name.stem, known)
    if close == folder.place.own and name.secrets:
        return f"did you mean '{close}.secrets.{name.format}'?"
    return f"did you mean '{known[close]}'?" if close else did_you_mean(name.stem, known.values())


def _wrong_format(entry: Entry, name: FileName) -> Diagnostic | None:
    if name.format in FORMATS:
        return None
    right = "yaml" if name.format.lower() == "yml" else name.format.lower()
    hint = f"rename it to '{shown(entry.name.removesuffix(name.format) + right)}'"
    return _finding(entry.path, "ET122", f"'{shown(entry.path)}' ends in '.{name.format}', not in '.{right}'", hint)


def _bad_name(path: str, name: str, kind: Kind | None = None) -> Diagnostic:
    head, _, tail = name.partition(".")
    if is_name(head) and tail in ("secret", "sops", "enc"):
        hint = f"a secrets file is named '{head}.secrets.yaml'"
    elif kind is Kind.AGENT and is_name(head) and is_name(tail):
        hint = f"an agent's overlay is written in '{head}.yaml', under 'environments'"
    else:
        close = "" if tail else renamed(name)
        hint = f"rename it, perhaps to '{close}': use {NAME_RULE}" if close else f"use {NAME_RULE}"
    return _finding(path, "ET124", f"'{shown(name)}' is not a path name", hint)


# Findings about several paths.


def _homeless(kept: list[_Found]) -> Iterator[Diagnostic]:
    """Project and team folders without the file that makes them one."""
    used = {each.home.path: each.home for each in kept if each.home}
    used |= {home.home.path: home.home for home in used.values() if home.home}
    described = {each.home.path for each in kept if each.home and _describes(each.path, each.home)}
    for path, home in used.items():
        if path not in described:
            expected = f"{home.place.own}.yaml"
            content = "with a 'key'" if home.place.own is Kind.PROJECT else "which may be empty"
            yield _finding(path, "ET126", f"'{path}' has no '{expected}'", f"add '{path}/{expected}', {content}")


def _describes(path: str, home: _Folder) -> bool:
    folder, _, name = path.rpartition("/")
    parsed = parse_file_name(name) if folder == home.path else None
    if parsed is None or parsed.secrets:
        return False
    # A name with a typing error has been told, with the right one.
    return parsed.stem == home.place.own or nearest(parsed.stem, contents(home.place)) == home.place.own


def _orphans(kept: list[_Found], placed: Mapping[str, Location]) -> Iterator[Diagnostic]:
    """Secrets of an environment or an agent that is not there; a project's and a team's are ET126 already."""
    owners = {path.rpartition(".")[0] for path in (each.path for each in kept)}
    for path, location in placed.items():
        if location.owner not in (Kind.ENVIRONMENT, Kind.AGENT):
            continue
        owner = f"{path.rpartition('/')[0]}/{location.name}"
        if owner not in owners:
            siblings = {at.name for at in placed.values() if at == _owner_of(location, at.name)}
            close = nearest(location.name, siblings)
            right = path.rpartition("/")[2].replace(location.name, close, 1)
            hint = f"did you mean '{right}'?" if close else f"add '{owner}.yaml', or correct the name"
            yield _finding(path, "ET127", f"there is no '{owner}.yaml' that these secrets belong to", hint)


def _owner_of(secrets: Location, name: str) -> Location:
    """The place of a file that secrets may belong to."""
    return Location(secrets.owner or secrets.kind, secrets.project, secrets.team, name)


def _doubled(placed: Mapping[str, Location]) -> list[Diagnostic]:
    """Secrets that are there in a second format; the first in the order of paths counts."""
    seen: dict[str, str] = {}
    findings: list[Diagnostic] = []
    for path, location in placed.items():
        if location.kind is not Kind.SECRETS:
            continue
        first = seen.setdefault(path.rpartition(".")[0], path)
        if first != path:
            related = (Related(whole_file(first), "the other file"),)
            message = f"'{path}' and '{first}' hold the secrets of one file"
            findings.append(Diagnostic(whole_file(path), "ET128", message, "keep one of them", related))
    return findings


def _two_defaults(placed: Mapping[str, Location]) -> Iterator[Diagnostic]:
    """Folders of the implicit default project beside projects/."""
    tops = {path.partition("/")[0] for path in placed}
    if "projects" not in tops:
        return
    projects = sorted(at.project for at in placed.values() if at.kind is Kind.PROJECT)
    home = projects[0] if projects and DEFAULT_PROJECT not in projects else DEFAULT_PROJECT
    needs = "" if projects else f", with a 'projects/{home}/project.yaml'"
    for top in sorted(tops & IMPLICIT):
        message = f"'{top}/' stands at the root beside 'projects/'"
        hint = f"move it into a project, such as to 'projects/{home}/{top}/'{needs}"
        yield Diagnostic(whole_file(top), "ET306", message, hint, (Related(whole_file("projects"), "the projects"),))
