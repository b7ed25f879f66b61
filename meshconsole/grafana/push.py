"""Dashboards by Grafana's HTTP API: the folder, the datasource where one is given, then each dashboard over its older self."""

from collections.abc import Callable
from typing import Any

import httpx

from . import generate


class Failed(RuntimeError):
    """Grafana did not do it; the text is its own where it said why."""


class Grafana:
    """`token` is that of a service account (or `user:password`). API: /api/folders, /api/datasources, /api/dashboards/db."""

    def __init__(self, url: str, token: str, *, ca: str = "", transport: httpx.BaseTransport | None = None) -> None:
        user, colon, password = token.partition(":")
        auth = httpx.BasicAuth(user, password) if colon else None
        headers = {} if colon else {"authorization": f"Bearer {token}"}
        verify: Any = ca or True
        self._http = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers=headers,
            auth=auth,
            timeout=30,
            verify=verify,
            transport=transport,
            follow_redirects=False,
        )

    def push(self, *, prometheus: str = "", console: str = "", told: Callable[[str], None] = lambda line: None) -> list[str]:
        """The addresses of the dashboards, below Grafana's own. Raises Failed."""
        with self._http:
            self._folder()
            if prometheus:
                self._datasource(prometheus)
                told(f"datasource {generate.DATASOURCE}")
            found = []
            for made in generate.dashboards(console).values():
                body = {
                    "dashboard": {**made, "id": None},
                    "folderUid": generate.FOLDER_UID,
                    "overwrite": True,
                    "message": "meshconsole grafana push",
                }
                found.append(str(self._said("POST", "api/dashboards/db", body)["url"]))
                told(f"dashboard {made['title']} {found[-1]}")
            return found

    def _folder(self) -> None:
        if self._ask("GET", f"api/folders/{generate.FOLDER_UID}").status_code == 404:
            self._said("POST", "api/folders", {"uid": generate.FOLDER_UID, "title": generate.FOLDER})

    def _datasource(self, url: str) -> None:
        wanted = generate.datasource(url)
        path = f"api/datasources/uid/{generate.DATASOURCE_UID}"
        if self._ask("GET", path).status_code == 404:
            self._said("POST", "api/datasources", wanted)
        else:
            self._said("PUT", path, wanted)

    def _said(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(method, path, body)
        if not answer.is_success:
            raise Failed(f"{method} /{path}: Grafana answered {answer.status_code}: {_why(answer)}")
        try:
            return dict(answer.json())
        except ValueError as e:
            raise Failed(f"{method} /{path}: the answer is no JSON; is this Grafana's address?") from e

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as e:
            raise Failed(f"Grafana does not answer at {self._http.base_url}: {e or type(e).__name__}") from e
        if answer.status_code in (401, 403):
            raise Failed(
                f"Grafana refuses the token ({answer.status_code}: {_why(answer)}); it needs the role Editor, for the datasource Admin"
            )
        if answer.is_redirect:
            raise Failed(f"Grafana redirects to {answer.headers.get('location', '')}; give that address")
        return answer


def _why(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))[:300] or answer.reason_phrase
    except (ValueError, AttributeError):
        return answer.text[:200].strip() or answer.reason_phrase
