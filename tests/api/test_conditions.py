"""Whether the proxies have a resource, as its conditions say it: the same as `apply --wait` is told."""

import pytest
from django.utils import timezone

from meshconsole.xds import status
from meshconsole.xds.models import HubRecord, ProxyRecord

from ..configstore.manifests import route

ONE = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/reviews"


@pytest.fixture
def proxy(stored):
    """A connected proxy whose hub has compiled revision 3; the store is at 3."""
    stored.apply(route("reviews", timeout="1s"))
    stored.apply(route("ratings", timeout="1s"))
    now = timezone.now()
    HubRecord.objects.create(id="h", started=now, beat=now, revision=3)
    return ProxyRecord.objects.create(
        id="default/p", namespace="default", name="p", connected=True, hub="h", state="SYNCED", acked_at=now, synced_revision=3
    )


def programmed(api):
    return next(c["status"] for c in api.get(ONE).json()["status"]["conditions"] if c["type"] == "Programmed")


@pytest.mark.parametrize(
    "pending,nacked,wanted",
    [((None, None), None, "True"), ((2, 3), None, "Unknown"), ((2, 2), 2, "False"), ((3, 3), None, "True"), ((3, 3), 3, "True")],
)
def test_a_resource_is_programmed_when_no_proxy_lacks_its_revision(pending, nacked, wanted, proxy, stored):
    proxy.pending_from, proxy.pending_to, proxy.nacked_revision = *pending, nacked
    proxy.save()
    assert programmed(stored) == wanted
    assert {n: str(status.revision_status(n).state) for n in (1, 2, 3)} == status.revision_states([1, 2, 3])


def test_a_hub_that_has_not_compiled_it_yet_leaves_it_open(proxy, stored):
    HubRecord.objects.update(revision=1)
    assert programmed(stored) == "Unknown"
    assert status.revision_states([2]) == {2: str(status.revision_status(2).state)} == {2: "pending"}


def test_a_list_of_many_asks_the_database_a_few_times(stored, django_assert_max_num_queries):
    for i in range(30):
        stored.apply(route(f"r{i}"))
    with django_assert_max_num_queries(20):
        assert len(stored.get("/api/v1/resources").json()["items"]) == 33
