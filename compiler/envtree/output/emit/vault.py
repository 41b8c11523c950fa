"""The secrets of a bundle for a vault that has texts by names: the variables in which something is secret."""

from collections.abc import Mapping

from envtree.model.output_settings import Kubernetes
from envtree.model.resolved import Bundle
from envtree.output.emit.variables import environment, variables


def vault_values(bundle: Bundle, patterns: Mapping[str, str]) -> dict[str, str]:
    """The secret variables of a bundle in clear; of a run without a key there are none."""
    found = environment(bundle, patterns)
    names = variables(found, None, bundle.data, Kubernetes()).references
    plain = variables(found, "plain", bundle.data, Kubernetes()).texts
    return {name: plain[name] for name in names if name in plain}
