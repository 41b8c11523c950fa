"""What a run finds, kept apart by project, so that one project's part can be computed elsewhere, or at another time."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from envtree.diagnostic import Diagnostic, Diagnostics, NotChecked
from envtree.merge import Effects, Seen
from envtree.resource import Resource


class Share(NamedTuple):
    """What was found in some bundles of a project; `checked` are their ids."""

    project: str
    checked: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    not_checked: tuple[NotChecked, ...]
    effects: Seen


def project_digests(resources: Iterable[Resource], beside: object) -> dict[str, str]:
    """For each project a digest of its files, of those that are in none, and of what else its bundles are made from."""
    own: dict[str, list[tuple[str, str]]] = {}
    for resource in resources:
        own.setdefault(resource.location.project, []).append((resource.document.path, resource.document.digest))
    shared = (sorted(own.pop("", [])), repr(beside))
    return {project: sha256(repr((shared, sorted(files))).encode()).hexdigest() for project, files in own.items()}


class Ledger:
    """The findings of a run: `diags` are all of them, `unfit` those about formats, which are told at the end.

    `checked` are the ids of the bundles that have been looked at; `effects` is what merging notes.
    """

    def __init__(self, diags: Diagnostics) -> None:
        self.diags, self.unfit, self.effects = diags, Diagnostics(), Effects()
        self.checked: list[str] = []
        self.shares: list[Share] = []
        self._closed = (0, 0, 0, 0)

    def open(self) -> None:
        """From here on it is bundles that is reported about."""
        self._closed = self._now()

    def close(self, project: str) -> None:
        """All since the last time was about bundles of one project."""
        checked, told, unfit, skipped = self._closed
        self._closed = self._now()
        found = (*self.diags.since(told), *self.unfit.since(unfit))
        seen, self.effects.noted = self.effects.noted, Effects().noted
        self.shares.append(Share(project, tuple(self.checked[checked:]), found, self.diags.skipped(skipped), seen))

    def add(self, shares: Iterable[Share]) -> None:
        """Take over what was found elsewhere."""
        for share in shares:
            self.shares.append(share)
            self.checked.extend(share.checked)
            self.diags.extend(share.diagnostics)
            for check in share.not_checked:
                self.diags.skip(check)

    def sort(self, ids: Iterable[str]) -> None:
        """Bring what comes from several places into the order of the bundles."""
        rank = {id: n for n, id in enumerate(ids)}
        self.checked.sort(key=rank.__getitem__)
        self.shares.sort(key=lambda share: rank[share.checked[0]] if share.checked else -1)

    def _now(self) -> tuple[int, int, int, int]:
        return len(self.checked), len(self.diags), len(self.unfit), len(self.diags.skipped())
