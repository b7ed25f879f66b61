"""Small things that become large: YAML aliases and depth, gzip, JSON, enormous numbers and names; each refused quickly, in little memory."""

import gzip
import time
import tracemalloc

import pytest

from meshconsole.configstore import store
from tests.accounts import people
from tests.api.conftest import Api
from tests.configstore.manifests import route

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db):
    return Api(people.alice())


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
QUADRATIC = "a: &a " + "x" * 20_000 + "\nb: [" + ",".join(["*a"] * 20_000) + "]\n"
YAML = {
    "a billion laughs": LAUGHS,
    "laughs by merging keys": "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
    "one long text many times": QUADRATIC,
    "a list that holds itself": "a: &a [*a]\n",
    "depth of mappings": "".join("  " * i + "a:\n" for i in range(400)),
    "depth of flow": "a: " + "{a: " * 20_000,
    "a number of a million digits": "a: " + "9" * 1_000_000 + "\n",
    "a number in base sixty": "a: " + ":".join(["59"] * 20_000) + "\n",
    "a hundred thousand documents": "---\n" * 100_000,
    "keys that collide": "a:\n" + "".join(f"  k{i}: 1\n" for i in range(60_000)),
    "a tag of Python": "!!python/object/new:subprocess.Popen [['true']]\n",
}


@pytest.mark.parametrize("what", YAML)
def test_a_yaml_bomb_is_refused_in_a_moment(alice, what):
    began = time.process_time()
    answer = alice.yaml("/api/v1/apply", YAML[what])
    assert answer.status_code in (400, 413, 422), answer.content[:300]
    assert time.process_time() - began < 4
    assert len(answer.content) < 2_000_000
    assert store.latest() == 0


def test_a_gzip_bomb_of_spans_is_unpacked_no_further_than_the_limit(alice, settings):
    bomb = gzip.compress(b"\0" * (200 * 1024 * 1024))
    assert len(bomb) < settings.MAX_UPLOAD_BYTES
    tracemalloc.start()
    answer = alice.generic("POST", "/v1/traces", bomb, content_type="application/x-protobuf", headers={"content-encoding": "gzip"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code in (400, 413), answer.content[:300]
    assert peak < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [b"\x1f\x8b", gzip.compress(b"x")[:-6], b"not gzip at all", gzip.compress(gzip.compress(b"x"))],
    ids=["its first bytes", "cut short", "another thing", "gzip of gzip"],  # gzip writes the time: names must not hold it
)
def test_what_is_no_gzip_of_spans_is_refused(alice, body):
    answer = alice.generic("POST", "/v1/traces", body, content_type="application/x-protobuf", headers={"content-encoding": "gzip"})
    assert answer.status_code == 400, answer.content[:300]


def test_a_compressed_body_elsewhere_is_not_unpacked(alice):
    answer = alice.generic(
        "POST", "/api/v1/apply", gzip.compress(route().encode()), content_type="application/yaml", headers={"content-encoding": "gzip"}
    )
    assert answer.status_code in (400, 415, 422)
    assert store.latest() == 0


JSON = {
    "a number of digits without end": b'{"spec": ' + b"9" * 3_000_000 + b"}",
    "depth": b'{"a":' * 50_000,
    "keys": b'{"a":{' + b",".join(b'"%d":1' % i for i in range(200_000)) + b"}}",
}


@pytest.mark.parametrize("what", JSON)
def test_a_json_bomb_is_refused_in_a_moment(alice, what):
    began = time.process_time()
    for path in ("/api/v1/apply", "/api/v1/people", "/api/v1/tokens", "/apis/networking.istio.io/v1/namespaces/default/virtualservices"):
        answer = alice.generic("POST", path, JSON[what], content_type="application/json")
        assert answer.status_code in (400, 413, 422), (path, answer.content[:200])
    assert time.process_time() - began < 15
    assert store.latest() == 0


def test_regular_expressions_that_blow_up_do_not(alice):
    """RE2 and Envoy's own: what backtracks is not run by anybody."""
    text = route().replace("http:", "http:\n  - match: [{uri: {regex: '(a+)+$'}}]\n    route: [{destination: {host: reviews}}]\n  #")
    began = time.process_time()
    alice.yaml("/api/v1/diff", text)
    assert time.process_time() - began < 5
