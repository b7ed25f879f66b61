"""`meshconsole explain` documents a kind without a console."""

from .conftest import run


def test_a_field_is_explained_without_a_console():
    done = run("explain", "peerauthentication.mtls")
    assert done.status == 0
    assert "PERMISSIVE" in done.out


def test_an_unknown_field_is_a_mistake_of_usage():
    done = run("explain", "peerauthentication.tls")
    assert done.status == 2
    assert "there are selector, mtls, portLevelMtls" in done.err
