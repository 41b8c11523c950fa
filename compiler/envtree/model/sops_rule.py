"""The creation rules of a `.sops.yaml`, by which sops selects the keys for a new file from its path."""

from functools import cache
from typing import NamedTuple

import re2

from envtree.model.nodes import Document
from envtree.model.secrets_file import Endpoint
from envtree.model.span import Span

SOPS_CONFIG_FILE = ".sops.yaml"
# The other access file that is generated from the declarations of the tree.
CODE_OWNERS_FILE = "CODEOWNERS"


class SopsConfigDocument(NamedTuple):
    """A parsed `.sops.yaml`; `root_prefix` is the path from its folder to the root of the tree.

    The prefix is empty for a file in the tree; the path of a file above the root begins with `../`.
    """

    document: Document
    root_prefix: str


class CreationRuleKey(NamedTuple):
    """A key of a rule, with the same kinds as `Recipient`, and the services that sops would call for it."""

    kind: str
    value: str
    endpoints: tuple[Endpoint, ...]
    span: Span


class CreationRule(NamedTuple):
    """One rule; an empty `pattern` matches every file.

    Decrypting a file with several groups needs keys of `threshold` of them, 0 for all. `weakening_settings` are the
    settings that leave parts of a file in plain text or out of its MAC, with their positions. The pattern of an
    `is_broken` rule cannot be compiled.
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
        """The number of groups of which a key is needed."""
        return (self.threshold or len(self.groups)) if len(self.groups) > 1 else 1


class SopsConfig(NamedTuple):
    """The rules of one `.sops.yaml`, in order."""

    path: str
    root_prefix: str
    rules: tuple[CreationRule, ...]

    @property
    def folder(self) -> str:
        """Its folder in the tree, with a trailing `/`; empty at the root or above it."""
        return "" if self.root_prefix else self.path.removesuffix(SOPS_CONFIG_FILE)

    def covers(self, path: str) -> bool:
        """Report whether a file of the tree is in its folder or below."""
        return path.startswith(self.folder)

    def relative_path(self, path: str) -> str:
        """Return the path that patterns are matched against: relative to the folder of the `.sops.yaml`."""
        return self.root_prefix + path.removeprefix(self.folder)

    def matching_rule(self, path: str) -> CreationRule | None:
        """Return the rule that sops applies to a file of the tree: the first that matches its path, or is broken."""
        relative = self.relative_path(path)
        return next((rule for rule in self.rules if rule.is_broken or matches_pattern(rule.pattern, relative)), None)


def find_governing_config(configs: tuple[SopsConfig, ...], path: str) -> SopsConfig | None:
    """Return the nearest `.sops.yaml` upwards from a file of the tree."""
    covering = [config for config in configs if config.covers(path)]
    return max(covering, key=lambda config: (not config.root_prefix, len(config.folder)), default=None)


def matches_pattern(pattern: str, path: str) -> bool:
    """Report whether a pattern matches anywhere in a path, with Go's regular expression syntax."""
    compiled = _compile_pattern(pattern)
    return compiled is not None and compiled.search(path) is not None


def is_valid_pattern(pattern: str) -> bool:
    """Report whether a pattern can be compiled."""
    return _compile_pattern(pattern) is not None


@cache
def _compile_pattern(pattern: str) -> "re2._Regexp | None":
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None
