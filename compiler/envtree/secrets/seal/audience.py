"""Whom the secrets of a project's bundles are sealed for: its declared readers."""

from envtree.engine.run import Run
from envtree.frontend.link.readers import Key, readers_of
from envtree.model.diagnostic import Diagnostic
from envtree.model.span import whole_file
from envtree.secrets.sops.writing import Keys


class ProjectKeys:
    """The keys of each project's readers; what is wrong with them is reported once."""

    def __init__(self, run: Run) -> None:
        assert run.workspace
        self._workspace = run.workspace
        self._diags = run.diags
        self._known: dict[str, Keys | None] = {}

    def of(self, project: str) -> Keys | None:
        """The keys; None where there are none that may be used."""
        if project not in self._known:
            self._known[project] = self._find(project)
        return self._known[project]

    def _find(self, project: str) -> Keys | None:
        found = readers_of(self._workspace, project)
        if found is None or not found.declared:
            self._report_nobody(project)
            return None
        refused = [key for key in found.declared.values() if key.kind not in self._allowed]
        for key in refused:
            self._report_kind(key)
        keys = Keys.of((key.kind, spelling) for spelling, key in sorted(found.declared.items()))
        return None if refused else keys

    @property
    def _allowed(self) -> frozenset[str]:
        return self._workspace.organization.secrets_policy.key_types

    def _report_nobody(self, project: str) -> None:
        own = next((one.document for one in self._workspace.projects if one.name == project), None)
        document = own or self._workspace.organization.document
        message = f"there is nobody to seal the secrets of project '{project}' for: no readers with a key are declared"
        hint = "declare 'secret_readers' in the project or the organization, and their keys in 'people'"
        self._diags.add(Diagnostic(whole_file(document.path), "ET630", message, hint))

    def _report_kind(self, key: Key) -> None:
        allowed = ", ".join(f"'{each}'" for each in sorted(self._allowed)) or "none"
        message = f"the secrets of bundles would be sealed for a key of type '{key.kind}', allowed: {allowed}"
        hint = "give the person another key, or add its type to 'secrets.key_types' in organization.yaml"
        self._diags.add(Diagnostic(key.span, "ET630", message, hint))
