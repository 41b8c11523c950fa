"""Implementation of `envtree new`: write the commented file of a new entity."""

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.entity_templates import render_entity
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import build_report, open_tree, print_findings, tree_request
from envtree.diagnostics.findings import Finding, build_findings
from envtree.diagnostics.suggest import did_you_mean, nearest_name
from envtree.diagnostics.summary import RunReport
from envtree.engine.run import Run
from envtree.model.diagnostic import RefusedError, Severity
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.tree_layout import DEFAULT_PROJECT, NAME_RULE, ROOT_FILE, SCHEMA_FOLDER, is_valid_name, suggest_name
from envtree.secrets.edit.tree_with_file import TreeWithFile
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import create_file
from envtree.system.console import err, out

_SCHEMA_LINE = re.compile(rb"^# yaml-language-server: \$schema=(\S+)organization\.schema\.json\s*$", re.MULTILINE)
# The names in the path of each kind, without those of the project.
_FOLDERS = {Kind.ENVIRONMENT: "environments", Kind.MIXIN: "mixins", Kind.SKILL: "skills", Kind.POLICY: "policies"}


class NewOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    kind: str
    name: str
    color: str


def run(options: NewOptions) -> ExitCode:
    """Write the file, or report the error that prevents it."""
    kind, names = Kind(options.kind), options.name.split("/")
    for name in names:
        if not is_valid_name(name):
            suggestion = suggest_name(name)
            hint = f"did you mean '{suggestion}'?" if suggestion else f"use {NAME_RULE}"
            raise usage_error(f"'{name}' is not a path name", hint)
    tree = open_tree(options.directory)
    run = Run(tree_request(tree, allow_empty=True))
    if run.workspace is None:
        print_findings(tree, build_report(run.outcome()), options.color)
        return ExitCode.FAILURE
    path = _EntityPaths(run.files).path_of(kind, names)
    if os.path.lexists(tree.root / path):
        raise RefusedError("ET807", f"'{path}' exists, and nothing is overwritten", "choose another name")
    is_own = kind is Kind.ENVIRONMENT and len(names) > 1
    text = render_entity(kind, names[-1], base=_base_environment(run), is_own=is_own)
    data = (_schema_line(tree, kind, path) + text).encode()
    errors = _new_errors(run, tree, path, data)
    if errors:
        print_findings(tree, RunReport(errors), options.color)
        err("nothing was written\n")
        return ExitCode.FAILURE
    create_file(tree.root, path, data)
    out(f"{path}\n")
    return ExitCode.OK


class _EntityPaths:
    """The paths of new entities in a tree."""

    def __init__(self, files: Mapping[str, Resource]) -> None:
        locations = [resource.location for resource in files.values()]
        self._projects = sorted(location.project for location in locations if location.kind is Kind.PROJECT)
        self._teams = [location for location in locations if location.kind is Kind.TEAM]

    def path_of(self, kind: Kind, names: Sequence[str]) -> str:
        """Return the path of the file for a name as in bundle ids; raise a usage error for a parent that is missing."""
        if kind is Kind.PROJECT:
            return f"projects/{_only(kind, names)}/project.yaml"
        if kind in _FOLDERS and (kind is not Kind.ENVIRONMENT or len(names) == 1):
            return f"{_FOLDERS[kind]}/{_only(kind, names)}.yaml"
        project, names = self._split_project(kind, names)
        folder = f"projects/{project}/" if self._projects else ""
        if kind is Kind.TEAM:
            return f"{folder}teams/{_only(kind, names)}/team.yaml"
        if kind is Kind.ENVIRONMENT:
            return f"{folder}environments/{_only(kind, names)}.yaml"
        if len(names) == 1:
            return f"{folder}agents/{names[0]}.yaml"
        team, agent = names[0], _only(kind, names[1:])
        self._check_team(project, team)
        return f"{folder}teams/{team}/agents/{agent}.yaml"

    def _split_project(self, kind: Kind, names: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Return the project, and the names below it; the only project can be left out."""
        if not self._projects:
            is_named = len(names) > 1 and names[0] == DEFAULT_PROJECT
            if kind is Kind.ENVIRONMENT:
                raise usage_error("there is no project that could have an environment of its own", "name it alone")
            return DEFAULT_PROJECT, names[1:] if is_named else names
        if len(names) > 1 and names[0] in self._projects:
            return names[0], names[1:]
        if len(names) == 1 or (kind is Kind.AGENT and len(names) == 2 and self._is_team(names[0])):
            if len(self._projects) == 1:
                return self._projects[0], names
            hint = f"name it too: one of {', '.join(self._projects)}"
            raise usage_error(f"which project is the {kind} '{'/'.join(names)}' of?", hint)
        nearest = nearest_name(names[0], self._projects)
        hint = did_you_mean(names[0], self._projects) if nearest else f"'envtree new project {names[0]}' makes it"
        raise usage_error(f"there is no project '{names[0]}'", hint)

    def _is_team(self, name: str) -> bool:
        return any(location.team == name for location in self._teams)

    def _check_team(self, project: str, team: str) -> None:
        teams = [location.team for location in self._teams if location.project == project]
        if team not in teams:
            nearest = nearest_name(team, teams)
            full_name = f"{project}/{team}" if self._projects else team
            hint = f"did you mean '{nearest}'?" if nearest else f"'envtree new team {full_name}' makes it"
            raise usage_error(f"there is no team '{team}'", hint)


def _only(kind: Kind, names: Sequence[str]) -> str:
    if len(names) != 1:
        raise usage_error(f"'{'/'.join(names)}' has too many parts", f"name the {kind} alone")
    return names[0]


def _base_environment(run: Run) -> str:
    """Return the abstract environment at the root, if there is one only: the others of the tree inherit it."""
    environments = run.workspace.environments.values() if run.workspace else ()
    names = [environment.name for environment in environments if environment.abstract]
    return names[0] if len(names) == 1 else ""


def _schema_line(tree: DirectoryTree, kind: Kind, path: str) -> str:
    """Return the comment that names the schema for editors, in the folder that organization.yaml names."""
    data = tree.read(ROOT_FILE)
    match = _SCHEMA_LINE.search(data) if isinstance(data, bytes) else None
    folder = match[1].decode() if match else f"{SCHEMA_FOLDER}/"
    relative = posixpath.relpath(folder, posixpath.dirname(path) or ".")
    return f"# yaml-language-server: $schema={relative}/{kind}.schema.json\n"


def _new_errors(run: Run, tree: DirectoryTree, path: str, data: bytes) -> tuple[Finding, ...]:
    """Return the errors that the file would add to the tree."""
    after = Run(tree_request(TreeWithFile(tree, path, data), allow_empty=True))
    before = {(diagnostic.code, diagnostic.span.path, diagnostic.message) for diagnostic in run.diags}
    new = [
        diagnostic
        for diagnostic in after.diags
        if (diagnostic.code, diagnostic.span.path, diagnostic.message) not in before
    ]
    return tuple(finding for finding in build_findings(new, after.severities) if finding.severity is Severity.ERROR)
