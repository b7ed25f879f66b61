"""Resources that only EnvoyFilters bring: extensions by discovery, and virtual hosts in the on-demand route configuration itself."""

import pytest
from envoy.config.route.v3 import route_pb2

from meshconsole.core.envoy.filling import filled
from proxyagent import protocol

from . import envoy_config as config
from .conftest import reviews

pytestmark = pytest.mark.envoy
CORS = {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}
FAULT = {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
    "abort": {"http_status": 418, "percentage": {"numerator": 100}},
}


def extension(name, typed):
    body = filled("envoy.config.core.v3.TypedExtensionConfig", {"name": name, "typed_config": typed}).SerializeToString()
    return protocol.Resource(name, str(len(body)), body)


@pytest.fixture
async def agent(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    return agent


async def test_a_filter_by_discovery_gets_its_configuration_and_its_changes(console, agent):
    """And an extension that no filter asks for holds nothing up."""
    manager = config.hcm("source", rds={"route_config_name": "outbound", "config_source": config.ADS})
    discovery = {"config_source": {**config.ADS}, "type_urls": [FAULT["@type"]]}
    manager["http_filters"] = [{"name": "teapot", "config_discovery": discovery}, *manager["http_filters"]]
    listener = config.outbound(agent.outbound, filter_chains=[{"filters": [{"name": "hcm", "typed_config": manager}]}])
    answer = await console.push(ecds=[extension("teapot", FAULT), extension("unused", CORS)], lds=[listener])
    assert not answer.errors
    assert (await agent.serves(status=418))[0] == 418
    assert not (await console.push(ecds=[extension("teapot", {"@type": FAULT["@type"]})])).errors
    assert (await agent.serves())[0] == 200


async def test_a_route_configurations_own_virtual_hosts_stand_beside_those_on_demand(console, agent):
    own = {"name": "magic", "domains": ["magic.test"], "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 203}}]}
    body = {"name": "outbound", "vhds": {"config_source": config.ADS}, "virtual_hosts": [own]}
    answer = await console.push(rds=[config.resource("outbound", route_pb2.RouteConfiguration(), body)])
    assert not answer.errors
    assert (await agent.serves("magic.test", status=203))[0] == 203
    assert (await agent.serves())[0] == 200
