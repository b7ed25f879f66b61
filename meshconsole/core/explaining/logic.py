"""True, False, and None for what cannot be known."""

from collections.abc import Iterable

Known = bool | None


def any_of(values: Iterable[Known]) -> Known:
    unknown = False
    for value in values:
        if value:
            return True
        unknown = unknown or value is None
    return None if unknown else False


def all_of(values: Iterable[Known]) -> Known:
    unknown = False
    for value in values:
        if value is False:
            return False
        unknown = unknown or value is None
    return None if unknown else True


def not_(value: Known) -> Known:
    return None if value is None else not value
