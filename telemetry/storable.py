"""Text that others wrote, as any database takes it. Pure."""


def storable(said: str, most: int | None = None) -> str:
    """PostgreSQL refuses NUL and what is too long, and one row that it refuses would cost all those that are written with it."""
    return said.replace("\0", "")[:most]
