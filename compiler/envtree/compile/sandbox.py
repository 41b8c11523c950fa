"""The Jinja2 sandbox in which users' expressions are evaluated: on data only, with the language's own filters."""

from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envtree.compile.filters import FILTERS, TESTS, concat


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja2 environment without attributes of Python objects, without globals, with arithmetic on numbers only."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, **settings: Any) -> None:
        super().__init__(undefined=StrictUndefined, cache_size=0, optimized=False, **settings)
        self.globals = {}
        self.filters = {**FILTERS, "_concat": concat}
        self.tests = {name: test for name, test in self.tests.items() if name in TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return the value of a key: `a.b` means `a['b']`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an element of a map or a list; undefined if there is none."""
        try:
            return obj[argument] if isinstance(obj, (dict, list)) else self.undefined(obj=obj, name=argument)
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute an operation on two numbers; `+` also joins two texts or two lists."""
        are_numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right))
        if not are_numbers and not (operator == "+" and type(left) is type(right) and isinstance(left, (str, list))):
            raise TypeError("operands")
        return super().call_binop(context, operator, left, right)
