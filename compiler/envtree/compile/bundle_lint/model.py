"""An agent should have a model: its own, its project's or the organization's."""

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.resolved import Resolved
from envtree.model.span import file_span


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
