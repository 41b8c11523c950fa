"""A small tree on disk, and command lines run in this process; the fixtures are in conftest.py."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

ORGANIZATION = "name: acme\nedition: 2026\ndefault_model: m/m\n"
TREE = {
    "organization.yaml": ORGANIZATION,
    "environments/base.yaml": "abstract: true\nexecution_environment:\n  env_vars: {LOG_LEVEL: info}\n",
    "environments/production.yaml": "inherits: base\n",
    "environments/staging.yaml": "inherits: base\n",
    "projects/shop/project.yaml": "key: shop\n",
    "projects/shop/agents/clerk.yaml": "targets: [production]\n",
    "projects/shop/teams/cart/team.yaml": "{}\n",
    "projects/shop/teams/cart/agents/bot.yaml": "execution_environment:\n  env_vars: {NAME: '${{ agent.name }}'}\n",
}
BOT = "projects/shop/teams/cart/agents/bot.yaml"
BOT_ID = "shop/cart/bot@production"
WARNING = "execution_environment:\n  env_vars: {A: 'x', B: no}\n"
ERROR = "execution_environment:\n  env_var: {A: x}\n"
INPUT = ORGANIZATION + "inputs: {SHA: {}}\nexecution_environment:\n  env_vars: {SHA: '${{ inputs.SHA }}'}\n"


class CommandResult(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., CommandResult]


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
