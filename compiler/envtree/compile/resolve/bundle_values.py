"""The values of one bundle: environment variables with injected secrets over them, then the other sections."""

from typing import Any

from envtree.compile.resolve.evaluation import Engine, Evaluation
from envtree.compile.resolve.injection import inject
from envtree.compile.resolve.sticky import check_sticky
from envtree.model.keypath import format_path
from envtree.model.merged import Branch, MergedStack
from envtree.model.resolved import SECTIONS, Hidden, Resolved, hidden_parts


def resolve_bundle(merged: MergedStack, engine: Engine) -> Resolved:
    """Compute every value of one bundle."""
    variables = engine.variables.split(merged.sections.get("env_vars"))
    evaluation = Evaluation(merged, variables.texts, engine)
    injected = inject(merged, evaluation)
    evaluation.env_vars(variables.computed, without=injected)
    values = evaluation.texts
    sections = {name: evaluation.value(merged.sections[name], (name,)) for name in SECTIONS if name in merged.sections}
    _check_variables(merged, evaluation)
    for name in sections:
        check_sticky(merged.sections[name], (name,), evaluation)
    return Resolved(merged, values, sections, injected, _sensitive(values, sections, merged))


def _check_variables(merged: MergedStack, evaluation: Evaluation) -> None:
    section = merged.sections.get("env_vars")
    # Where neither is true of all of them, none of them is guarded; what is locked may stand in a map that is new.
    if type(section) is not Branch or not (section.guarded or section.locks):
        return
    secrets = merged.entries("secrets")
    for name, value in section.entries.items():
        if value.guarded and name not in secrets:
            check_sticky(value, ("env_vars", name), evaluation)


def _sensitive(values: dict[str, Any], sections: dict[str, Any], merged: MergedStack) -> tuple[str, ...]:
    is_open = Hidden not in set(map(type, values.values()))
    found = [] if is_open else [name for name, value in values.items() if type(value) is Hidden and value.secret]
    for name, data in sections.items():
        if merged.sections[name].dynamic:
            found += [format_path(path) for path, part in hidden_parts(data, (name,)) if part.secret]
    return tuple(sorted(found))
