"""Locality: near instances before far ones, or shares by place. Seen from one client, whose own place decides."""

from collections.abc import Sequence

from meshconsole.core.envoy.draft import ClusterDraft, Localities, Zones
from meshconsole.core.envoy.places import labelled, matches
from meshconsole.core.resources.locality import MIN_CLUSTER_SIZE, Failover, LocalityLbSetting, ZoneAwareLbSetting

from ..base import View
from .schema import TrafficPolicy


def write(policy: TrafficPolicy, draft: ClusterDraft, view: View) -> None:
    """Where the client is, is asked only where it can matter: what is compiled is shared by clients that answer the same."""
    zoned = policy.load_balancer.zone_aware_lb_setting if policy.load_balancer else None
    own = policy.load_balancer.locality_lb_setting if policy.load_balancer else None
    setting = own if own is not None or view.mesh.locality_lb is None else LocalityLbSetting.model_validate_json(view.mesh.locality_lb)
    if zoned is not None and zoned.enabled is not False:
        _by_zone(zoned, draft, view)
    elif policy.outlier_detection or (setting is not None and setting.distribute):
        _by_place(setting, draft, view)


def _by_place(setting: LocalityLbSetting | None, draft: ClusterDraft, view: View) -> None:
    """Without a word the nearest come first, as soon as ill instances are ejected: without outlier detection nobody would know when to
    turn to farther ones (Istio: enableFailover). Nothing happens where nobody said where the client is."""
    if setting is not None and setting.enabled is False:
        return
    if setting is not None and setting.distribute:
        client = view.locality
        rule = next((each for each in setting.distribute if matches(each.from_, client)), None) if client else None
        if rule is not None:
            draft.localities = Localities(client, shares=tuple(rule.to.items()))
            _weigh(draft)
    elif "outlier_detection" in draft.body:
        draft.localities = _ranked(setting.failover if setting else [], setting.failover_priority if setting else [], view)
        if draft.localities is not None and setting is not None and (setting.failover or setting.failover_priority):
            _weigh(draft)


def _ranked(failover: Sequence[Failover], priority: Sequence[str], view: View) -> Localities | None:
    client = view.locality
    labels = tuple((key, value) if equals else (key, _own(key, view)) for key, equals, value in (each.partition("=") for each in priority))
    if not client and not labels:
        return None
    region = client.partition("/")[0]
    fallback = next((each.to for each in failover if each.from_ == region), "")
    return Localities(client, fallback=fallback, labels=labels, near_first=bool(client) and (bool(failover) or not labels))


def _own(key: str, view: View) -> str:
    """The client's value of a label; '' where it has none, which an instance without the label shares."""
    place = labelled(key, view.locality)
    return view.labels.get(key, "") if place is None else place


def _by_zone(setting: ZoneAwareLbSetting, draft: ClusterDraft, view: View) -> None:
    """The nearest region first, where ill instances are ejected; in it each zone gets what its share of the callers asks for, as far as its
    instances can take it. Istio leaves that to Envoy, which must then be told of all its peers; the console knows them."""
    client = view.locality
    if not client:
        return
    zones = Zones(setting.min_cluster_size or MIN_CLUSTER_SIZE, tuple(sorted(view.peers())))
    ranked = _ranked(setting.failover, setting.failover_priority, view) if "outlier_detection" in draft.body else None
    if ranked is None:
        ranked = Localities(client, near_first=False)
    draft.localities = Localities(client, (), ranked.fallback, ranked.labels, ranked.near_first, zones)
    _weigh(draft)


def _weigh(draft: ClusterDraft) -> None:
    """Envoy looks at the weights of localities only when told to."""
    draft.body["common_lb_config"] = {**draft.body.get("common_lb_config", {}), "locality_weighted_lb_config": {}}
