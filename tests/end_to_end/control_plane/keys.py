"""API keys that a control plane on loopback accepts: it reads their claims without checking the signature."""

import base64
import json
import uuid


def key_for(organization: str) -> str:
    """Return a key for an organization. Any name works; a new one is an empty organization."""
    user = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{organization}.invalid"))
    claims = {"organization": organization, "email": f"tests@{organization}.invalid", "token_id": user, "name": "tests"}
    return ".".join((_part({"alg": "HS256", "typ": "JWT"}), _part(claims), "throw-away"))


def organization_of(authorization: str) -> str:
    """Return the organization of the key in a header; empty if it is not one of these keys."""
    pieces = authorization.rpartition(" ")[2].split(".")
    if len(pieces) != 3:
        return ""
    claims = json.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    return str(claims.get("organization", ""))


def _part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
