"""The request and the outcome of a run, and the protocol of stages over the whole tree."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

from envtree.diagnostics.findings import Finding
from envtree.engine.decryption import Decrypter
from envtree.engine.project_facts import ProjectCache
from envtree.frontend.read_files import DocumentCache
from envtree.model.artifact import Artifact, Manifest
from envtree.model.diagnostic import Diagnostics, SkippedCheck
from envtree.model.resolved import Bundle, ExternalValues, Resolved
from envtree.model.resource import Resources
from envtree.model.secrets_file import SecretsPolicy
from envtree.model.workspace import Organization, Workspace
from envtree.sources.shard import Shard
from envtree.sources.tree import Tree


class BundleResult(NamedTuple):
    """One bundle, and the resolved values with origins that it was assembled from."""

    resolved: Resolved
    bundle: Bundle


class WholeTreeStage(Protocol):
    """A stage over all bundles of a tree at once, such as the resources of a control plane."""

    def build(
        self,
        workspace: Workspace,
        resources: Resources,
        results: Sequence[BundleResult],
        external_values: ExternalValues,
        diags: Diagnostics,
    ) -> tuple[Any, ...]:
        """Return the objects that the tree describes."""

    def emit(
        self, organization: Organization, built: Sequence[Any], formats: frozenset[str], diags: Diagnostics
    ) -> Artifact:
        """Return the files of these objects in the requested formats."""


class Request(NamedTuple):
    """The options of a run over the bundles that the selectors select.

    Without a `decrypter` no secret is known. With `require_inputs` an input that is read must have a value; with
    `allow_undeclared_inputs` an input may be set that another tree declares and this one does not. With `strict` a
    warning keeps `publish` from writing, as an error does. With `allow_empty` it is no error to select no bundle;
    it is None if the command has no such option. `today` decides which suppressions have expired. `progress` is called
    for every finished file and bundle. Runs over trees with files in common may share a `document_cache`.
    `restrict_ids` returns, once the tree is linked, the bundles to compute at most. Only the files of a `shard` are
    read, and checks of the whole tree are left out. A run by project uses up to `jobs` processes and reuses results of
    `project_cache`. With `control_plane` the resources of the control plane are built even where the organization
    does not ask for them; `whole_tree` builds them, and is required then.
    """

    tree: Tree
    selectors: tuple[str, ...] = ()
    inputs: Mapping[str, str] = {}
    environ: Mapping[str, str] = {}
    decrypter: Callable[[SecretsPolicy], Decrypter] | None = None
    require_inputs: bool = False
    allow_undeclared_inputs: bool = False
    strict: bool = False
    allow_empty: bool | None = False
    today: date | None = None
    progress: Callable[[str, int, int], None] = lambda kind, count, total: None
    document_cache: DocumentCache | None = None
    restrict_ids: Callable[..., frozenset[str]] | None = None  # takes the `Run`, which knows requests
    shard: Shard | None = None
    jobs: int = 1
    project_cache: ProjectCache | None = None
    control_plane: bool = False
    whole_tree: WholeTreeStage | None = None


class RunOutcome(NamedTuple):
    """The outcome of a run: `ids` are all bundles of the tree, of which `checked` were computed."""

    workspace: Workspace | None
    ids: tuple[str, ...]
    selected: tuple[str, ...]
    checked: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[SkippedCheck, ...]
    manifest: Manifest | None = None
    differences: tuple[str, ...] = ()
