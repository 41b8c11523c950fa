"""Resolve bundles that do not hold their secrets, whoever compiled them, to what `compile --secrets plain` writes."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from envtree.model.artifact import Artifact
from envtree.model.diagnostic import Refusal
from envtree.model.formats import FORMATS
from envtree.model.resolved import Bundle
from envtree.model.secret_placeholders import Named, named
from envtree.model.secrets_file import SecretsPolicy
from envtree.output.emit import Writers, Written, emit, plaintexts
from envtree.secrets.sops import Decrypter
from envtree.secrets.unseal.opening import open_kept, open_sealed
from envtree.secrets.unseal.stored import Output, Stored, load
from envtree.secrets.unseal.values import Plain, Resolver

_FILES = {each.name: each.files for each in FORMATS}


class Unsealed(NamedTuple):
    """A bundle whose sensitive values are known; `secrets` are those, and the ones that they were computed from."""

    stored: Stored
    bundle: Bundle
    secrets: frozenset[Named]

    def artifact(self, writers: Writers) -> Artifact:
        """The files of the bundle in clear: those of its formats that can be written, and what lay beside it."""
        names = frozenset(self.stored.names)
        formats = tuple(one for one in writers.formats if names.issuperset(_FILES[one]))
        templates = tuple(one for one in writers.templates if one.file.name in names)
        found, told = emit(self.bundle, "plain", writers._replace(formats=formats, templates=templates))
        check_fit(told, self.bundle)
        return found._replace(files=(*found.files, *self.stored.others))


def check_fit(told: Written, bundle: Bundle) -> None:
    """Refuse to write a bundle in a form that cannot hold it."""
    for unfit in told.unfit:
        raise Refusal(unfit.code, f"{unfit.message}, in bundle '{bundle.target.id}'", unfit.hint)


def references(output: Output) -> set[str]:
    """The secrets that bundles refer to, as `<file>#<path>`."""
    resolver = Resolver()
    return {each for bundle in output.bundles for each in resolver.references(bundle)}


def unseal(
    output: Output, kept: Mapping[str, Any], decrypter: Callable[[Path, SecretsPolicy], Decrypter]
) -> Iterator[Unsealed]:
    """Resolve the bundles of an output; `kept` are the secrets that they refer to."""
    sealed = open_sealed(output, decrypter)
    resolver = Resolver()
    for bundle in output.bundles:
        found = resolver.resolve(bundle, Plain(kept, sealed.get(bundle.folder, {})))
        read = frozenset(one for each in resolver.references(bundle) for one in named(each, kept.get(each)))
        yield Unsealed(bundle, found, read | plaintexts(found))


__all__ = ["Output", "Unsealed", "check_fit", "load", "open_kept", "references", "unseal"]
