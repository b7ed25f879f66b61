"""Locality: near instances before far ones, or shares by place. Seen from one client, whose own place decides."""

from meshconsole.core.envoy.draft import ClusterDraft, Localities
from meshconsole.core.envoy.places import matches

from .schema import LocalityLbSetting


def write(setting: LocalityLbSetting | None, draft: ClusterDraft, client: str) -> None:
    """Without a word the nearest come first, as soon as ill instances are ejected: without outlier detection nobody would know when to
    turn to farther ones (Istio: enableFailover). Nothing happens where nobody said where the client is."""
    if not client or (setting is not None and setting.enabled is False):
        return
    if setting is not None and setting.distribute:
        rule = next((each for each in setting.distribute if matches(each.from_, client)), None)
        if rule is not None:
            draft.localities = Localities(client, shares=tuple(rule.to.items()))
            _weigh(draft)
    elif "outlier_detection" in draft.body:
        region = client.partition("/")[0]
        written = setting.failover if setting is not None else []
        draft.localities = Localities(client, fallback=next((each.to for each in written if each.from_ == region), ""))
        if written:
            _weigh(draft)


def _weigh(draft: ClusterDraft) -> None:
    """Envoy looks at the weights of localities only when told to."""
    draft.body["common_lb_config"] = {**draft.body.get("common_lb_config", {}), "locality_weighted_lb_config": {}}
