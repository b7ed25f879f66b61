"""Keys by URI: what the door takes, and what the filter holds before and after they are known."""

import json

import pytest

from meshconsole.core.policies import parse
from meshconsole.core.policies.request_authentication import NO_KEYS, config, key_fault
from meshconsole.core.resources.messages import Invalid

URI = "https://issuer.example.com/keys"
POLICY = """
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: shop}}
spec: {{jwtRules: [{{issuer: me, {more}}}]}}
"""


def inlined(policy) -> str:
    return config(policy.spec.jwt_rules)["providers"]["origins-0"]["local_jwks"]["inline_string"]


def test_until_keys_are_known_a_key_that_nobody_has_is_believed():
    ((policy,), _) = parse(POLICY.format(more=f"jwksUri: {URI!r}"))
    assert list(policy.fetches()) == [("spec.jwtRules[0].jwksUri", URI)]
    assert inlined(policy) == NO_KEYS and key_fault(NO_KEYS) == ""
    assert inlined(policy.fetched({URI: "the keys"})) == "the keys"
    assert inlined(policy.fetched({})) == NO_KEYS


@pytest.mark.parametrize(
    "more", ["jwksUri: 'file:///etc/passwd'", "jwksUri: 'https://user@host/'", "jwksUri: 'https://a/k', jwks: '{\"keys\": []}'"]
)
def test_what_is_no_address_of_keys_is_refused(more: str):
    with pytest.raises(Invalid, match="jwksUri"):
        parse(POLICY.format(more=more))


@pytest.mark.parametrize("key", [{"kty": "RSA", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "a"}, {"kty": "oct", "k": "a"}])
def test_a_key_that_envoy_could_not_read_is_a_fault(key: dict[str, str]):
    assert key_fault(json.dumps({"keys": [key]}))
