"""What is stored, as the core's typed policies. Unchanged resources keep their identity, which the compiler's memo lives from."""

import logging
import threading
from collections.abc import Iterable

from meshconsole.core import policies
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Invalid

from . import sealing
from .models import Resource

log = logging.getLogger(__name__)

_Version = tuple[str, int]
_parsed: dict[_Version, Policy | None] = {}
_lock = threading.Lock()


def parsed() -> list[Policy]:
    """Every resource, in the order of its key. A row is read and parsed once per process and version."""
    wanted: list[_Version] = list(Resource.objects.order_by("group", "kind", "namespace", "name").values_list("uid", "resource_version"))
    with _lock:
        known = dict(_parsed)
    if fresh := [version for version in wanted if version not in known]:
        known |= _read(fresh)
        with _lock:
            living = set(wanted)
            for version in [v for v in _parsed if v not in living]:
                del _parsed[version]
            for version in living:
                if version in known:
                    _parsed.setdefault(version, known[version])
                    known[version] = _parsed[version]  # whoever was first: one object for all threads
    return [policy for version in wanted if (policy := known.get(version)) is not None]


def _read(versions: Iterable[_Version]) -> dict[_Version, Policy | None]:
    uids = [uid for uid, _ in versions]
    found: dict[_Version, Policy | None] = {}
    for start in range(0, len(uids), 500):  # SQLite takes a limited number of parameters
        for row in Resource.objects.filter(uid__in=uids[start : start + 500]):
            found[row.uid, row.resource_version] = parse(row)
    return found


def parse(row: Resource) -> Policy | None:
    """None for what this version of the console cannot read (written by a newer one): said aloud, and left out rather than everything stopped."""
    try:
        return policies.parse_object(sealing.opened(row.manifest()))[0]
    except (Invalid, sealing.Locked) as e:
        log.error("Stored %s is not valid any more and is left out: %s", row, e)
        return None
