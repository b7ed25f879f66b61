"""A request that somebody might make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    authority: str
    """`reviews:9080`: as the application writes it."""
    path: str = "/"
    """With its query, if any."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case names."""
    principal: str = ""
    """The caller's SPIFFE id; '' for a caller outside of the mesh."""
    address: str = ""
    """The caller's, where it is known."""

    @property
    def plain_path(self) -> str:
        return self.path.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))

    @property
    def has_token(self) -> bool:
        return self.headers.get("authorization", "").lower().startswith("bearer ")

    def header(self, name: str) -> str | None:
        special = {":authority": self.authority, ":method": self.method, ":path": self.path, ":scheme": "http", "host": self.authority}
        return special[name] if name in special else self.headers.get(name.lower())
