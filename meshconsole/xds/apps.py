from django.apps import AppConfig


class XdsConfig(AppConfig):
    name = "meshconsole.xds"
    label = "xds"

    def ready(self) -> None:
        from meshconsole.ca import heads
        from meshconsole.configstore.signals import committed
        from meshconsole.discovery.signals import changed

        from . import notices

        committed.connect(notices.on_commit, dispatch_uid="xds.notices")
        heads.changed.connect(notices.on_trust, dispatch_uid="xds.notices")
        changed.connect(notices.on_change, dispatch_uid="xds.notices")
