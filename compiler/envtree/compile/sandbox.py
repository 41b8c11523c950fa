"""The Jinja2 sandbox in which users' expressions are evaluated: on data only, with the language's own filters."""

from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment

from envtree.compile.comparison import TESTS, compare, describe_type
from envtree.compile.filters import FILTERS, FilterError, concat, type_name


class _JsonCodeGenerator(CodeGenerator):
    """A generator of code that compares values as JSON, where Python takes true for 1."""

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802 -- the name is that of Jinja2
        """Write a call that evaluates a chain of comparisons."""
        self.write("environment.compare(")
        self.visit(node.expr, frame)
        for operand in node.ops:
            self.write(f", {operand.op!r}, ")
            self.visit(operand.expr, frame)
        self.write(")")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        # Jinja2 would compute an expression of literals here, as Python does.
        if not isinstance(node, (nodes.Const, nodes.TemplateData)):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja2 environment without attributes of Python objects, without globals, with arithmetic on numbers only."""

    code_generator_class = _JsonCodeGenerator
    compare = staticmethod(compare)
    intercepted_unops = frozenset({"+", "-"})
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, **settings: Any) -> None:
        super().__init__(undefined=StrictUndefined, cache_size=0, optimized=False, **settings)
        self.globals = {}
        self.filters = {**FILTERS, "_concat": concat}
        self.tests = dict(TESTS)

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
        kinds = type_name(left), type_name(right)
        if kinds != ("number", "number") and (operator != "+" or kinds not in (("text", "text"), ("list", "list"))):
            expected = "two numbers, texts or lists" if operator == "+" else "two numbers"
            found = f"{describe_type(left)} and {describe_type(right)}"
            raise FilterError(f"'{operator}' takes {expected}, found {found}")
        return super().call_binop(context, operator, left, right)

    def call_unop(self, context: Any, operator: str, arg: Any) -> Any:
        """Compute the sign of a number."""
        if type_name(arg) != "number":
            raise FilterError(f"'{operator}' takes a number, found {describe_type(arg)}")
        return super().call_unop(context, operator, arg)
