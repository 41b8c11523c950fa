"""The secrets of a bundle for a vault that has texts by names: the variables in which something is secret."""

from collections.abc import Mapping

from envtree.model.output_settings import KubernetesSettings
from envtree.model.resolved import Bundle
from envtree.output.emit.bundle_variables import collect_variables, prepare_writer_input


def vault_values(bundle: Bundle, patterns: Mapping[str, str]) -> dict[str, str]:
    """The secret variables of a bundle in clear; of a run without a key there are none."""
    found = collect_variables(bundle, patterns)
    names = prepare_writer_input(found, None, bundle.data, KubernetesSettings()).references
    plain = prepare_writer_input(found, "plain", bundle.data, KubernetesSettings()).texts
    return {name: plain[name] for name in names if name in plain}
