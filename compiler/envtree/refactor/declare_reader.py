"""Declare a person as a reader of secrets in the text of organization.yaml."""

from collections.abc import Mapping
from typing import Any

from envtree.refactor.insert_value import NoPlaceError, append_item, flow_text, insert_value, read_data


class DeclarationError(Exception):
    """A person cannot be declared; the hint is what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def declare_reader(text: str, name: str, public_key: str) -> str:
    """Return the text with a person, their age key, and them as a reader; the same text if it has all of this."""
    person = flow_text({name: {"age": public_key}})
    try:
        return _add_reader(_add_person(text, name, public_key), name)
    except NoPlaceError:
        hint = f"add to it: 'people: {person}' and 'secret_readers: {flow_text([name])}'"
        raise DeclarationError("organization.yaml has no place for a reader", hint) from None


def _add_person(text: str, name: str, public_key: str) -> str:
    person = _field(_field(read_data(text), "people"), name)
    keys = _field(person, "age")
    if keys is None:
        path = ("people", name, "age") if isinstance(person, dict) else ("people", name)
        return insert_value(text, path, public_key if isinstance(person, dict) else {"age": public_key})
    if public_key in (keys if isinstance(keys, list) else [keys]):
        return text
    if isinstance(keys, list):
        return append_item(text, ("people", name, "age"), public_key)
    message = f"'{name}' has another age key in organization.yaml"
    raise DeclarationError(message, f"choose another name with --name, or write '[{keys}, {public_key}]' there")


def _add_reader(text: str, name: str) -> str:
    readers = _field(read_data(text), "secret_readers")
    if readers is None:
        return insert_value(text, ("secret_readers",), [name])
    return text if name in readers else append_item(text, ("secret_readers",), name)


def _field(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, Mapping) else None
