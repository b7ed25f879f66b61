"""One file adds one thing: every module of a package, imported in the order of its name."""

import importlib
import pkgutil
from types import ModuleType


def discover(package: ModuleType | str) -> list[ModuleType]:
    """Import and return the direct children of `package`; names that start with `_` and `base` are not plugins."""
    if isinstance(package, str):
        package = importlib.import_module(package)
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{n}") for n in names if not n.startswith("_") and n != "base"]
