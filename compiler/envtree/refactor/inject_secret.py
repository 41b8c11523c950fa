"""Add the entry of a `secrets` section that makes a secret a variable, to the file that the secret belongs to."""

import re
from typing import NamedTuple

from envtree.model.keypath import KeyPath, format_path
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import ROOT_FILE
from envtree.refactor.insert_value import NoPlaceError, append_item, flow_text, insert_value, read_data

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECTION: KeyPath = ("execution_environment", "secrets")


class InjectionError(Exception):
    """A secret cannot become a variable; the hint is what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class InjectionTarget(NamedTuple):
    """The file for the entry, and the path of its `secrets` section: an agent's overlay is in the agent's file."""

    path: str
    section: KeyPath


def injection_target(secrets_path: str, location: Location) -> InjectionTarget:
    """Return where the secrets of a file are injected."""
    stem = secrets_path.rpartition(".secrets.")[0]
    if location.owner is Kind.ORGANIZATION:
        return InjectionTarget(ROOT_FILE, _SECTION)
    if location.environment:
        agent = stem.removesuffix(f".{location.environment}")
        return InjectionTarget(f"{agent}.yaml", ("environments", location.environment, *_SECTION))
    return InjectionTarget(f"{stem}.yaml", _SECTION)


def variable_name(key: KeyPath) -> str:
    """Return the variable for a secret: its key, or the path in capitals, as `output.env` does."""
    if len(key) == 1 and _VARIABLE_NAME.fullmatch(key[0]):
        return key[0]
    name = re.sub(r"[^A-Za-z0-9_]", "_", "_".join(key)).upper()
    return name if _VARIABLE_NAME.fullmatch(name) else f"_{name}"


def inject_secret(text: str, target: InjectionTarget, key: KeyPath) -> str:
    """Return the text of the file with an entry for a secret; the same text if it has one.

    Raise InjectionError if the variable has another secret, or the section has another form.
    """
    name, secret = variable_name(key), format_path(key)
    section = _read_section(text, target.section)
    present = {item: item for item in section} if isinstance(section, list) else section
    if isinstance(present, dict) and name in present:
        if present[name] != secret:
            message = f"'{name}' is the secret '{present[name]}' in '{target.path}'"
            raise InjectionError(message, "leave out --inject, and write an entry with another name")
        return text
    try:
        if isinstance(section, list) and name == secret:
            return append_item(text, target.section, name)
        if section is None:
            return insert_value(text, target.section, [name] if name == secret else {name: secret})
        if isinstance(section, dict) and not any(entry.startswith("$") for entry in section):
            return insert_value(text, (*target.section, name), secret)
    except NoPlaceError:
        pass
    dotted = format_path(target.section)
    raise InjectionError(f"'{dotted}' of '{target.path}' has a form of its own", f"add {_example(name, secret)} to it")


def _read_section(text: str, path: KeyPath) -> object:
    section: object = read_data(text)
    for key in path:
        section = section.get(key) if isinstance(section, dict) else None
    return section


def _example(name: str, secret: str) -> str:
    return f"'secrets: {flow_text({name: secret})}'"
