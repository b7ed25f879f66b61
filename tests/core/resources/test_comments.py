import pytest

from meshconsole.core.resources.comments import has_comments


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("a: 1  # why\n", True),
        ("# above\na: 1\n", True),
        ("a: '# no'\nb: x#y\nc: \"a # b\"\n", False),
        ("a: |\n  # a shell script's\n  echo\nb: 1\n", False),
        ("a: |\n  # a shell script's\n  echo\nb: 1 # ours\n", True),
    ],
)
def test_a_comment_is_told_from_a_hash_in_a_value(text, has):
    assert has_comments(text) is has
