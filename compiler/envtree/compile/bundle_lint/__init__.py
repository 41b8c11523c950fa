"""Check resolved bundles: models, computed values, MCP servers, variable contracts, and policies."""

from envtree.compile.bundle_lint.bundle_policies import BundlePolicies
from envtree.compile.bundle_lint.mcp_servers import check_mcp_servers
from envtree.compile.bundle_lint.repeated_mixins import check_repeated_mixins
from envtree.compile.bundle_lint.value_shape import check_shape
from envtree.compile.bundle_lint.variable_contracts import VariableContracts
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text
from envtree.model.resolved import Bundle, Resolved
from envtree.model.span import Span, file_span
from envtree.model.workspace import Workspace

_CLAUDE_RUNTIME = "claude_code"
_CLAUDE_MODEL = "claude"


def check_runtime(resolved: Resolved, diags: Diagnostics) -> None:
    """Report an agent whose runtime cannot run its model."""
    stack, model = resolved.merged.stack, resolved.merged.model
    agent = stack.agent_layer.document
    runtime = get_field(agent, "runtime")
    if agent is None or runtime is None or get_text(runtime) != _CLAUDE_RUNTIME or model is None:
        return
    scalar, layer = model
    if not isinstance(scalar.value, str) or _CLAUDE_MODEL in scalar.value.lower():
        return
    runtime_span, model_span = agent.span(runtime), Span(layer.path, *scalar.mark)
    span, related = runtime_span, RelatedSpan(model_span, "the model")
    if layer.path == agent.path:
        # Reported at the model, since several overlays may each name a wrong one.
        span, related = model_span, RelatedSpan(runtime_span, "the runtime")
    message = f"agent '{stack.target.agent}' has the runtime '{_CLAUDE_RUNTIME}', but no Claude model: '{scalar.value}'"
    hint = "name a Claude model in 'model_id', or remove 'runtime'"
    diags.add(Diagnostic(span, "ET705", message, hint, (related,), "model_id", stack.target.id))


def check_model(resolved: Resolved, diags: Diagnostics) -> None:
    """Report an agent without a model."""
    model = resolved.merged.model
    if model is not None and model[0].value is not None:
        return
    stack = resolved.merged.stack
    hint = "set 'model_id' here, or 'default_model' in the project or the organization"
    message = f"agent '{stack.target.agent}' has no model"
    diags.add(
        Diagnostic(file_span(stack.agent_layer.path), "ET750", message, hint, key="model_id", bundle=stack.target.id)
    )


class BundleLintRules:
    """The contracts and policies that every bundle is checked against; made once a run, since it compiles them."""

    def __init__(self, workspace: Workspace, policies: BundlePolicies) -> None:
        self.contracts, self.policies = VariableContracts(workspace), policies


def bundle_lint(resolved: Resolved, bundle: Bundle, rules: BundleLintRules, diags: Diagnostics) -> None:
    """Report all problems of one bundle."""
    check_model(resolved, diags)
    check_runtime(resolved, diags)
    check_shape(resolved, diags)
    check_mcp_servers(resolved, diags)
    if resolved.merged.stack.repeated_mixins:
        check_repeated_mixins(resolved, diags)
    rules.contracts.check(resolved, diags)
    rules.policies.check(resolved, bundle, diags)


__all__ = ["BundleLintRules", "BundlePolicies", "bundle_lint"]
