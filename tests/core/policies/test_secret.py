"""A Secret at the door: what is taken, what is refused, and that no answer says anything of a key."""

import base64
import datetime

import pytest

from meshconsole.core.policies import parse
from meshconsole.core.resources.messages import Invalid
from tests.certificates import pair, secret

SHOP, OTHER = pair("shop.example.com"), pair("other.example.com")


def refused(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        parse(text)
    said = str(caught.value)
    assert "PRIVATE" not in said and SHOP.key.splitlines()[1] not in said
    return said


def opaque(**data: str) -> str:
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: shop}}\ndata: {encoded}\n"


def test_text_becomes_data_in_base64():
    ((found,), said) = parse(secret("shop", SHOP))
    assert said == [] and found.credential()[:2] == (SHOP.certificate, SHOP.key)
    assert set(found.data) == {"tls.crt", "tls.key"}


def test_istios_names_of_a_generic_secret_are_taken():
    ((found,), _) = parse(opaque(cert=SHOP.certificate, key=SHOP.key, cacert=OTHER.certificate))
    assert found.credential() == (SHOP.certificate, SHOP.key, OTHER.certificate, "")


def test_a_key_that_is_not_the_certificates_is_refused():
    assert "data.tls.key: is not the key of the first certificate" in refused(secret("shop", type(SHOP)(SHOP.certificate, OTHER.key, 0)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (opaque(cert="nonsense", key=SHOP.key), "data.cert: is no certificate in PEM"),
        (opaque(cert=SHOP.certificate, key="nonsense"), "data.key: is no private key in PEM"),
        (opaque(cert=SHOP.certificate), "data.tls.key: is required"),
        (opaque(password="geheim"), "holds no credential"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {cert: '%%%'}\n", "data.cert: must be base64"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/dockercfg\n", "type: not supported"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nspec: {a: 1}\n", "spec: a Secret has no spec"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {cert: 5}\n", "must be a string"),
        (opaque(cert=SHOP.certificate, key="[redacted 12345678]"), "is what the console shows in place of a key"),
    ],
)
def test_what_is_no_credential_is_refused_with_its_reason(text: str, said: str):
    assert said in refused(text)


def test_a_certificate_that_ended_is_a_warning_of_the_moment():
    old = pair("shop.example.com", ends=datetime.timedelta(days=-1))
    ((found,), said) = parse(secret("shop", old))
    assert said == []
    now = datetime.datetime.now(datetime.UTC)
    (warning,) = found.dated(now)
    assert "ended at" in warning.text and warning.path == "data.tls.crt"
    assert list(parse(secret("shop", SHOP))[0][0].dated(now)) == []
