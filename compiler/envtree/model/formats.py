"""The formats in which a bundle, or the tree as a whole, can be written, each for one reader.

This is the only list: the command line, its help and `emit.formats` are generated from it, and tests check that the
schema and the language reference agree with it.
"""

from typing import NamedTuple


class Format(NamedTuple):
    """One format; `files` are the names of its files, `reader` describes the programs that read them.

    A format with `is_whole_tree` is written once, in a folder of its own, instead of beside each bundle.
    """

    name: str
    files: tuple[str, ...]
    reader: str
    is_whole_tree: bool = False


_GITHUB_MASK_FILE = "env.github-mask"

FORMATS = (
    Format("bundle", ("bundle.json",), "programs that want all of a bundle"),
    Format("compose", (".env",), "Docker Compose"),
    Format("docker", ("env.docker",), "docker run --env-file, kubectl create --from-env-file"),
    Format("bash", ("env.sh",), "bash, dash and direnv, which source it"),
    Format("systemd", ("env.systemd",), "systemd's EnvironmentFile="),
    Format("python-dotenv", ("env.python-dotenv",), "python-dotenv"),
    Format("node", ("env.node",), "node --env-file, util.parseEnv"),
    Format("npm-dotenv", ("env.npm-dotenv",), "the npm package dotenv"),
    Format("github-env", ("env.github-env", _GITHUB_MASK_FILE), "$GITHUB_ENV of GitHub Actions"),
    Format("github-output", ("env.github-output", _GITHUB_MASK_FILE), "$GITHUB_OUTPUT of GitHub Actions"),
    Format("gitlab", ("env.gitlab",), "GitLab's artifacts:reports:dotenv"),
    Format("portable", ("env.portable",), "all of the readers above, values that any of them changes refused"),
    Format("json-env", ("env.json",), "programs that read JSON"),
    Format("yaml", ("env.yaml",), "programs that read YAML, Helm and gcloud run among them"),
    Format("k8s", ("env.k8s.yaml",), "kubectl apply"),
    Format("terraform", ("env.tfvars.json",), "terraform -var-file, tofu -var-file"),
    Format("template", (), "whoever the organization's own templates are for"),
    Format("kubiya", ("kubiya.json",), "clients of Kubiya's control plane", is_whole_tree=True),
    Format(
        "kubiya-terraform",
        ("kubiya.tf.json",),
        "terraform, tofu with the provider of controlplane_*",
        is_whole_tree=True,
    ),
)
FORMAT_NAMES = tuple(format.name for format in FORMATS)
# The formats that are written by default; the first one always is.
DEFAULT_FORMATS = ("bundle", "compose")
# The formats that can be written to stdout: one file, per bundle. `show` calls the format `bundle` `json`.
STDOUT_FORMATS = tuple(
    format.name for format in FORMATS if len(format.files) == 1 and format.name != "bundle" and not format.is_whole_tree
)
# The formats that need the whole tree, so that a run over a part cannot write them.
WHOLE_TREE_FORMATS = frozenset(format.name for format in FORMATS if format.is_whole_tree)
