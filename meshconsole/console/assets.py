"""Where the built front end is: plain names to the hashed ones of static/dist/manifest.json."""

import json
from functools import lru_cache
from pathlib import Path

from django.conf import settings


@lru_cache(maxsize=2)
def _manifest(path: Path, changed: float) -> dict[str, str]:
    return json.loads(path.read_text())


_started: dict[Path, float] = {}


def _known(path: Path) -> dict[str, str]:
    """As it was when this process first asked: WhiteNoise serves the files that were there then, and a later build keeps them."""
    changed = path.stat().st_mtime
    return _manifest(path, changed if settings.WHITENOISE_AUTOREFRESH else _started.setdefault(path, changed))


def address(name: str) -> str:
    """The URL of a built file. Raises with what to do when the front end was not built."""
    for folder in settings.STATICFILES_DIRS:
        path = Path(folder) / "dist" / "manifest.json"
        try:
            return f"{settings.STATIC_URL}dist/{_known(path)[name]}"
        except FileNotFoundError:
            continue
    raise RuntimeError("The front end is not built: run `python static/build.py`.")
