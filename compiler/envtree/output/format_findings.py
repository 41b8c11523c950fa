"""Choose the writers of a run and turn format problems into diagnostics."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.compile.layer import workspace_targets
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan, SkippedCheck
from envtree.model.fields import get_field
from envtree.model.formats import FORMAT_NAMES, WHOLE_TREE_FORMATS
from envtree.model.keypath import format_path
from envtree.model.layers import Target
from envtree.model.output_settings import OutputSettings, TemplateFile
from envtree.model.resolved import Resolved
from envtree.model.span import Span, file_span
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace
from envtree.output.emit import FormatProblem, FormatResult, Unchecked, Writers
from envtree.output.emit.formats.k8s import NAME_PARTS, object_name
from envtree.output.emit.template import CompiledTemplate, TemplateFileError, compile_template
from envtree.sources.tree import EntryType, ReadProblem, Tree

AllowedNames = Callable[[Resolved], frozenset[str]]

# `bundle.json` and templates are written separately, and whole-tree formats are not written per bundle.
_FORMATS_WITHOUT_WRITER = WHOLE_TREE_FORMATS | {"bundle", "template"}


def select_writers(formats: Iterable[str], settings: OutputSettings, tree: Tree, diags: Diagnostics) -> Writers:
    """Return the formats in the order of their list, and the templates if requested; report templates with errors."""
    requested = frozenset(formats)
    templates = tuple(_load_templates(settings.templates, tree, diags)) if "template" in requested else ()
    return Writers(
        tuple(name for name in FORMAT_NAMES if name in requested - _FORMATS_WITHOUT_WRITER), settings, templates
    )


def check_templates(formats: Iterable[str], settings: OutputSettings, diags: Diagnostics) -> None:
    """Report that templates are requested and none exist; a request in organization.yaml was reported earlier."""
    if "template" in frozenset(formats).difference(settings.formats) and not settings.templates:
        message, hint = "format 'template' needs a template", "name one in 'output.templates'"
        diags.add(Diagnostic(file_span(ROOT_FILE), "ET202", message, hint, key="output"))


def needs_object_name_check(formats: Iterable[str], workspace: Workspace) -> bool:
    """Return whether Kubernetes object names may clash between bundles, even of different projects."""
    pattern = get_field(workspace.organization.document, "output", "kubernetes", "name")
    return "k8s" in formats and not workspace.organization.output.kubernetes.hash_suffix and pattern is not None


def check_object_names(
    formats: Iterable[str], workspace: Workspace, is_selected: Callable[[str], bool], diags: Diagnostics
) -> None:
    """Report bundles whose Kubernetes objects share a name.

    If the pattern has no environment, only bundles of one environment are compared: each environment then has a
    cluster or a namespace of its own. Names with a hash of the content differ wherever the content does.
    """
    document, kubernetes = workspace.organization.document, workspace.organization.output.kubernetes
    pattern = get_field(document, "output", "kubernetes", "name")
    if pattern is None or not needs_object_name_check(formats, workspace):
        return
    groups: dict[tuple[str, str], list[Target]] = {}
    for target in workspace_targets(workspace):
        name = object_name(kubernetes.name_pattern, target._asdict(), target.id)
        environment = "" if "{environment}" in kubernetes.name_pattern else target.environment
        groups.setdefault((name, environment), []).append(target)
    for (name, _), group in groups.items():
        message = f"several bundles have '{name}' as the name of their objects, and each would replace the one before"
        for target in group if len(group) > 1 else ():
            if is_selected(target.id):
                hint = _missing_placeholders(group, kubernetes.name_pattern)
                span, key = document.span(pattern), "output.kubernetes.name"
                diags.add(Diagnostic(span, "ET851", message, hint, key=key, bundle=target.id))


def _missing_placeholders(group: list[Target], pattern: str) -> str:
    """Return a hint that makes the names of some bundles differ."""
    differing = (part for part in NAME_PARTS if len({getattr(target, part) for target in group}) > 1)
    missing = [name for part in differing if (name := f"{{{part}}}") not in pattern]
    return f"put {' and '.join(missing)} into it" if missing else "put dots between its parts, which no part of it has"


def template_digests(settings: OutputSettings, tree: Tree) -> tuple[tuple[str, str], ...]:
    """Return the templates by path, each with the SHA-256 of its source, or "" if it cannot be read."""
    sources = {file.path: _load_template_source(file, tree) for file in settings.templates}
    return tuple(
        (path, hashlib.sha256(source.encode()).hexdigest() if isinstance(source, str) else "")
        for path, source in sources.items()
    )


def report_format_problems(
    format_result: FormatResult, resolved: Resolved, allowed_names: AllowedNames, diags: Diagnostics
) -> None:
    """Report the problems and skipped checks of a bundle, each where its value was written.

    `allowed_names` returns the reserved names that the tree allows in the bundle.
    """
    problems = format_result.problems
    if any(problem.reserved_name for problem in problems):
        allowed = allowed_names(resolved)
        problems = tuple(problem for problem in problems if problem.reserved_name not in allowed)
    diags.extend(_to_diagnostic(problem, resolved) for problem in problems)
    for unchecked in format_result.unchecked:
        diags.skip(_to_skipped_check(unchecked, resolved))


def _to_diagnostic(problem: FormatProblem, resolved: Resolved) -> Diagnostic:
    span = problem.span or origin_span(resolved, problem.path)
    related = (RelatedSpan(origin_span(resolved, problem.related[0]), problem.related[1]),) if problem.related else ()
    key, id = format_path(problem.path), resolved.target.id
    return Diagnostic(span, problem.code, problem.message, problem.hint, related, key, id)


def _to_skipped_check(unchecked: Unchecked, resolved: Resolved) -> SkippedCheck:
    span = unchecked.span or origin_span(resolved, unchecked.path)
    return SkippedCheck(span, unchecked.code, format_path(unchecked.path), resolved.target.id)


def _load_templates(files: tuple[TemplateFile, ...], tree: Tree, diags: Diagnostics) -> Iterator[CompiledTemplate]:
    for file in files:
        source = _load_template_source(file, tree)
        if isinstance(source, Diagnostic):
            diags.add(source)
            continue
        try:
            yield compile_template(file, source)
        except TemplateFileError as error:
            span = Span(file.path, error.line, 1, error.line, 1)
            diags.add(Diagnostic(span, "ET810", error.message))


def _load_template_source(file: TemplateFile, tree: Tree) -> str | Diagnostic:
    key = f"output.templates.{file.name}"
    if not _exists(file.path, tree):
        message = f"there is no file '{file.path}' in the tree"
        return Diagnostic(file.span, "ET301", message, f"paths begin at the folder of {ROOT_FILE}", key=key)
    data = tree.read(file.path)
    if isinstance(data, ReadProblem):
        return Diagnostic(file_span(file.path), data.code, data.message, data.hint)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Diagnostic(file_span(file.path), "ET112", "the file is not UTF-8", "save it as UTF-8")


def _exists(path: str, tree: Tree) -> bool:
    """Return whether a file exists; no folder on the way may be a link."""
    parts = path.split("/")
    for n, part in enumerate(parts):
        kinds = {entry.name: entry.type for entry in tree.entries("/".join(parts[:n]))}
        if kinds.get(part) not in ((EntryType.FILE, EntryType.LINK) if n == len(parts) - 1 else (EntryType.FOLDER,)):
            return False
    return True
