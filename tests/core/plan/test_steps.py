import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.plan.steps import (
    TARGET,
    USUAL_EPOCHS,
    count,
    guide_steps,
    obstacle,
    seen_per_drawing,
    steps_per_epoch,
    suggestions,
)

buckets = st.lists(st.integers(0, 80), max_size=9)


@pytest.mark.parametrize(("drawings", "repeats"), [(10, 20), (50, 4), (100, 2)])
def test_the_guides_three_rows(drawings, repeats):
    counted = count([drawings], repeats, batch_size=6, epochs=10)
    assert counted.guide == pytest.approx(333.333, abs=0.001)
    assert (counted.real, counted.per_epoch, counted.whole_batches, counted.extra) == (340, 34, 340, 0)
    assert counted.seen == repeats * 10
    assert f"{drawings} × {repeats} ÷ 6 × 10 = 333.3" in counted.why
    assert "340" in counted.why


def test_mixed_shapes_cost_what_sd_scripts_makes_of_them():
    shapes = [9, 5, 5, 3, 3]  # 25 drawings
    assert steps_per_epoch(shapes, repeats=4, batch_size=4) == 25
    assert steps_per_epoch(shapes, repeats=1, batch_size=4) == 9
    assert guide_steps(25, 1, 4, 1) == 6.25


def test_steps_that_buckets_add_are_named():
    counted = count([20, 20, 10, 0], repeats=4, batch_size=6, epochs=10)
    assert (counted.real, counted.whole_batches, counted.extra) == (350, 340, 10)
    assert "3 buckets" in counted.why
    assert "340" in counted.why


def test_where_the_formula_is_exact_it_is_said():
    assert count([30], 10, 6, 10).why == "The guide's formula is exact here: 30 × 10 ÷ 6 × 10 = 500 steps."


def test_with_several_gpus_a_step_looks_at_a_batch_of_each():
    counted = count([30, 10], repeats=9, batch_size=6, epochs=10, gpus=2)
    assert counted.real == (23 + 8) * 10 and counted.guide == 300
    assert "(30 + 10" not in counted.why and "40 × 9 ÷ (6 × 2) × 10 = 300" in counted.why
    for one in suggestions([30, 10], 6, (9, 10), gpus=2):
        assert one.real == steps_per_epoch([30, 10], one.repeats, one.batch_size * 2) * one.epochs
    assert suggestions([30, 10], 6, gpus=2)[0].batch_size == 6, "the batch size stays that of one GPU"


def simulated(drawings_per_bucket, repeats, batch_size, epochs, seed) -> tuple[int, set[int]]:
    """Deal every epoch's pictures into batches of one bucket, one by one; count batches and showings."""
    deck = [(shape, number) for shape, many in enumerate(drawings_per_bucket) for number in range(many)]
    steps, shown = 0, dict.fromkeys(deck, 0)
    for epoch in range(epochs):
        pictures = deck * repeats
        random.Random(seed + epoch).shuffle(pictures)
        waiting: dict[int, list] = {}
        for picture in pictures:
            batch = waiting.setdefault(picture[0], [])
            batch.append(picture)
            shown[picture] += 1
            if len(batch) == batch_size:
                steps += 1
                batch.clear()
        steps += sum(1 for batch in waiting.values() if batch)
    return steps, set(shown.values())


@settings(deadline=None, max_examples=60)
@given(buckets, st.integers(1, 7), st.integers(1, 9), st.integers(1, 3), st.integers())
def test_the_count_is_what_dealing_batches_gives(drawings, repeats, batch_size, epochs, seed):
    counted = count(drawings, repeats, batch_size, epochs)
    steps, showings = simulated(drawings, repeats, batch_size, epochs, seed)
    assert counted.real == steps
    assert showings <= {seen_per_drawing(repeats, epochs)}
    assert counted.guide <= counted.whole_batches <= counted.real


@settings(deadline=None, max_examples=60)
@given(buckets.filter(any), st.integers(1, 16), st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_suggestions_really_have_the_steps_they_promise(drawings, batch_size, current):
    offered = suggestions(drawings, batch_size, current)
    assert len({(one.repeats, one.epochs, one.batch_size) for one in offered}) == 3
    for one in offered:
        assert one.real == steps_per_epoch(drawings, one.repeats, one.batch_size) * one.epochs
        assert one.real in TARGET
    if not obstacle(drawings, batch_size):
        assert offered[0].batch_size == batch_size
        assert offered[0].epochs in USUAL_EPOCHS


def test_35_drawings_get_ten_epochs():
    offered = suggestions([35], batch_size=6)
    assert [(one.repeats, one.epochs, one.real) for one in offered] == [(6, 10, 350), (8, 10, 470), (5, 10, 300)]
    assert obstacle([35], batch_size=6) == ""


def test_suggestions_stay_near_what_was_chosen():
    assert suggestions([50], 6, current=(4, 10))[0].repeats == 4
    assert suggestions([35], 6, current=(3, 20))[0].epochs > suggestions([35], 6, current=(12, 5))[0].epochs


def test_too_many_drawings_for_the_guide_are_told_what_comes_nearest():
    sentence = obstacle([3000], batch_size=6)
    assert "3,000 drawings" in sentence
    assert "2,500" in sentence
    first, *others = suggestions([3000], batch_size=6)
    assert (first.epochs, first.batch_size, first.real) == (1, 6, 500)
    assert all(one.batch_size > 6 and one.real in TARGET for one in others)


def test_even_a_hundred_thousand_drawings_get_an_answer():
    assert [(one.epochs, one.batch_size) for one in suggestions([100_000], 6)] == [(1, 64), (1, 48), (1, 32)]


def test_too_few_drawings_for_a_batch_are_told_to_make_it_smaller():
    assert "1 drawing in batches of 64 does not reach" in obstacle([1], batch_size=64)
    assert all(one.batch_size < 64 and one.real in TARGET for one in suggestions([1], batch_size=64))


def test_without_drawings_there_is_nothing_to_suggest():
    assert suggestions([], 6) == []
    assert suggestions([0, 0], 6) == []
    assert obstacle([], 6)
    assert count([], 4, 6, 10).real == 0
