"""What the links of one process hear of trust, and when."""

import dataclasses

from meshconsole.xds import trust
from meshconsole.xds.trust import Look, Trust

from .test_link import Fake


async def test_an_agent_that_came_while_the_database_was_asked_is_asked_about_next(monkeypatch):
    early, late = Fake(), Fake()
    early.link.facts = dataclasses.replace(early.link.facts, head=5)
    late.link.facts = dataclasses.replace(late.link.facts, name="late", serial="cd", head=5)
    links = {"default/a": early.link}
    cut: list[str] = []
    late.link.close = lambda refused: cut.append(refused.message)  # type: ignore[method-assign, assignment]
    here = Trust(links)
    here.head, here._under_way = 5, False

    async def in_database(call, head, serials):
        assert call is trust._look
        if head == 6:
            return None
        if "default/late" not in serials:  # it enrols, is revoked, and connects while we look
            links["default/late"] = late.link
            here.came(late.link)
            return Look(6, False, distrusted={})
        return Look(6, False, distrusted={"default/late": "its certificate was revoked"})

    monkeypatch.setattr(trust, "in_database", in_database)
    here.news()
    await here.serve()
    assert cut == []
    await here.serve()
    assert cut == ["its certificate was revoked"]
