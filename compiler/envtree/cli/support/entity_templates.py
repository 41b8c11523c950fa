"""The commented files that `envtree new` writes."""

from envtree.model.source import Kind

_VALUES = """\
# execution_environment:
#   env_vars:
#     LOG_LEVEL: info
#   secrets: [API_KEY]  # a key of the secrets files; 'envtree secrets set' writes one
"""
_PROJECT = """\
# The project {name}: its teams and agents are in the folders beside this file.
key: {key}
description: What {name} is for.
# targets: [production]  # the environments it runs in; all of them without this line

# What all of its agents get:
{values}"""
_ENVIRONMENT = """\
# The environment {name}.
description: What {name} is for.
{own}{inherits}# type: staging  # or development, production; by default the name, or the type of what it inherits

# What all agents get in it:
{values}"""
_TEAM = """\
# The team {name}: its agents are in agents/ beside this file.
description: What the team {name} does.
# targets: [production]  # the environments it runs in; those of the project without this line

# What all of its agents get:
{values}"""
_AGENT = """\
# The file's name is the agent's.
description: What {name} does.
# model_id: anthropic/claude-sonnet-4-5  # instead of the default model
# targets: [production]  # the environments it runs in; those of the team or project without this line

# What it gets in all environments:
{values}
# What it gets in one environment:
# environments:
#   production:
#     execution_environment:
#       env_vars:
#         LOG_LEVEL: warning
"""
_MIXIN = """\
# A part of a configuration that projects, teams, agents and other mix-ins name in 'uses': [{name}].
description: What {name} is for.
# uses: another-mixin

# What all of its users get:
{values}"""
_SKILL = """\
# A skill that agents and teams name in 'skill_ids': [{name}].
type: file_system  # what it does; 'envtree schema skill' lists the types and their configuration
description: What {name} can do.
configuration:
  base_dir: /srv/{name}
  enable_read_file: true
  enable_save_file: false
"""
_POLICY = """\
# A rule for finished bundles: a JSON Schema that each selected one must fit.
description: Why there is this rule.
selector: "**"  # the bundles it is for, such as '**@production'
severity: error  # or warning, info
message: what is wrong, and what to do
schema:
  properties:
    env_vars:
      properties:
        LOG_LEVEL: {{type: string}}
"""
_TEMPLATES = {
    Kind.PROJECT: _PROJECT,
    Kind.ENVIRONMENT: _ENVIRONMENT,
    Kind.TEAM: _TEAM,
    Kind.AGENT: _AGENT,
    Kind.MIXIN: _MIXIN,
    Kind.SKILL: _SKILL,
    Kind.POLICY: _POLICY,
}
_MAX_KEY_LENGTH = 50


def render_entity(kind: Kind, name: str, *, base: str = "", is_own: bool = False) -> str:
    """Return the text of a new file; an environment inherits `base`, and says if it is its project's own."""
    return _TEMPLATES[kind].format(
        name=name,
        key=project_key(name),
        values=_VALUES,
        own="own: true  # only this project has it\n" if is_own else "",
        inherits=f"inherits: {base}\n" if base else "# inherits: another-environment\n",
    )


def project_key(name: str) -> str:
    """Return a key for a project of this name."""
    key = name.upper()[:_MAX_KEY_LENGTH]
    return key if len(key) > 1 else key * 2
