"""
A stand-in for Grafana: no registry that we reach has its server. It checks what the documented HTTP API asks for (folders, datasources,
dashboards: fields, types, limits, statuses of Grafana 8 to 13's /api) and refuses the rest as Grafana does.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")


class Refused(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def need(condition: object, message: str, status: int = 400) -> None:
    if not condition:
        raise Refused(status, message)


class Grafana:
    def __init__(self, token: str):
        self.token = token
        self.folders: dict[str, dict] = {}
        self.datasources: dict[str, dict] = {}
        self.dashboards: dict[str, dict] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                size = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                try:
                    need(self.headers["authorization"] == f"Bearer {outer.token}", "Invalid API key", 401)
                    status, said = 200, outer.answer(self.command, self.path, body)
                except Refused as e:
                    status, said = e.status, {"message": str(e)}
                text = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_PUT = do_GET

            def log_message(self, *a):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, body: Any) -> dict:
        match method, path.removeprefix("/api/").split("/"):
            case "GET", ["folders", uid]:
                need(uid in self.folders, "folder not found", 404)
                return self.folders[uid]
            case "POST", ["folders"]:
                need(UID.fullmatch(body["uid"]) and body.get("title"), "folder title cannot be empty")
                need(body["uid"] not in self.folders, "a folder with that uid already exists", 412)
                self.folders[body["uid"]] = body
                return body
            case "GET", ["datasources", "uid", uid]:
                need(uid in self.datasources, "Data source not found", 404)
                return self.datasources[uid]
            case ("POST", ["datasources"]) | ("PUT", ["datasources", "uid", _]):
                need(all(isinstance(body.get(k), str) and body[k] for k in ("name", "type", "access", "url")), "bad request data")
                need(body["access"] in ("proxy", "direct") and isinstance(body.get("jsonData", {}), dict), "bad request data")
                need((body["uid"] in self.datasources) == (method == "PUT"), "data source with the same name already exists", 409)
                self.datasources[body["uid"]] = body
                return {"id": 1, "name": body["name"], "message": "Datasource added", "datasource": body}
            case "POST", ["dashboards", "db"]:
                return self.dashboard(body)
        raise Refused(404, "Not found")

    def dashboard(self, body: dict) -> dict:
        need(set(body) <= {"dashboard", "folderUid", "message", "overwrite"} and isinstance(body["overwrite"], bool), "bad request data")
        need(body["folderUid"] in self.folders, "folder not found", 404)
        made = body["dashboard"]
        need(made["id"] is None and UID.fullmatch(made["uid"]) and made["title"], "bad dashboard")
        need(isinstance(made["schemaVersion"], int) and isinstance(made["panels"], list), "bad dashboard")
        need(len({p["id"] for p in made["panels"]}) == len(made["panels"]), "panel ids are not unique")
        for panel in made["panels"]:
            place = panel["gridPos"]
            need(panel["type"] and place["x"] + place["w"] <= 24 and place["h"] > 0, f"bad panel {panel['title']}")
        need(made["uid"] not in self.dashboards or body["overwrite"], "A dashboard with the same uid already exists", 412)
        version = self.dashboards.get(made["uid"], {}).get("version", 0) + 1
        self.dashboards[made["uid"]] = {**made, "version": version}
        slug = made["title"].lower().replace(" ", "-")
        return {"id": 1, "uid": made["uid"], "url": f"/d/{made['uid']}/{slug}", "status": "success", "version": version, "slug": slug}

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
