"""The files that `envtree init` writes: a small tree of which each file shows one feature."""

from envtree import EDITION
from envtree.model.source import Kind
from envtree.model.tree_layout import SCHEMA_FOLDER

_ORGANIZATION = """\
# What holds for every agent, and the defaults: projects, environments, teams and agents change them.
name: {name}
edition: {edition}
default_model: anthropic/claude-sonnet-4-5

# What the agents' programs rely on; every bundle is checked against it.
variables:
  LOG_LEVEL:
    enum: [debug, info, warning, error]
    required: true
    description: Least severity that is written.

execution_environment:
  env_vars:
    LOG_LEVEL: info
    SERVICE_NAME: ${{{{ agent.name }}}}-${{{{ environment.name }}}}
  feature_flags:
    dry_run: true  # nothing real happens unless an environment says so
"""

_BASE = """\
# What every environment starts from. Abstract: nothing is compiled for it. It wins over projects, so defaults that a
# project may change are in organization.yaml.
abstract: true
execution_environment:
  endpoints:
    api: https://api.${{ environment.name }}.example.com
"""

_DEVELOPMENT = """\
inherits: base
execution_environment:
  env_vars:
    LOG_LEVEL: debug
"""

_PRODUCTION = """\
inherits: base
execution_environment:
  feature_flags:
    dry_run: {$value: false, $lock: true}  # no agent may change it
"""

_AGENT = """\
# The file's name is the agent's: default/assistant@production is one of its bundles.
description: Answers questions about this repository.
execution_environment:
  env_vars:
    GREETING: Hello from ${{ agent.name }}, on ${{ endpoints.api }}.
environments:
  development:
    execution_environment:
      env_vars:
        GREETING: Hello, developer.
"""


def starter_files(name: str) -> dict[str, str]:
    """Return the files of the tree by path, each with a modeline that names its schema for editors."""
    return {
        "organization.yaml": _schema_modeline(Kind.ORGANIZATION, 0) + _ORGANIZATION.format(name=name, edition=EDITION),
        "environments/base.yaml": _schema_modeline(Kind.ENVIRONMENT, 1) + _BASE,
        "environments/development.yaml": _schema_modeline(Kind.ENVIRONMENT, 1) + _DEVELOPMENT,
        "environments/production.yaml": _schema_modeline(Kind.ENVIRONMENT, 1) + _PRODUCTION,
        "agents/assistant.yaml": _schema_modeline(Kind.AGENT, 1) + _AGENT,
    }


def _schema_modeline(kind: Kind, depth: int) -> str:
    return f"# yaml-language-server: $schema={'../' * depth}{SCHEMA_FOLDER}/{kind}.schema.json\n"
