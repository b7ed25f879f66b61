"""CEL is checked at the door: what Envoy would refuse in every proxy is refused once, with its column."""

import pytest

from meshconsole.core.resources import cel


@pytest.mark.parametrize(
    "expression",
    [
        "true", "response.code >= 400", "'x-debug' in request.headers", "request.headers['x'].startsWith('a') && !(connection.mtls)",
        "response.code in [500, 503] || request.duration > duration('1s')", "has(request.headers) ? 1 : 2", "request.path.matches('^/a/[0-9]+$')",
        "upstream.address == '10.0.0.1:80'", "metadata.filter_metadata['a']['b'] == 'c'", '"constant"', "-1 + 2 * 3 % 4 == 0",
        "[1, 2].exists(x, x > 1)", "{'a': 1}['a'] == 1", "size(request.headers) > 3", "request.size == 0x1F", r"r'\d+' == ''",
    ],
)  # fmt: skip
def test_expressions_of_envoys_are_taken(expression):
    assert cel.fault(expression) == ""


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "is empty"),
        ("response.code >=", "missing at column 17"),
        ("response.code = 400", "not understood"),
        ("bogus.code", "no attribute 'bogus'"),
        ("request.headers['x'", "']' is missing"),
        ("frobnicate(request)", "no function"),
        ("has(request.headers['x'])", "in request.headers"),
        ("request.code 400", "one too many"),
        ("request.", "a name is missing"),
        ("(" * 60 + "1" + ")" * 60, "nested too deeply"),
        ("'" + "x" * 3000 + "'", "longer than"),
        ("x > 1", "no attribute 'x'"),
    ],
)
def test_slips_are_said(expression, said):
    assert said in cel.fault(expression)
