"""The `output` section of organization.yaml."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.model.artifact import SecretsMode
from envtree.model.secret_entries import SEALED_SECRETS_FILE
from envtree.model.span import Span

# Files that may be beside a bundle in any format.
FORMAT_INDEPENDENT_FILES = ("provenance.json", SEALED_SECRETS_FILE)


class SecretStore(NamedTuple):
    """The secret store of the External Secrets Operator."""

    name: str
    kind: str


class KubernetesSettings(NamedTuple):
    """The names of Kubernetes objects, and the source of secrets that are written as references.

    With `hash_suffix`, the name of an object ends with a hash of its content.
    """

    name_pattern: str = "{project}.{team}.{agent}.{environment}"
    namespace: str = ""
    hash_suffix: bool = False
    secret_store: SecretStore | None = None
    refresh_interval: str = "1h"


class TemplateFile(NamedTuple):
    """A template of the organization: the file that it renders, its path in the tree, and its declaration."""

    name: str
    path: str
    span: Span


class OutputSettings(NamedTuple):
    """The settings of the section; `env_patterns` maps a section to the pattern of its variable names."""

    secrets_mode: SecretsMode = "plain"
    formats: tuple[str, ...] = ()
    env_patterns: Mapping[str, str] = {}
    kubernetes: KubernetesSettings = KubernetesSettings()
    templates: tuple[TemplateFile, ...] = ()
