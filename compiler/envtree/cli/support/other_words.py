"""Names that commands have in other programs, and the hint for each: a hint for a question never names a write."""

_CHECK = "did you mean 'check'?"
_COMPILE = "did you mean 'compile'?"
_COMPOSE = "to print a bundle as a .env file, write: envtree show ID --format compose"

OTHER_WORDS = {
    **dict.fromkeys(("lint", "validate", "test"), _CHECK),
    **dict.fromkeys(("render", "build", "generate", "template"), _COMPILE),
    **dict.fromkeys(("dotenv", "env", "export"), _COMPOSE),
    **dict.fromkeys(("ls", "ids", "bundles"), "did you mean 'list'?"),
    **dict.fromkeys(("cat", "view", "print"), "did you mean 'show'?"),
    **dict.fromkeys(("why", "blame", "trace"), "did you mean 'explain'?"),
    **dict.fromkeys(("create", "add"), "did you mean 'new'?"),
    "exec": "did you mean 'run'?",
    "import": "to read a control plane into a tree, write: envtree kubiya import DIR",
}
OTHER_FORMATS = dict.fromkeys(("dotenv", "env", ".env"), "compose")
