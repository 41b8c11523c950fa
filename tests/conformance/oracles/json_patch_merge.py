"""Apply a patch to a document with a library for JSON Merge Patch (RFC 7396)."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

import json
import sys

from json_merge_patch import merge

if __name__ == "__main__":
    for line in sys.stdin:
        document, patch = map(json.loads, json.loads(line))
        print(json.dumps({"data": merge(document, patch)}))
