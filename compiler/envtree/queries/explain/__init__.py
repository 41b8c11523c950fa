"""Where the values of a bundle come from: what each layer set, merged, deleted or locked, or had nothing to say of."""

from envtree.compile.resolve.expression import Compiler
from envtree.model.fields import field
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import Listing
from envtree.model.value_path import Place, parts
from envtree.queries.explain.bundle import Explained, explained, inside, keys
from envtree.queries.explain.key import KeyMissingError, find_place
from envtree.queries.explain.layer_trace import lock_at, places_of, rungs, secret_at
from envtree.queries.explain.lines import line, secret_line, sources
from envtree.queries.explain.model import Ladder, Line, Step, Variable


def order(bundle: Explained) -> tuple[Step, ...]:
    """The layers of a bundle, lowest first, with their files."""
    return tuple(
        Step(one.kind, one.scope, tuple(filter(None, (one.path, one.secrets.path if one.secrets else ""))))
        for one in bundle.stack.layers
    )


def overview(bundle: Explained) -> tuple[Line, ...]:
    """Every key of a bundle with its winner."""
    compiler = Compiler()
    return tuple(line(bundle, path, compiler) for path in keys(bundle))


def explain(bundle: Explained, key: str) -> Ladder:
    """All about one key; raises KeyMissingError."""
    place = find_place(bundle, key)
    return ladder(bundle, place, Compiler())._replace(variable=_variable(bundle, key, place))


def ladder(bundle: Explained, place: Place, compiler: Compiler) -> Ladder:
    """All about a place that the bundle has."""
    if place.root == "sealed":
        told = secret_line(bundle, place)
        return Ladder(told, rungs(bundle, (place,), place), lock_at(bundle, (place,)), (), None, ())
    told = line(bundle, place.path, compiler)
    winner, places = bundle.winner(place.path), places_of(place)
    read = sources(bundle, told.reads, compiler)
    lock, secret = lock_at(bundle, places), secret_at(bundle, winner)
    return Ladder(told, rungs(bundle, places, winner), lock, read, secret, _inside(bundle, place, compiler))


def _variable(bundle: Explained, key: str, place: Place) -> Variable | None:
    """The variable that `output.env` makes of a value, or the one asked for of what an expression yields."""
    document, asked = bundle.owners.documents["organization"], key.removeprefix("env_vars.")
    for name, path in bundle.flat.items():
        pattern = field(document, "output", "env", path[0])
        within = place.root == "sections" and path[: len(place.path)] == place.path
        if pattern and within and (path == place.path or name == asked):
            return Variable(name, format_path(path), document.span(pattern))
    return None


def _inside(bundle: Explained, place: Place, compiler: Compiler) -> tuple[Line, ...]:
    """What is in a map, down to its leaves, and the elements of a list."""
    merged = place.at(bundle.merged)
    paths: list[KeyPath] = []
    if place.path == ("env_vars",):
        paths = [("env_vars", name) for name in sorted(bundle.data["env_vars"])]
    elif isinstance(merged, Listing):
        paths = [(*place.path, index) for index in parts(merged)]
    elif place.root == "sections":
        paths = inside(bundle, place.path)
    return tuple(line(bundle, path, compiler) for path in paths if path != place.path)


__all__ = ["Explained", "KeyMissingError", "explain", "explained", "ladder", "order", "overview"]
