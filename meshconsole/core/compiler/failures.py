"""A unit that could not be compiled: which one, why, and whose policy was being written."""

from types import TracebackType

from meshconsole.core.envoy.resource_set import Failure, Origin
from meshconsole.core.policies.base import Policy


class Uncompiled(Exception):
    """There is no earlier state of the unit to fall back to."""

    def __init__(self, failure: Failure):
        super().__init__(str(failure))
        self.failure = failure


def failure(key: tuple[object, ...], error: Exception) -> Failure:
    if isinstance(error, Uncompiled):
        return error.failure  # of a unit that this one uses
    culprits = getattr(error, "origins", ()) or _culprits(error.__traceback__)
    return Failure(_words(key), culprits, f"{type(error).__name__}: {error}"[:300])


def _words(key: tuple[object, ...]) -> str:
    match key:
        case ("inbound" | "gateway", namespace, name, *rest):
            return " ".join(map(str, (key[0], f"{namespace}/{name}", *rest)))
        case (kind, *_, str(last)) | (kind, *_, last):
            return f"{kind} {getattr(last, 'name', '') or getattr(last, 'host', '') or last}"
    return str(key[0])


def _culprits(traceback: TracebackType | None) -> tuple[Origin, ...]:
    """
    The policy in whose hands it broke: of the innermost frame that handles one; else those that wrote into the draft.
    Read from the frames, so that no kind has to say at each step which of its policies it looks at.
    """
    found: tuple[Origin, ...] = ()
    written: tuple[Origin, ...] = ()
    while traceback is not None:
        values = traceback.tb_frame.f_locals
        one = next((value for name in ("policy", "self", "each") if isinstance(value := values.get(name), Policy)), None)
        if one is not None:
            found = (one.origin(),)
        written = tuple(dict.fromkeys(getattr(values.get("draft"), "origins", ()))) or written
        traceback = traceback.tb_next
    return found or written
