"""The dashboards as Grafana's JSON, and the files that provision them."""

import json
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from meshconsole.plugins import discover

from . import dashboards as package

FOLDER_UID, FOLDER = "meshconsole", "Meshconsole"
DATASOURCE_UID, DATASOURCE = "meshconsole-prometheus", "Prometheus (mesh)"
WHERE = "/var/lib/grafana/dashboards/meshconsole"
"""Where Grafana finds the JSON files when nothing else is said."""


def dashboards(console: str = "") -> dict[str, dict[str, Any]]:
    """uid -> dashboard; with the console's address each links back to it."""
    found = {}
    for module in discover(package):
        made: dict[str, Any] = json.loads(json.dumps(module.DASHBOARD.build(), cls=JSONEncoder))
        for number, panel in enumerate(made.get("panels", ()), 1):
            panel["id"] = number
        if console:
            made["links"].append(_back(console))
        found[made["uid"]] = made
    return dict(sorted(found.items()))


def _back(console: str) -> dict[str, Any]:
    return {"title": "Meshconsole", "type": "link", "icon": "external link", "url": console.rstrip("/"), "targetBlank": True, "keepTime": False,
            "includeVars": False, "asDropdown": False, "tags": [], "tooltip": "The mesh's console"}  # fmt: skip


def datasource(url: str) -> dict[str, Any]:
    return {
        "name": DATASOURCE,
        "uid": DATASOURCE_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": url,
        "jsonData": {"httpMethod": "POST"},
    }


def write(folder: Path, *, prometheus: str, console: str = "", where: str = WHERE) -> list[Path]:
    """All files below `folder`; those that Grafana reads from `provisioning` say where the JSON files lie on its host."""
    files: dict[str, str] = {
        f"dashboards/{uid.removeprefix('meshconsole-')}.json": json.dumps(made, indent=2) + "\n"
        for uid, made in dashboards(console).items()
    }
    provider = {
        "name": FOLDER,
        "folder": FOLDER,
        "folderUid": FOLDER_UID,
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": where},
    }
    files["provisioning/dashboards/meshconsole.yaml"] = _yaml({"apiVersion": 1, "providers": [provider]})
    files["provisioning/datasources/meshconsole.yaml"] = _yaml({"apiVersion": 1, "datasources": [datasource(prometheus)]})
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [folder / name for name in sorted(files)]


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False)
