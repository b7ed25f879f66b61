"""
How the console wants Envoy to be started (ProxyConfig): kept on disk, used at each start. A running Envoy is not restarted for it.
"""

import logging
import os
import pathlib
from collections.abc import Mapping

import msgspec

from . import disk
from .protocol import ProxySettings, settings_digest

log = logging.getLogger("proxyagent")

_NONE = ProxySettings()


class Tuning:
    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self.settings = self._load()

    def _load(self) -> ProxySettings:
        try:
            return msgspec.json.decode(disk.read(self._path), type=ProxySettings)
        except msgspec.DecodeError:
            return _NONE

    @property
    def digest(self) -> str:
        return settings_digest(self.settings)

    def adopt(self, settings: ProxySettings) -> None:
        self.settings = settings
        try:
            disk.write(self._path, msgspec.json.encode(settings))
        except OSError as e:
            log.error("what ProxyConfig says is not on disk: %s", e)

    def applied(self, command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
        """Envoy's command and environment. Of a flag that stands twice Envoy would take neither."""
        threads = self.settings.concurrency
        if threads is not None:
            place = command.index("--concurrency") + 1
            command = (*command[:place], str(threads or os.cpu_count() or 1), *command[place + 1 :])
        return command, {**environment, **self.settings.environment}

    def waiting(self, used: str) -> str:
        """What a person should know of an Envoy that was started with the settings of this digest; '' nothing."""
        return "" if used == self.digest else "what ProxyConfig says is used when Envoy is started again"
