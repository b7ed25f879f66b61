from meshconsole.console.diffs import diff


def lines(found):
    return [(r.kind, "".join(text for text, _ in r.parts)) for r in found.rows]


def test_equal_texts_have_no_rows():
    found = diff("a\nb\n", "a\nb\n")
    assert (found.rows, found.same) == ((), True)


def test_a_changed_line_is_taken_away_and_added_with_its_numbers():
    found = diff("a: 1\nb: 2\n", "a: 1\nb: 3\n")
    assert lines(found) == [("same", "a: 1"), ("del", "b: 2"), ("add", "b: 3")]
    assert [(r.old, r.new) for r in found.rows] == [(1, 1), (2, None), (None, 2)]
    assert (found.added, found.removed) == (1, 1)


def test_only_what_differs_inside_of_a_line_is_marked():
    found = diff("weight: 90\n", "weight: 10\n")
    assert [[text for text, changed in r.parts if changed] for r in found.rows] == [["9"], ["1"]]


def test_lines_with_little_in_common_are_not_marked_inside():
    found = diff("timeout: 2s\n", "mirror:\n")
    assert all(not changed for r in found.rows for _, changed in r.parts)


def test_what_is_far_from_a_change_is_left_out_and_counted():
    before = "\n".join(f"line {i}" for i in range(40))
    found = diff(before, before.replace("line 20", "line twenty"))
    assert lines(found)[0] == ("gap", "17 unchanged lines")
    assert lines(found)[-1] == ("gap", "16 unchanged lines")
    assert len(found.rows) == 1 + 3 + 2 + 3 + 1


def test_a_new_text_is_all_added():
    found = diff("", "a\nb\n")
    assert [r.kind for r in found.rows] == ["add", "add"]
