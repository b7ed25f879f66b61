"""No two chains of a listener match the same, and none is hidden behind another one's address range."""

from meshconsole.core.compiler.chain_matches import Matches

ANYWHERE = [{"address_prefix": "0.0.0.0", "prefix_len": 0}, {"address_prefix": "::", "prefix_len": 0}]


def test_a_name_is_taken_once_and_what_is_left_goes_on():
    matches = Matches()
    assert matches.claim(["A.test", "b.test", "a.test"]) == [{"server_names": ["a.test", "b.test"]}]
    assert matches.claim(["b.test", "c.test"]) == [{"server_names": ["c.test"]}]
    assert matches.claim(["c.test"]) == []
    assert matches.claim() == [{}] and matches.claim() == []


def test_any_tls_and_anything_are_two_things():
    matches = Matches()
    assert matches.claim(["*", "a.test"], tls=True) == [{"transport_protocol": "tls"}]
    assert matches.claim() == [{}]
    assert matches.claim(["b.test"], tls=True) == [{"transport_protocol": "tls", "server_names": ["b.test"]}]


def test_a_chain_for_any_address_is_there_in_each_range_that_another_asks_for():
    matches = Matches(["10.0.0.0/8", "10.1.2.3"])
    narrow = {"address_prefix": "10.1.2.3", "prefix_len": 32}
    wide = {"address_prefix": "10.0.0.0", "prefix_len": 8}
    assert matches.claim(["a.test"], ["10.1.2.3"]) == [{"prefix_ranges": [narrow], "server_names": ["a.test"]}]
    assert matches.claim(["b.test"], ["10.0.0.0/8"]) == [{"prefix_ranges": [wide, narrow], "server_names": ["b.test"]}]
    assert matches.claim(["a.test", "c.test"]) == [
        {"prefix_ranges": [wide, *ANYWHERE], "server_names": ["a.test"]},
        {"prefix_ranges": [wide, narrow, *ANYWHERE], "server_names": ["c.test"]},
    ]
