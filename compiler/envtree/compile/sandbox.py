"""Where Jinja2 evaluates what users write: on data only, with the language's own filters."""

from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envtree.compile.filters import FILTERS, TESTS, concat


class Sandbox(ImmutableSandboxedEnvironment):
    """No attributes of Python objects, no globals, and arithmetic on numbers only."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, **settings: Any) -> None:
        super().__init__(undefined=StrictUndefined, cache_size=0, optimized=False, **settings)
        self.globals = {}
        self.filters = {**FILTERS, "_concat": concat}
        self.tests = {name: test for name, test in self.tests.items() if name in TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key; `a.b` is `a['b']`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A part of a map or a list."""
        try:
            return obj[argument] if isinstance(obj, (dict, list)) else self.undefined(obj=obj, name=argument)
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic; texts and lists can be joined."""
        numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right))
        if not numbers and not (operator == "+" and type(left) is type(right) and isinstance(left, (str, list))):
            raise TypeError("operands")
        return super().call_binop(context, operator, left, right)
