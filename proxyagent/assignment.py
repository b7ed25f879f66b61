"""What a console made of the member of a WorkloadGroup: kept on disk, so that a host that boots without its console is what it was."""

import logging
import pathlib

import msgspec

from . import disk
from .protocol import Assigned, Workload

log = logging.getLogger("proxyagent")


class Assignment:
    def __init__(self, path: pathlib.Path, said: Workload) -> None:
        self._path, self._said = path, said
        self.frame = self._load() if said.group else None

    def _load(self) -> Assigned | None:
        try:
            found = msgspec.json.decode(disk.read(self._path), type=Assigned)
        except msgspec.DecodeError:
            return None
        mine = (self._said.namespace, self._said.name, self._said.group)
        return found if (found.workload.namespace, found.workload.name, found.workload.group) == mine else None

    @property
    def workload(self) -> Workload:
        return self.frame.workload if self.frame else self._said

    def adopt(self, frame: Assigned) -> bool:
        """True when it is news."""
        if frame == self.frame:
            return False
        self.frame = frame
        try:
            disk.write(self._path, msgspec.json.encode(frame))
        except OSError as e:
            log.error("what the WorkloadGroup says is not on disk: %s", e)
        return True
