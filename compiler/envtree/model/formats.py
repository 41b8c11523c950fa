"""The forms that a bundle, or the tree as a whole, can be written in, each for one reader.

This is the one list of them: the command line, its help and `emit.formats` are made from it, and tests hold the schema
and the language reference to it.
"""

from typing import NamedTuple


class Format(NamedTuple):
    """One form; `files` are the names of its files beside each other, `reader` is who takes them.

    One of the `whole` tree has its files once, in a folder of their own, and not beside each bundle.
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
FORMAT_NAMES = tuple(each.name for each in FORMATS)
# What is written unless somebody says otherwise; the first always is.
DEFAULT_FORMATS = ("bundle", "compose")
# Those that fit on stdout: with one file, and no words of their own for the same in JSON.
STDOUT_FORMATS = tuple(
    each.name for each in FORMATS if len(each.files) == 1 and each.name != "bundle" and not each.is_whole_tree
)
# What is made of the whole tree, and so not of a part of it.
WHOLE_TREE_FORMATS = frozenset(each.name for each in FORMATS if each.is_whole_tree)
