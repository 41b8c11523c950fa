"""Claude Code runs Claude models only, wherever the model was named."""

from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text
from envtree.model.resolved import Resolved
from envtree.model.span import Span

_CLAUDE_RUNTIME = "claude_code"
_CLAUDE_MODEL = "claude"


def check_runtime(resolved: Resolved, diags: Diagnostics) -> None:
    """Report an agent whose model its runtime does not run."""
    stack, model = resolved.merged.stack, resolved.merged.model
    agent = stack.agent_layer.document
    runtime = get_field(agent, "runtime")
    if agent is None or runtime is None or get_text(runtime) != _CLAUDE_RUNTIME or model is None:
        return
    scalar, layer = model
    if not isinstance(scalar.value, str) or _CLAUDE_MODEL in scalar.value.lower():
        return
    here, there = agent.span(runtime), Span(layer.path, *scalar.mark)
    related = RelatedSpan(there, "the model")
    if layer.path == agent.path:
        # Several overlays may each name a wrong model.
        here, related = there, RelatedSpan(here, "the runtime")
    message = f"agent '{stack.target.agent}' has the runtime '{_CLAUDE_RUNTIME}', but no Claude model: '{scalar.value}'"
    hint = "name a Claude model in 'model_id', or remove 'runtime'"
    diags.add(Diagnostic(here, "ET705", message, hint, (related,), "model_id", stack.target.id))
