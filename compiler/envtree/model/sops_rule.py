"""The rules of a `.sops.yaml`: for which keys sops encrypts a file, by its path."""

from functools import cache
from typing import NamedTuple

import re2

from envtree.model.nodes import Document
from envtree.model.secrets_file import Endpoint
from envtree.model.span import Span

SOPS_CONFIG_FILE = ".sops.yaml"
# The other file about access that follows from what the tree declares.
CODE_OWNERS_FILE = "CODEOWNERS"


class SopsConfigDocument(NamedTuple):
    """A `.sops.yaml` as it was read; `inside` leads from its folder down to the root of the tree, empty below that.

    The path of one above the root begins with `../`.
    """

    document: Document
    root_prefix: str


class CreationRuleKey(NamedTuple):
    """A key that a rule names, of the kinds of `Recipient`, and the services that sops would call for it."""

    kind: str
    value: str
    endpoints: tuple[Endpoint, ...]
    span: Span


class CreationRule(NamedTuple):
    """One rule; an empty `pattern` is for every file.

    A file of several groups needs keys of `threshold` of them, 0 for all. `loose` are the settings, by their places,
    that leave parts of a file in plain text or out of its MAC. The pattern of a `broken` rule cannot be read.
    """

    pattern: str
    groups: tuple[tuple[CreationRuleKey, ...], ...]
    threshold: int
    weakening_settings: tuple[tuple[str, Span], ...]
    span: Span
    is_broken: bool = False

    @property
    def keys(self) -> tuple[CreationRuleKey, ...]:
        """The keys of all groups."""
        return tuple(key for group in self.groups for key in group)

    @property
    def required_groups(self) -> int:
        """Of how many groups a key is needed."""
        return (self.threshold or len(self.groups)) if len(self.groups) > 1 else 1


class SopsConfig(NamedTuple):
    """The rules of one `.sops.yaml`, in their order."""

    path: str
    root_prefix: str
    rules: tuple[CreationRule, ...]

    @property
    def folder(self) -> str:
        """The folder of the tree that it lies in, with a `/` at the end; empty at the root or above it."""
        return "" if self.root_prefix else self.path.removesuffix(SOPS_CONFIG_FILE)

    def covers(self, path: str) -> bool:
        """Whether a file of the tree lies below it."""
        return path.startswith(self.folder)

    def relative_path(self, path: str) -> str:
        """The path of a file of the tree as the patterns see it: from the folder of the `.sops.yaml`."""
        return self.root_prefix + path.removeprefix(self.folder)

    def matching_rule(self, path: str) -> CreationRule | None:
        """The rule that sops uses for a file of the tree: the first that matches anywhere in its path, or is broken."""
        seen = self.relative_path(path)
        return next((rule for rule in self.rules if rule.is_broken or matches_pattern(rule.pattern, seen)), None)


def find_governing_config(files: tuple[SopsConfig, ...], path: str) -> SopsConfig | None:
    """The nearest `.sops.yaml` upwards from a file of the tree."""
    above = [file for file in files if file.covers(path)]
    return max(above, key=lambda file: (not file.root_prefix, len(file.folder)), default=None)


def matches_pattern(pattern: str, path: str) -> bool:
    """Whether a pattern matches anywhere in a path, as in Go."""
    compiled = _compile_pattern(pattern)
    return compiled is not None and compiled.search(path) is not None


def is_valid_pattern(pattern: str) -> bool:
    """Whether a pattern can be read."""
    return _compile_pattern(pattern) is not None


@cache
def _compile_pattern(pattern: str) -> "re2._Regexp | None":
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None
