"""Our few messages, compared with Envoy's generated classes, in both directions."""

import contextlib

import pytest
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from proxyagent.wire import (
    DeltaResource,
    DeltaResponse,
    Garbled,
    read_request,
    secret_with_bundle,
    secret_with_certificate,
    write_response,
)

text = st.text(st.characters(codec="utf-8"), max_size=200)


@given(text, st.lists(text), st.lists(text), st.dictionaries(text, text), text, st.none() | text)
def test_a_request_reads_as_the_generated_class_wrote_it(type_url, subscribe, unsubscribe, versions, nonce, error):
    message = discovery_pb2.DeltaDiscoveryRequest(
        type_url=type_url,
        resource_names_subscribe=subscribe,
        resource_names_unsubscribe=unsubscribe,
        initial_resource_versions=versions,
        response_nonce=nonce,
        error_detail=None if error is None else status_pb2.Status(code=13, message=error),
    )
    message.node.id = "default/reviews-v1"
    request = read_request(message.SerializeToString())
    assert request.type_url == type_url
    assert request.subscribe == tuple(subscribe) and request.unsubscribe == tuple(unsubscribe)
    assert request.initial_versions == versions and request.nonce == nonce
    assert (request.error is None) == (error is None)


resources = st.builds(DeltaResource, text, text, st.none() | st.binary(max_size=300), st.lists(text, max_size=3).map(tuple))


@given(text, text, st.lists(resources, max_size=5), st.lists(text, max_size=5))
def test_a_response_is_what_the_generated_class_reads(type_url, nonce, found, removed):
    data = write_response(DeltaResponse(type_url, nonce, tuple(found), tuple(removed)))
    message = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
    assert (message.type_url, message.nonce, list(message.removed_resources)) == (type_url, nonce, removed)
    assert len(message.resources) == len(found)
    for ours, theirs in zip(found, message.resources, strict=True):
        assert (theirs.name, theirs.version, tuple(theirs.aliases)) == (ours.name, ours.version, ours.aliases)
        assert theirs.HasField("resource") == (ours.body is not None)
        if ours.body is not None:
            assert theirs.resource == any_pb2.Any(type_url=type_url, value=ours.body)


def test_secrets_are_what_the_generated_class_reads():
    secret = secret_pb2.Secret.FromString(secret_with_certificate("default", b"CHAIN" * 100, b"KEY"))
    assert secret.name == "default"
    assert secret.tls_certificate.certificate_chain.inline_bytes == b"CHAIN" * 100
    assert secret.tls_certificate.private_key.inline_bytes == b"KEY"
    secret = secret_pb2.Secret.FromString(secret_with_bundle("ROOTCA", b"ROOT"))
    assert secret.validation_context.trusted_ca.inline_bytes == b"ROOT"


@given(st.binary(max_size=400))
def test_garbage_is_either_read_or_refused_and_nothing_else(data):
    with contextlib.suppress(Garbled):
        read_request(data)


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\xff" * 11, b"\x0b", b"\x12\x02\xff\xfe"])
def test_a_message_that_ends_too_early_or_is_no_text_is_refused(data):
    with pytest.raises(Garbled):
        read_request(data)
