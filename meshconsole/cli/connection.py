"""The console at the other end: where it is, who we are, and how its refusals become words and an exit status."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    import httpx

    from .files import Source

DEFAULT = "http://127.0.0.1:8000"
REFUSED, USAGE, TIMED_OUT = 1, 2, 3


@dataclass(frozen=True)
class Settings:
    """From flags; what they leave empty comes from the environment, then from the file."""

    server: str = ""
    token: str = ""
    ca: str = ""

    def whole(self) -> Settings:
        server = self.server or os.environ.get("MESHCONSOLE_URL", "")
        token = self.token or os.environ.get("MESHCONSOLE_TOKEN", "")
        ca = self.ca or os.environ.get("MESHCONSOLE_CA", "")
        found = _file() if not (server and token) else {}
        there = found.get("server", "").rstrip("/")
        if server and there and server.rstrip("/") != there:
            found = {}  # it is another console's: neither its token nor its certificate is for this one
        return Settings((server or there or DEFAULT).rstrip("/"), token or found.get("token", ""), ca or found.get("ca", ""))


def _file() -> dict[str, str]:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = home / "meshconsole" / "config.yaml"
    try:
        text = path.read_text()
    except OSError:
        return {}
    import yaml

    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as e:
        fail(f"{path} is not YAML: {e}", USAGE)
    if not isinstance(found, dict) or set(found) - {"server", "token", "ca"}:
        fail(f"{path} may hold server, token and ca, and nothing else", USAGE)
    return {k: str(v) for k, v in found.items()}


def fail(text: str, status: int = REFUSED) -> NoReturn:
    typer.secho(text, err=True, fg="red")
    raise typer.Exit(status)


class Connection:
    def __init__(self, settings: Settings, source: Source | None = None):
        import ssl

        import httpx

        self.settings, self.source = settings.whole(), source
        # The audit log tells a pipeline's changes from a person's: every CI service sets CI.
        headers = {"User-Agent": "meshconsole/0.1" + (" ci" if os.environ.get("CI", "") not in ("", "0", "false") else "")}
        if self.settings.token:
            headers["Authorization"] = f"Bearer {self.settings.token}"
        verify: Any = True
        if self.settings.ca:
            try:
                verify = ssl.create_default_context(cafile=self.settings.ca)
            except OSError as e:
                fail(f"--ca {self.settings.ca}: {e.strerror or e}", USAGE)
        try:
            # A proxy from the environment is the mesh's or the company's; a console on loopback is behind neither.
            local = httpx.URL(self.settings.server).host in ("127.0.0.1", "localhost", "::1")
            self.http = httpx.Client(base_url=self.settings.server, headers=headers, timeout=60, verify=verify, trust_env=not local)
        except (httpx.InvalidURL, ValueError) as e:
            fail(f"--server {self.settings.server}: {e}", USAGE)

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params=params)

    def post(self, path: str, *, json: Any = None, **params: Any) -> Any:
        return self.call("POST", path, params=params, json=json)

    def send(self, path: str, source: Source, **params: Any) -> Any:
        """Post files as they are: the console reads them, and speaks of their lines."""
        self.source = source
        return self.call("POST", path, params=params, content=source.text.encode(), headers={"Content-Type": "application/yaml"})

    def text(self, path: str, **params: Any) -> str:
        """An answer that is no JSON."""
        return str(self._answer("GET", path, params=params).text)

    def call(self, method: str, path: str, *, params: dict[str, Any] | None = None, **options: Any) -> Any:
        return self._answer(method, path, params=params, **options).json()

    def _answer(self, method: str, path: str, *, params: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        import httpx

        params = {k: v for k, v in (params or {}).items() if v not in (None, "", False)}
        try:
            response = self.http.request(method, path, params=params or None, **options)
        except httpx.ConnectError as e:
            fail(f"No console answers at {self.settings.server}: {e}\nIs it running? `meshconsole up` starts one; --server names another.")
        except httpx.UnsupportedProtocol:
            fail(f"--server {self.settings.server}: must begin with http:// or https://", USAGE)
        except httpx.HTTPError as e:
            fail(f"{self.settings.server}: {type(e).__name__}: {e}")
        if response.is_success:
            return response
        self._refused(response)

    def lines(self, path: str, **params: Any) -> Iterator[str]:
        """A long answer, line by line as it comes."""
        import httpx

        params = {k: v for k, v in params.items() if v not in (None, "")}
        try:
            with self.http.stream("GET", path, params=params) as response:
                if not response.is_success:
                    response.read()
                    self._refused(response)
                yield from response.iter_lines()
        except httpx.HTTPError as e:
            fail(f"{self.settings.server}: {type(e).__name__}: {e}")

    def _refused(self, response: httpx.Response) -> NoReturn:
        from .messages import show

        try:
            said = response.json()
        except ValueError:
            fail(f"{self.settings.server} answered {response.status_code} and no JSON; is it a Meshconsole?")
        if response.status_code == 401:
            fail(
                f"{said.get('error', 'Not logged in.')}\nSet MESHCONSOLE_TOKEN or --token; an admin makes one by `meshconsole token create`."
            )
        if messages := said.get("messages"):
            show(messages, self.source)
            raise typer.Exit(REFUSED)
        fail(said.get("error") or said.get("message") or f"The console answered {response.status_code}.")
