import pytest

from meshconsole.console import kinds
from meshconsole.core.resources.messages import Level, Message


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        (
            "VirtualService",
            {
                "hosts": ["reviews"],
                "http": [
                    {
                        "route": [
                            {"destination": {"host": "reviews", "subset": "v1"}, "weight": 90},
                            {"destination": {"host": "reviews", "subset": "v3"}, "weight": 10},
                        ]
                    }
                ],
            },
            "reviews: v1 90 % / v3 10 %",
        ),
        ("VirtualService", {"hosts": ["a", "b", "c"]}, "a, b and 1 more"),
        (
            "DestinationRule",
            {"host": "reviews", "subsets": [{"name": "v1"}], "trafficPolicy": {"outlierDetection": {}}},
            "reviews: subsets v1, outlier detection",
        ),
        ("PeerAuthentication", {"mtls": {"mode": "STRICT"}}, "STRICT for every workload"),
        (
            "AuthorizationPolicy",
            {"action": "DENY", "rules": [{}], "selector": {"matchLabels": {"app": "ratings"}}},
            "DENY, 1 rule, app=ratings",
        ),
    ],
)
def test_a_policy_is_summed_up_in_a_line(kind, spec, said):
    assert kinds.summary(kind, spec) == said


@pytest.mark.parametrize("spec", [{}, {"hosts": None}, {"http": [{"route": [{}, {}]}]}, {"http": "x"}])
def test_a_body_of_another_version_is_not_summed_up_rather_than_broken(spec):
    assert isinstance(kinds.summary("VirtualService", spec), str)
    assert kinds.summary("DestinationRule", spec) == ""


def test_a_message_about_a_whole_object_stands_at_its_documents_first_line():
    text = "# first\napiVersion: a\nkind: B\n---\n\n# second\napiVersion: a\n"
    starts = kinds.document_lines(text)
    assert starts == [2, 7]
    assert [kinds.line_of(starts, Message(Level.ERROR, "X", "x", document=d)) for d in (0, 1, 5)] == [2, 7, 7]
