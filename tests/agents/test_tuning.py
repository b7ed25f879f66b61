"""What ProxyConfig says goes to the agents that it is for, once; and is taken back."""

import asyncio

from proxyagent import protocol

from .conftest import workload

CONFIG = """
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {{name: threads, namespace: default}}
spec: {{selector: {{matchLabels: {{app: {app}}}}}, concurrency: 3, environmentVariables: {{MARK: "yes"}}}}
"""


async def test_an_agent_is_told_how_to_start_its_envoy_and_told_when_that_is_over(console, agent):
    tuned, other = await agent(workload()).connect(), await agent(workload()).connect()
    client = console.client()
    answer = await asyncio.to_thread(client.post, "/api/v1/apply", content=CONFIG.format(app=tuned.workload.name))
    assert answer.is_success, answer.text
    await tuned.until(lambda: tuned.of(protocol.ProxySettings))
    assert tuned.of(protocol.ProxySettings) == [protocol.ProxySettings(3, {"MARK": "yes"})]
    path = "/apis/networking.istio.io/v1beta1/namespaces/default/proxyconfigs/threads"
    assert (await asyncio.to_thread(client.delete, path)).is_success
    await tuned.until(lambda: len(tuned.of(protocol.ProxySettings)) == 2)
    assert tuned.of(protocol.ProxySettings)[-1] == protocol.ProxySettings()
    assert other.of(protocol.ProxySettings) == []
    client.close()
