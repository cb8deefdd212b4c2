"""Taking back and making again."""

from hypothesis import given
from hypothesis import strategies as st

from core.history import History


def test_what_was_taken_back_can_be_made_again_until_something_new_is_done():
    history = History[int]().with_change("one", 0, 1).with_change("two", 1, 2)
    history, change = history.undo()
    assert change and (change.name, change.before) == ("two", 1)
    history, change = history.redo()
    assert change and change.after == 2
    history, _change = history.undo()
    history = history.with_change("three", 1, 3)
    assert history.redo()[1] is None


@given(st.lists(st.one_of(st.integers(0, 9), st.sampled_from(["undo", "redo"]))))
def test_the_state_follows_the_changes_whatever_is_done(steps):
    history, value = History[int](), 0
    past, future = [], []
    for step in steps:
        if step == "undo":
            history, change = history.undo()
            if past:
                future.append(value)
                assert change and change.before == past.pop()
                value = change.before
            else:
                assert change is None
        elif step == "redo":
            history, change = history.redo()
            if future:
                past.append(value)
                assert change and change.after == future.pop()
                value = change.after
            else:
                assert change is None
        else:
            history = history.with_change("set", value, step)
            past.append(value)
            future, value = [], step
