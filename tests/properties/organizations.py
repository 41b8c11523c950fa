"""Random organizations: environments that inherit, overlays, projects, teams, agents and secrets."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

from tests.properties.layering import Tree
from tests.properties.sections import BASE, SECTIONS, assembled, chance, contents, sound_entries


@dataclass(frozen=True)
class Organization:
    """A drawn tree, the plain text of its secrets, and the style in which it is written."""

    tree: Tree
    secrets: Tree
    flow: bool
    wild: bool


# The tree.

TEAMS: list[list[str | None]] = [[None], ["t"], [None, "t"]]
ROOT = ["base", "development", "staging", "production"]
POLICIES = st.sampled_from(["replace", "append", "prepend", "union", "unique"])
EXISTING: dict[str, st.SearchStrategy[Any]] = {"override": st.just("exists")}
existing = st.fixed_dictionaries(EXISTING, optional={"list": POLICIES})
policies = st.fixed_dictionaries(
    {},
    optional={
        "config.hosts": POLICIES,
        'config."a.b"': POLICIES,
        "config.sidecars": st.one_of(POLICIES, st.just({"by_key": "name"}), st.just({"by_key": "name"})),
        "mcp_servers.*.args": POLICIES,
        "**.args": POLICIES,
        "config.**.hosts": POLICIES,
        "config.**": POLICIES.filter(lambda policy: policy != "replace"),
        "config.db": st.just("replace"),
        "mcp_servers.*": st.just("replace"),
        "env_vars.MAYBE": existing,
        "config.*.port": existing,
    },
)


@dataclass
class Planting:
    """Generator of one tree, file by file."""

    draw: st.DrawFn
    wild: bool
    tree: Tree
    secrets: Tree

    def file(self, stem: str, fields: dict[str, Any], *, secrets: int = 25) -> None:
        """Draw a file with a section, and perhaps its secrets."""
        section = self.draw(SECTIONS[self.wild])
        self.tree[f"{stem}.yaml"] = {**fields, **({"execution_environment": section} if section else {})}
        self.sealed(stem, secrets)

    def sealed(self, stem: str, percent: int) -> None:
        """Perhaps draw a secrets file."""
        if self.draw(chance(percent)):
            self.secrets[f"{stem}.secrets.yaml"] = self.draw(contents)

    def fields(self, **options: st.SearchStrategy[Any]) -> dict[str, Any]:
        """Draw some of the optional fields."""
        return self.draw(st.fixed_dictionaries({}, optional=options))

    def subset(self, elements: list[str], most: int) -> list[str]:
        """Draw some distinct elements, in any order."""
        if not elements:
            return []
        drawn: list[str] = self.draw(st.lists(st.sampled_from(elements), max_size=most, unique=True))
        return drawn

    def organization(self) -> None:
        """Draw the root file, which sets everything that sound expressions read."""
        entries = BASE + self.draw(sound_entries)
        self.tree["organization.yaml"] = {
            "name": "acme",
            "edition": 2026,
            "inputs": {"BUILD": {"env": "ENVTREE_TEST_NO_SUCH_VARIABLE", "default": "dev"}},
            "merge": self.draw(policies),
            "execution_environment": assembled(entries),
            **self.fields(default_model=st.just("anthropic/claude-sonnet")),
        }
        keys = {"token": "t0", "db": {"password": "p0", "user": "u0"}}
        self.secrets["organization.secrets.yaml"] = {**keys, **self.fields(extra=st.integers(0, 9))}

    def environment(self, stem: str, parents: list[str], **fields: bool) -> bool:
        """Draw an environment; return whether it is abstract."""
        chosen = self.subset(parents, 3)
        inherits = chosen[0] if len(chosen) == 1 and self.draw(st.booleans()) else chosen
        abstract = self.draw(chance(15))
        options: dict[str, Any] = {
            **fields,
            **({"inherits": inherits} if chosen else {}),
            **({"abstract": True} if abstract else {}),
        }
        self.file(stem, {**options, **self.fields(type=st.sampled_from(["development", "staging", "production"]))})
        return abstract

    def overlays(self, folder: str, environments: list[str]) -> None:
        """Draw overlays of environments, some with a secrets file alone."""
        for name in self.subset(environments, 2):
            stem = f"{folder}environments/{name}"
            if self.draw(chance(85)):
                self.file(stem, {})
            else:
                self.sealed(stem, 100)

    def mixins(self, environments: list[str]) -> None:
        """Draw mix-ins, each of which may use earlier ones, with overlays and secrets."""
        for index in range(self.draw(st.integers(0, 3))):
            name = f"mixin{index}"
            overlays = {}
            for environment in self.subset(environments, 2):
                overlays[environment] = {"execution_environment": self.draw(SECTIONS[self.wild])}
                self.sealed(f"mixins/{name}.{environment}", 20)
            fields = {**self.uses(), **({"environments": overlays} if overlays else {})}
            self.file(f"mixins/{name}", fields)

    def uses(self) -> dict[str, Any]:
        """Draw a list of the mix-ins so far."""
        names = sorted(
            path.removeprefix("mixins/").removesuffix(".yaml") for path in self.tree if path.startswith("mixins/")
        )
        chosen = self.subset(names, 2)
        uses = chosen[0] if len(chosen) == 1 and self.draw(st.booleans()) else chosen
        return {"uses": uses} if chosen else {}

    def agent(self, folder: str, name: str, concrete: list[str], visible: list[str]) -> None:
        """Draw an agent with its overlays and their secrets."""
        overlays = {}
        for environment in self.subset(visible, 2):
            section = self.draw(SECTIONS[self.wild])
            overlays[environment] = {**self.fields(model_id=st.just("m-over")), "execution_environment": section}
            self.sealed(f"{folder}agents/{name}.{environment}", 20)
        fields = self.fields(model_id=st.just("m-agent"), description=st.just("a {{ bot }}"))
        if self.draw(chance(20)):
            fields["targets"] = self.subset(concrete, 2)
        self.file(
            f"{folder}agents/{name}", {**fields, **self.uses(), **({"environments": overlays} if overlays else {})}
        )


@st.composite
def organizations(draw: st.DrawFn) -> Organization:
    """Draw a whole organization."""
    planting = Planting(draw, draw(chance(30)), {}, {})
    planting.organization()
    order = ROOT[: draw(st.integers(2, 4))]
    abstract = {name for index, name in enumerate(order) if planting.environment(f"environments/{name}", order[:index])}
    planting.mixins(order)
    agents = count()
    for project in draw(st.sampled_from([["p"], ["p", "q"], ["default"]])):
        plant_project(planting, project, (order, abstract), agents)
    return Organization(planting.tree, planting.secrets, draw(st.booleans()), planting.wild)


def plant_project(planting: Planting, project: str, root: tuple[list[str], set[str]], agents: "count[int]") -> None:
    """Draw a project, its own environment, its overlays, teams and agents."""
    folder = "" if project == "default" else f"projects/{project}/"
    visible, abstract = list(root[0]), set(root[1])
    if folder:
        planting.overlays(folder, visible)
        if planting.draw(chance(25)):
            abstract |= {"canary"} if planting.environment(f"{folder}environments/canary", visible, own=True) else set()
            visible.append("canary")
    concrete = [name for name in visible if name not in abstract]
    if folder:
        fields = planting.fields(default_model=st.just("m-project"), targets=st.just(list(concrete)))
        concrete = fields.get("targets", concrete)
        planting.file(f"{folder}project", {"key": f"{project}x", **fields, **planting.uses()})
    teams: list[str | None] = planting.draw(st.sampled_from(TEAMS))
    for team in teams:
        parent = f"{folder}teams/{team}/" if team else folder
        narrowed = concrete
        if team:
            narrowed = planting.subset(concrete, 3) if planting.draw(chance(30)) else concrete
            fields = {"targets": narrowed} if narrowed != concrete else {}
            planting.file(
                f"{parent}team", {**fields, **planting.fields(description=st.just("a team")), **planting.uses()}
            )
            planting.overlays(parent, visible)
        if next(agents) < 3:
            planting.agent(parent, "bot", narrowed, visible)
