"""Random sections: mostly sound ones, some wild, with few keys, so that layers often collide.

Sound layers follow rules: a key has one type, a value that reads a secret is never replaced by a plain one, and
values read only values below them in the order `HOST, PORT, LEVEL` < config < the rest. Wild entries break the rules.
"""

import copy
from typing import Any

from hypothesis import strategies as st

from tests.properties.merging import Plain

Entry = tuple[tuple[str, ...], Any]


def chance(percent: int) -> st.SearchStrategy[bool]:
    """Draw true in about so many percent of cases; shrinks to false."""
    return st.integers(0, 99).map(lambda drawn: drawn >= 100 - percent)


# Scalars and expressions.

CONDITIONS = ("env_vars.LEVEL == '7'", "true == 1", "1.0 in [true, 1]")
WORDS = st.sampled_from(["x", "blue", "é", "a b", "no", "{{ run_time }}", "$${{ kept }}", "2026-11-24", ""])
HOSTS = st.sampled_from(["one.example.com", "two.example.com"])
NUMBERS = st.sampled_from([0, 1, 42, 2.5, -3, Plain("1.10"), Plain("7.0"), Plain("1e3")])
FLAGS = st.booleans()
SPELLINGS = st.sampled_from([Plain(text) for text in ("1.10", "7", "true", "1e3", "-0.50", "blue", "no", "0755")])
ENV_TEXTS = st.one_of(WORDS, NUMBERS, FLAGS, SPELLINGS)

KNOWN = [
    "env_vars.HOST",
    "env_vars.PORT",
    "env_vars['LEVEL']",
    "project.key",
    "project.name",
    "environment.name",
    "environment.type",
    "agent.name",
    "organization.name",
    "inputs.BUILD",
]
UNSURE = ["env_vars.MAYBE", "team.name", "team.description", "agent.description", "config.nowhere.at.all"]
CONFIGURED = ["config.label", "config.db.host", "config.size", "config.debug"]
SECRET = ["secrets.token", "secrets.db.password", "secrets['db'].user", "env_vars.TOKEN"]
TEXT_FILTERS = ["", "", " | lower", " | upper", " | trim", " | urlencode", " | replace('e', 'E')"]

texts = st.one_of(
    st.builds(lambda name, tail: name + tail, st.sampled_from(KNOWN), st.sampled_from(TEXT_FILTERS)),
    st.builds(lambda name: f"{name} | default('none')", st.sampled_from(UNSURE)),
    st.builds(
        lambda test, yes, no: f"{yes} if {test} else {no}",
        st.sampled_from(
            [
                "environment.type == 'production'",
                "env_vars.LEVEL == '7'",
                "true == 1",
                "1.0 in [true, 1]",
                "team",
                "team.name is defined",
            ]
        ),
        st.sampled_from([*KNOWN, "'yes'"]),
        st.sampled_from([*KNOWN, "'no'"]),
    ),
)
configured = st.sampled_from([*CONFIGURED, "config.hosts | default([])", "config.db", "[config.size, 1.0]", "1.0 + 1"])
secret = st.sampled_from([*SECRET, "secrets.token | urlencode", "secrets.extra | default('none')"])


def embedded(expressions: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Write an expression alone, or inside a text."""
    forms = st.sampled_from(["${{ %s }}", "${{%s}}", "a-${{ %s }}", "${{ %s }}${{ environment.name }}"])
    return st.builds(lambda form, expression: form % expression, forms, expressions)


# Entries of a section: a path and the value that is written there.


def entry(section: str, key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Entry]:
    """Write a value of one key of a section; slashes in the key separate levels."""
    return values.map(lambda value: ((section, *key.split("/")), value))


def some(values: st.SearchStrategy[Any], directives: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw mostly a plain value, sometimes a directive."""
    return st.one_of(values, values, values.map(lambda value: {"$value": value}), directives)


def replacing(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Write a value with `$replace`, over any other."""
    return values.map(lambda value: {"$replace": value})


DELETE = st.just({"$delete": True})
items = st.lists(st.sampled_from(["a", "b", "c", 1, 2.5, None, "${{ env_vars.HOST }}"]), max_size=3, unique_by=repr)
names = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True)
EXTRAS: dict[str, st.SearchStrategy[Any]] = {
    "image": embedded(texts),
    "size": NUMBERS,
    "limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), NUMBERS, max_size=2),
}
sidecar = st.fixed_dictionaries({"name": st.sampled_from(["a", "b", "c"])}, optional=EXTRAS)
sidecars = st.lists(sidecar, max_size=3, unique_by=lambda drawn: str(drawn["name"]))


def edits(elements: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[Any]:
    """Change a list with directives."""
    return st.one_of(
        elements.map(lambda drawn: {"$append": drawn}),
        elements.map(lambda drawn: {"$prepend": drawn}),
        elements.map(lambda drawn: {"$remove": drawn}),
        st.builds(lambda removed, added: {"$remove": removed, "$append": added}, elements, elements),
        st.builds(lambda removed, added: {"$prepend": added, "$remove": removed}, elements, elements),
        replacing(elements),
    )


servers = st.fixed_dictionaries(
    {"command": st.sampled_from(["npx", "uvx"])},
    optional={
        "args": some(st.lists(embedded(texts), max_size=2, unique=True), edits(names)),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.one_of(st.just("x"), embedded(texts).map("v{}".format))),
    },
)
tainted = embedded(secret)
locked = st.just({"$value": "same", "$lock": True})

SOUND: list[st.SearchStrategy[Entry]] = [
    entry("env_vars", "HOST", some(HOSTS, replacing(HOSTS))),
    entry("env_vars", "PORT", some(NUMBERS, replacing(ENV_TEXTS))),
    entry("env_vars", "LEVEL", some(ENV_TEXTS, replacing(ENV_TEXTS))),
    entry("env_vars", "MAYBE", some(ENV_TEXTS, DELETE)),
    entry("env_vars", "PINNED", st.one_of(st.just("same"), locked)),
    entry("env_vars", "MIXED", some(embedded(st.one_of(texts, configured)), DELETE)),
    entry("env_vars", "TOKEN", replacing(ENV_TEXTS)),
    entry("env_vars", "DSN", some(tainted, replacing(WORDS))),
    entry("secrets", "TOKEN", some(st.sampled_from(["token", "db.password"]), DELETE)),
    entry("secrets", "PASSWORD", some(st.just("db.password"), DELETE)),
    entry("config", "label", some(st.one_of(WORDS, embedded(texts)), replacing(WORDS))),
    entry("config", "size", some(NUMBERS, replacing(NUMBERS))),
    entry("config", "debug", some(FLAGS, replacing(FLAGS))),
    entry("config", "hosts", some(items, edits(items))),
    entry("config", "hosts", edits(items)),
    entry("config", "a.b", some(items, edits(names))),
    entry("config", "sidecars", some(sidecars, st.one_of(names.map(lambda drawn: {"$remove": drawn}), DELETE))),
    entry("config", "sidecars", sidecars),
    entry("config", "$$ref", some(WORDS, DELETE)),
    entry("config", "db/host", some(HOSTS, replacing(HOSTS))),
    entry("config", "db/port", some(NUMBERS, DELETE)),
    entry("config", "db/password", some(tainted, replacing(WORDS))),
    entry("config", "maybe", some(st.one_of(st.none(), embedded(texts)), DELETE)),
    entry(
        "config", "copy", embedded(configured).map(lambda text: text if text.startswith("${{") else "${{ config.db }}")
    ),
    entry("config", "pinned", st.one_of(st.just("same"), locked)),
    entry("endpoints", "api", some(st.just("https://${{ env_vars.HOST }}/v1"), DELETE)),
    entry("endpoints", "web", some(HOSTS.map("https://{}".format), replacing(HOSTS.map("http://{}:80/".format)))),
    entry("feature_flags", "beta", some(FLAGS, replacing(FLAGS))),
    entry("feature_flags", "ratio", some(NUMBERS, DELETE)),
    entry("feature_flags", "stage", embedded(texts)),
    st.one_of(names, names, edits(names)).map(lambda value: (("integration_ids",), value)),
    entry("mcp_servers", "files", servers),
    entry("mcp_servers", "shell", some(servers, st.one_of(DELETE, replacing(servers)))),
    st.one_of(st.sampled_from(["/work", "/srv/${{ agent.name }}"]), st.just({"$replace": None})).map(
        lambda value: (("working_dir",), value)
    ),
]

anything = st.recursive(
    st.one_of(WORDS, NUMBERS, FLAGS, st.none(), embedded(st.one_of(texts, configured, secret))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["host", "x"]), inner, max_size=2)
    ),
    max_leaves=3,
)
scalar = st.one_of(ENV_TEXTS, embedded(st.one_of(texts, configured, secret)))


def wildly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Write a value plainly, or with any directive that takes one."""
    return st.one_of(
        values,
        replacing(values),
        DELETE,
        values.map(lambda value: {"$value": value, "$lock": True}),
        st.builds(
            lambda value, expected: {"$value": value, "$expect": expected}, values, st.sampled_from(["exists", "new"])
        ),
    )


ENV_NAMES = ["HOST", "PORT", "LEVEL", "MAYBE", "TOKEN", "PASSWORD", "DSN"]
TYPED = {
    "size": NUMBERS,
    "db/host": HOSTS,
    "db/password": st.one_of(tainted, WORDS),
    "hosts": items,
    "sidecars": sidecars,
}
secret_paths = st.sampled_from(["token", "db.password", "extra"])
WILD: list[st.SearchStrategy[Entry]] = [
    entry("config", "pinned", st.just("other")),
    entry("env_vars", "PINNED", st.just("other")),
    *(entry("env_vars", name, wildly(scalar)) for name in ENV_NAMES),
    *(entry("config", key, wildly(anything)) for key in ("maybe", "db", "db/host", "copy", "label")),
    *(entry("config", key, wildly(values)) for key, values in TYPED.items()),
    *(entry("config", key, edits(items)) for key in ("hosts", "sidecars", "maybe")),
    *(entry("secrets", name, wildly(secret_paths)) for name in ENV_NAMES),
    entry("endpoints", "api", wildly(embedded(st.one_of(texts, secret)))),
    entry("feature_flags", "beta", wildly(st.one_of(FLAGS, NUMBERS, st.just("on"), embedded(secret)))),
    st.just((("secrets",), ["token"])),
    st.sampled_from(ENV_NAMES).map(lambda name: (("secrets",), {"$remove": [name]})),
    st.sampled_from(["HOST", "TOKEN"]).map(lambda name: (("env_vars",), {"$replace": {name: "only"}})),
    st.just((("env_vars",), {"$delete": True})),
]

BASE: list[Entry] = [
    (("env_vars", "HOST"), "base.example.com"),
    (("env_vars", "PORT"), 80),
    (("env_vars", "LEVEL"), "info"),
    (("config", "label"), "base"),
    (("config", "size"), 1),
    (("config", "debug"), False),
    (("config", "db", "host"), "db.example.com"),
    (("config", "hosts"), ["a", 1]),
    (("config", "sidecars"), [{"name": "a", "size": 1}, {"name": "b"}]),
]


def assembled(entries: list[Entry], *, wrapped: bool = False) -> dict[str, Any]:
    """Build a section from its entries; one that does not fit into those before is dropped."""
    section: dict[str, Any] = {}
    for path, value in copy.deepcopy(entries):
        holder: Any = section
        for key in path[:-1]:
            holder = holder.setdefault(key, {})
            if not isinstance(holder, dict) or any(k.startswith("$") and not k.startswith("$$") for k in holder):
                break
        else:
            holder[path[-1]] = value
    config = section.get("config")
    return {**section, "config": {"$value": config}} if wrapped and config else section


sound_entries = st.lists(st.one_of(SOUND), min_size=1, max_size=6)
wild_entries = st.lists(st.one_of(WILD), max_size=1)
SECTIONS: dict[bool, st.SearchStrategy[dict[str, Any]]] = {
    False: st.builds(lambda sound, wrapped: assembled(sound, wrapped=wrapped), sound_entries, chance(5)),
    True: st.builds(lambda sound, wild: assembled(sound + wild), sound_entries, wild_entries),
}

TOKENS = st.sampled_from(["t0k3n", "p@ss word", "${{ env_vars.HOST }}", "{{ x }}", "é\nline", "5"])
databases = st.fixed_dictionaries({}, optional={"password": TOKENS, "user": TOKENS, "port": st.integers(1, 9)}).map(
    lambda drawn: drawn or {"port": 1}
)
contents = st.fixed_dictionaries(
    {},
    optional={
        "token": some(TOKENS, replacing(TOKENS)),
        "db": some(
            databases,
            st.builds(lambda p, u: {"$replace": {"password": p, "user": u}}, TOKENS, TOKENS),
        ),
        "extra": some(st.integers(0, 9), DELETE),
    },
).map(lambda drawn: drawn or {"token": "t1"})
