"""What may be wrong, one file each, named as the field of AlertRule's `condition`. Pure: readings in, findings out."""

from functools import cache

from meshconsole import plugins

from .base import Condition


@cache
def all_() -> dict[str, Condition]:
    found = {}
    for module in plugins.discover(__name__):
        condition: Condition = module.CONDITION
        found[condition.name] = condition
    return found
