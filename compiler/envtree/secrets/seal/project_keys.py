"""Find the keys of the declared readers for whom the bundles of a project are sealed."""

from envtree.engine.run import Run
from envtree.frontend.link.declared_readers import PublicKey, project_readers
from envtree.model.diagnostic import Diagnostic
from envtree.model.span import file_span
from envtree.secrets.sops.writer import RecipientKeys


class ProjectKeys:
    """The keys of each project's readers; problems with them are reported once."""

    def __init__(self, run: Run) -> None:
        assert run.workspace
        self._workspace = run.workspace
        self._diags = run.diags
        self._cache: dict[str, RecipientKeys | None] = {}

    def keys_of(self, project: str) -> RecipientKeys | None:
        """Return the keys for a project; None if it has none, or one of a type that is not allowed."""
        if project not in self._cache:
            self._cache[project] = self._find_keys(project)
        return self._cache[project]

    def _find_keys(self, project: str) -> RecipientKeys | None:
        readers = project_readers(self._workspace, project)
        if readers is None or not readers.declared:
            self._report_no_readers(project)
            return None
        refused = [key for key in readers.declared.values() if key.kind not in self._allowed_key_types]
        for key in refused:
            self._report_key_type(key)
        keys = RecipientKeys.of((key.kind, spelling) for spelling, key in sorted(readers.declared.items()))
        return None if refused else keys

    @property
    def _allowed_key_types(self) -> frozenset[str]:
        return self._workspace.organization.secrets_policy.key_types

    def _report_no_readers(self, project: str) -> None:
        project_document = next(
            (candidate.document for candidate in self._workspace.projects if candidate.name == project), None
        )
        document = project_document or self._workspace.organization.document
        message = f"there is nobody to seal the secrets of project '{project}' for: no readers with a key are declared"
        hint = "declare 'secret_readers' in the project or the organization, and their keys in 'people'"
        self._diags.add(Diagnostic(file_span(document.path), "ET630", message, hint))

    def _report_key_type(self, key: PublicKey) -> None:
        allowed = ", ".join(f"'{key_type}'" for key_type in sorted(self._allowed_key_types)) or "none"
        message = f"the secrets of bundles would be sealed for a key of type '{key.kind}', allowed: {allowed}"
        hint = "give the person another key, or add its type to 'secrets.key_types' in organization.yaml"
        self._diags.add(Diagnostic(key.span, "ET630", message, hint))
