"""Which ProxyConfig holds for a workload."""

import pytest

from meshconsole.core.policies import parse
from meshconsole.core.policies.proxy_config import Settings, effective
from meshconsole.core.resources.messages import Invalid


def config(name: str, namespace: str = "default", spec: str = "", created: str = "2026-01-01T00:00:00Z") -> str:
    return f"""
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec: {{{spec}}}
"""


def found(*documents: str, **labels: str) -> Settings:
    return effective(parse("---".join(documents))[0], "default", labels or {"app": "reviews"}, "istio-system")


ROOT = config("root", "istio-system", "concurrency: 1, environmentVariables: {A: root, B: root}")
NAMESPACE = config("ns", spec="environmentVariables: {B: ns, C: ns}")
WORKLOAD = config("w", spec="selector: {matchLabels: {app: reviews}}, concurrency: 3, environmentVariables: {C: w}")


def test_the_more_specific_wins_field_by_field():
    assert found(ROOT, NAMESPACE, WORKLOAD) == Settings(3, {"A": "root", "B": "ns", "C": "w"})
    assert found(ROOT, NAMESPACE, WORKLOAD, app="ratings") == Settings(1, {"A": "root", "B": "ns", "C": "ns"})


def test_zero_threads_are_a_word_and_not_silence():
    assert found(ROOT, config("zero", spec="concurrency: 0")).concurrency == 0


def test_of_several_for_one_workload_the_oldest_holds():
    older = config("older", spec="selector: {matchLabels: {app: reviews}}, concurrency: 7", created="2025-01-01T00:00:00Z")
    assert found(WORKLOAD, older).concurrency == 7


def test_another_namespaces_is_not_ours_and_a_selector_in_the_root_namespace_is_its_own():
    other = config("other", "shop", "concurrency: 9")
    selecting = config("selecting", "istio-system", "selector: {matchLabels: {app: reviews}}, concurrency: 9")
    assert found(other, selecting) == Settings()


@pytest.mark.parametrize("name", ["LD_PRELOAD", "ld_preload", "PATH", "GLIBC_TUNABLES", "ISTIO_META_X", "A B"])
def test_who_may_write_policies_may_not_run_code(name: str):
    with pytest.raises(Invalid):
        parse(config("bad", spec=f'environmentVariables: {{"{name}": x}}'))
