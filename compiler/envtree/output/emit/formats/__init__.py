"""The dialects of the output formats by name; `bundle` and `template` are written elsewhere."""

from collections.abc import Mapping
from types import MappingProxyType

from envtree.output.emit.dialect import Dialect
from envtree.output.emit.formats import (
    bash,
    compose,
    docker,
    github,
    gitlab,
    json_env,
    k8s,
    node,
    portable,
    python_dotenv,
    systemd,
    terraform,
    yaml,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "compose": compose.DIALECT,
        "docker": docker.DIALECT,
        "bash": bash.DIALECT,
        "systemd": systemd.DIALECT,
        "python-dotenv": python_dotenv.DIALECT,
        "node": node.NODE,
        "npm-dotenv": node.NPM_DOTENV,
        "github-env": github.GITHUB_ENV,
        "github-output": github.GITHUB_OUTPUT,
        "gitlab": gitlab.DIALECT,
        "portable": portable.DIALECT,
        "json-env": json_env.DIALECT,
        "yaml": yaml.DIALECT,
        "k8s": k8s.DIALECT,
        "terraform": terraform.DIALECT,
    }
)
