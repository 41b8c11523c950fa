"""Keys of the API that a control plane on loopback accepts: it reads what they say, and looks at no signature."""

import base64
import json
import uuid


def key_for(organization: str) -> str:
    """A key for an organization. Every name works, so that a new one is an empty server."""
    user = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{organization}.invalid"))
    claims = {"organization": organization, "email": f"tests@{organization}.invalid", "token_id": user, "name": "tests"}
    return ".".join((_part({"alg": "HS256", "typ": "JWT"}), _part(claims), "throw-away"))


def organization_of(authorization: str) -> str:
    """Whose key is in a header; empty if it is none of ours."""
    pieces = authorization.rpartition(" ")[2].split(".")
    if len(pieces) != 3:
        return ""
    said = json.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    return str(said.get("organization", ""))


def _part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
