"""
Whom this agent takes for its console over wss.

Without --ca-file: whoever the host's own trust store vouches for. With it: only those certificates. If the file holds a root of the mesh
itself (the console serves with `meshconsole web --tls`), the agent follows the mesh's rotations: it was told of each new root over a
connection that it trusted. A workload's certificate names no host, so that no workload can pass for the console.
"""

import hashlib
import pathlib
import re
import ssl

from . import disk

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Pins:
    def __init__(self, ca_file: str, state_dir: pathlib.Path) -> None:
        self._file = ca_file
        self._kept = state_dir / "console-pins"

    def context(self, bundle: str) -> ssl.SSLContext:
        """For the next connection; `bundle`: what the agent was last told to believe. Raises OSError, ssl.SSLError."""
        found = ssl.create_default_context(cafile=self._file or None)
        if self._file and bundle and self.follows(bundle):
            found.load_verify_locations(cadata="\n".join(_CERTIFICATE.findall(bundle)))
        return found

    def follows(self, bundle: str) -> bool:
        """Is what was pinned the mesh's own? Written down when it is first seen, for one day the mesh will have other roots."""
        if not self._file:
            return False
        pinned = pathlib.Path(self._file).read_text()
        mark = hashlib.sha256(pinned.encode()).hexdigest().encode()
        if disk.read(self._kept) == mark:
            return True
        if _certificates(pinned).isdisjoint(_certificates(bundle)):
            return False
        disk.write(self._kept, mark)
        return True


def _certificates(pem: str) -> set[str]:
    return {"".join(found.split()) for found in _CERTIFICATE.findall(pem)}
