import threading
import time

import msgspec
import pytest
from django.db import connection

from meshconsole.topology import queries
from meshconsole.topology.graph import Graph
from meshconsole.topology.queries import Question

from .conftest import Mesh


@pytest.mark.django_db
class TestWhatIsBroughtTogether:
    def test_traffic_names_and_sync_make_one_graph(self, bookinfo: Mesh):
        bookinfo.calls("productpage-v1", "reviews-v2", 50)
        bookinfo.calls("productpage-v1", "reviews-v2", 50, reporter="destination")
        bookinfo.sync("default/ratings-v1", "NACKED")
        graph = queries.current()
        assert [n.id for n in graph.nodes] == [
            "version:default/details/v1",
            "version:default/productpage/v1",
            "version:default/ratings/v1",
            "version:default/reviews/v1",
            "version:default/reviews/v2",
            "version:default/reviews/v3",
        ]
        (edge,) = graph.edges
        assert (edge.requests, edge.mtls_share, edge.services) == (50, 1.0, ("reviews.default.svc.cluster.local",))
        (nacked,) = [n for n in graph.nodes if "outOfSync" in n.flags]
        assert nacked.instances[0].sync == "NACKED"
        assert (graph.proxies.total, graph.proxies.nacked) == (6, 1)

    def test_the_past_is_asked_by_its_end(self, bookinfo: Mesh):
        bookinfo.calls("productpage-v1", "reviews-v2", 50)
        assert len(queries.current(at=time.time() + 10).edges) == 1
        assert queries.current(at=time.time() - 3600).edges == ()

    def test_namespaces_bound_what_is_seen(self, bookinfo: Mesh):
        bookinfo.calls("productpage-v1", "reviews-v2", 50)
        assert queries.current(namespaces=["shop"]).nodes == ()
        assert len(queries.current(namespaces=["default"]).nodes) == 6
        assert queries.current(namespaces=[]).nodes == ()

    def test_the_json_is_the_graphs(self, bookinfo: Mesh):
        bookinfo.calls("productpage-v1", "reviews-v2", 50)
        graph = msgspec.json.decode(queries.current_json(Question()), type=Graph)
        assert len(graph.edges) == 1

    @pytest.mark.parametrize(
        ("change", "words"), [({"window": 5}, "window is 5"), ({"window": 10**9}, "window"), ({"kind": "pie"}, "kind is 'pie'")]
    )
    def test_what_cannot_be_drawn_is_refused_in_words(self, change: dict, words: str):
        with pytest.raises(ValueError, match=words):
            queries.current(**change)


@pytest.mark.django_db(transaction=True)
class TestSharing:
    @pytest.fixture(autouse=True)
    def fresh_for_a_minute(self, monkeypatch):
        monkeypatch.setattr(queries, "_lifetime", lambda question, cost: 60.0)

    def test_many_who_ask_at_once_cost_one_query(self, bookinfo: Mesh, monkeypatch):
        made = []
        answer = queries.answer

        def counted(question, now=None):
            made.append(question)
            time.sleep(0.05)
            return answer(question, now)

        monkeypatch.setattr(queries, "answer", counted)
        found: list[Graph] = []

        def ask():
            found.append(queries.current())
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8 and all(g is found[0] for g in found)
        assert len(made) == 1
        queries.current(kind="app")
        assert len(made) == 2

    def test_a_graph_is_shared_as_long_as_it_is_fresh(self, bookinfo: Mesh, monkeypatch):
        first = queries.current()
        bookinfo.calls("productpage-v1", "reviews-v2", 50)
        assert queries.current() is first
        monkeypatch.setattr(queries, "_lifetime", lambda question, cost: 0.0)
        assert len(queries.current().edges) == 1

    def test_an_ageing_graph_is_given_out_while_the_new_one_is_made(self, bookinfo: Mesh, monkeypatch):
        first = queries.current()
        bookinfo.calls("productpage-v1", "reviews-v2", 50)
        (entry,) = queries._answers.values()
        entry.made -= 90
        assert queries.current() is first
        end = time.monotonic() + 5
        while (second := queries.current()) is first and time.monotonic() < end:
            time.sleep(0.02)
        assert len(second.edges) == 1
        entry.made -= 180
        bookinfo.calls("productpage-v1", "reviews-v3", 50)
        assert len(queries.current().edges) == 2, "too old to be given out"
        queries._background.submit(lambda: None).result()

    def test_one_change_is_encoded_once_for_all(self, bookinfo: Mesh):
        old, new = queries.answer(Question()), queries.answer(Question(kind="app"))
        assert queries.change(old, new) is queries.change(old, new)
        assert queries.change(old, new) != queries.change(new, old)

    def test_a_failure_is_not_kept(self, bookinfo: Mesh, monkeypatch):
        def broken(*_, **__):
            raise OSError("away")

        monkeypatch.setattr(queries.query, "edges", broken)
        with pytest.raises(OSError):
            queries.current()
        monkeypatch.undo()
        assert len(queries.current().nodes) == 6
