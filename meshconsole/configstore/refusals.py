"""Why the store did not do what was asked. Each carries every reason at once; nothing was stored."""

from meshconsole.core.resources.messages import Key, Level, Message


class Refused(Exception):
    def __init__(self, messages: list[Message]):
        super().__init__("\n".join(map(str, messages)))
        self.messages = messages


class Conflict(Refused):
    """Someone else was faster: what is stored is not what the author had seen."""


class Forbidden(Refused):
    """The author may not do this."""


class Missing(Refused):
    """There is no such resource or revision."""


def because(code: str, key: Key | None, text: str, *, path: str = "", document: int = 0) -> Message:
    return Message(Level.ERROR, code, text, key=key, path=path, document=document)
