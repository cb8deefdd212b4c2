"""The schedule: the whole run known beforehand, and as the plan says."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.captions.caption import tags_of
from core.images.buckets import Bucket
from core.plan.folders import dealt
from core.plan.frozen import FrozenPlan
from core.plan.schedule import FIXED_TIMESTEPS, Schedule, schedule
from core.plan.steps import count
from tests.core.plan.plans import drawing, frozen, settled

SHAPES = [Bucket(64, 64), Bucket(48, 80), Bucket(80, 48), Bucket(32, 128)]
THINGS = ["cat", "red house", "tree", "boat", "moon", "old car"]

mixes = st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any)


def mixed(members: list[int], held_out: int = 0, **choices: object) -> FrozenPlan:
    """As many drawings in each bucket as `members` says; the first `held_out` of all are held out."""
    shapes = [SHAPES[index] for index, many in enumerate(members) for _ in range(many)]
    drawings = [
        drawing(
            number,
            shape,
            "houtline, " + ", ".join([*THINGS[: number % 5], f"thing {number}"]),
            held_out=number < held_out,
        )
        for number, shape in enumerate(shapes)
    ]
    return frozen(settled(held_out=held_out, **choices), drawings)


def sights(laid_out: Schedule, prior: bool = False) -> list:
    return [sight for step in laid_out.steps for sight in step.sights if sight.prior is prior]


@settings(deadline=None, max_examples=50)
@given(mixes, st.integers(1, 5), st.integers(1, 4), st.integers(1, 8), st.integers(0, 3))
def test_the_steps_are_those_of_the_calculator_and_show_each_drawing_as_often(
    members, repeats, epochs, batch_size, held_out
):
    held_out = min(held_out, sum(members) - 1)
    plan = mixed(members, held_out, repeats=repeats, epochs=epochs, batch_size=batch_size, prior_pictures=1)
    laid_out = schedule(plan)

    per_bucket = Counter(one.placement.bucket for one in plan.trained).values()
    reckoned = count(list(per_bucket), repeats, batch_size, epochs)
    assert len(laid_out.steps) == reckoned.real
    assert [step.index for step in laid_out.steps] == list(range(reckoned.real))

    seen = Counter((step.epoch, sight.picture) for step in laid_out.steps for sight in step.sights if not sight.prior)
    trained = [number for number, one in enumerate(plan.drawings) if not one.held_out]
    assert seen == {(epoch, number): repeats for epoch in range(1, epochs + 1) for number in trained}
    assert reckoned.seen == repeats * epochs

    assert laid_out.epoch_ends == {epoch: epoch * reckoned.per_epoch for epoch in range(1, epochs + 1)}
    assert [step.epoch for step in laid_out.steps] == sorted(step.epoch for step in laid_out.steps)


def test_several_gpus_see_together_what_one_would_with_so_many_times_the_batch():
    shared = {"repeats": 3, "flip": True, "caption_dropout": 0.2, "tag_dropout": 0.2}
    one = mixed([7, 5], batch_size=6, prior_pictures=4, **shared)
    assert schedule(mixed([7, 5], batch_size=3, prior_pictures=2, gpus=2, **shared)) == schedule(one)


@settings(deadline=None, max_examples=50)
@given(mixes, st.integers(1, 3), st.integers(1, 8), st.integers(0, 4))
def test_a_batch_never_mixes_shapes(members, repeats, batch_size, beside):
    plan = mixed(members, repeats=repeats, batch_size=batch_size, prior_pictures=beside)
    laid_out = schedule(plan)
    for step in laid_out.steps:
        own = [sight for sight in step.sights if not sight.prior]
        prior = [sight for sight in step.sights if sight.prior]
        assert 1 <= len(own) <= batch_size
        assert {plan.drawings[sight.picture].placement.bucket for sight in own} == {step.bucket}
        assert {laid_out.prior[sight.picture].bucket for sight in prior} <= {step.bucket}
        assert len(prior) == beside
        # The drawings come first: the data relies on it to give the base's pictures their size and crop.
        assert [sight.prior for sight in step.sights] == [False] * len(own) + [True] * beside


@settings(deadline=None, max_examples=30)
@given(mixes, st.integers(1, 6))
def test_what_is_held_out_is_never_learned_from(members, held_out):
    held_out = min(held_out, sum(members) - 1)
    plan = mixed(members, held_out, prior_pictures=1)
    laid_out = schedule(plan)
    assert all(not plan.drawings[sight.picture].held_out for sight in sights(laid_out))
    # Not even by way of the base's own pictures of its caption.
    drawn = {tag for picture in laid_out.prior for tag in tags_of(picture.prompt)}
    assert drawn.isdisjoint(f"thing {number}" for number in range(held_out))
    measured = {sample.drawing: sample.held_out for sample in laid_out.fixed}
    assert all(plan.drawings[number].held_out is held for number, held in measured.items())
    assert any(measured.values()) is (held_out > 0)


def test_the_same_plan_gives_the_same_schedule_and_another_seed_another():
    plan = mixed([9, 4, 3], 2, prior_pictures=2, flip=True, caption_dropout=0.1)
    assert schedule(plan) == schedule(plan)
    assert schedule(replace(plan, plan=replace(plan.plan, seed=43))).steps != schedule(plan).steps


def test_the_same_plan_gives_the_same_schedule_in_every_process():
    """Python shuffles its own hashes anew in each: nothing may follow from them."""
    program = (
        "from tests.core.plan.test_schedule import mixed, schedule\n"
        "from hashlib import sha256\n"
        "laid_out = schedule(mixed([9, 4, 3], 2, prior_pictures=2, flip=True, caption_dropout=0.1))\n"
        "print(sha256(repr(laid_out).encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    }
    assert len(said) == 1 and said.pop().strip()


def test_a_change_of_one_caption_changes_only_what_that_drawing_says():
    """Order, batches and flips stay: runs with other captions can be compared."""
    plan = mixed([6, 3], flip=True)
    changed = list(plan.drawings)
    changed[2] = replace(changed[2], caption="houtline, something else")
    one, other = schedule(plan), schedule(replace(plan, drawings=tuple(changed)))
    looks = [
        [[(sight.picture, sight.flip) for sight in step.sights] for step in laid_out.steps] for laid_out in (one, other)
    ]
    assert looks[0] == looks[1]


def test_the_activation_word_stays_in_front_of_every_variant():
    plan = mixed([12], repeats=10, epochs=3, tag_orders=30)
    laid_out = schedule(plan)
    spoken: dict[int, set[str]] = {}
    for sight in sights(laid_out):
        spoken.setdefault(sight.picture, set()).add(laid_out.captions[sight.caption])
    for number, variants in spoken.items():
        own = tags_of(plan.drawings[number].caption)
        assert all(tags_of(text)[0] == "houtline" for text in variants)
        assert all(sorted(tags_of(text)) == sorted(own) for text in variants), "no tag is lost or added"
    assert len(spoken[4]) > 5, "five tags are seen in many orders"


def test_tags_stay_in_their_order_when_asked_to_and_sentences_always():
    calm = schedule(mixed([6], shuffle_tags=False, repeats=10))
    assert len(calm.captions) == 1 + 6
    sentence = "houtline, a cat that is sitting on the wall, looking at the moon"
    plan = frozen(settled(repeats=10), [drawing(0, SHAPES[0], sentence)])
    assert set(schedule(plan).captions) == {"", sentence}


def test_no_more_orders_are_encoded_than_asked_for_or_shown():
    assert len(schedule(mixed([5], repeats=50, tag_orders=3)).captions) <= 1 + 5 * (3 + 1)
    assert len(schedule(mixed([5], repeats=1, epochs=1, tag_orders=200)).captions) <= 1 + 5 * (1 + 1)


def test_every_text_is_listed_once_and_the_first_is_the_empty_one():
    laid_out = schedule(mixed([9, 4], 2, prior_pictures=1, repeats=5))
    assert laid_out.captions[0] == ""
    assert len(set(laid_out.captions)) == len(laid_out.captions)
    numbers = {sight.caption for step in laid_out.steps for sight in step.sights}
    assert max(numbers) < len(laid_out.captions)


def test_captions_are_dropped_at_about_the_rate_asked():
    laid_out = schedule(mixed([20], repeats=50, epochs=2, caption_dropout=0.25))
    dropped = [sight.caption == 0 for sight in sights(laid_out)]
    # 2000 throws: four standard deviations are 0.039.
    assert abs(sum(dropped) / len(dropped) - 0.25) < 0.04
    assert not any(sight.caption == 0 for sight in sights(schedule(mixed([20]))))
    everything = schedule(mixed([20], caption_dropout=1.0, prior_pictures=1))
    assert all(sight.caption == 0 for sight in sights(everything))
    assert all(sight.caption != 0 for sight in sights(everything, prior=True)), "the base's own keep their captions"


def test_tags_are_left_out_at_about_the_rate_asked_and_those_in_front_never():
    plan = mixed([20], repeats=50, tag_orders=100, tag_dropout=0.3, keep_tokens=2)
    laid_out = schedule(plan)
    there = expected = 0
    for sight in sights(laid_out):
        own, said = tags_of(plan.drawings[sight.picture].caption), tags_of(laid_out.captions[sight.caption])
        assert said[:2] == own[:2]
        assert set(said) <= set(own) and len(set(said)) == len(said)
        there += len(said) - len(own[:2])
        expected += len(own) - len(own[:2])
    # Each of 20 × 100 variants throws for about two tags: four standard deviations are 0.03.
    assert abs(1 - there / expected - 0.3) < 0.03
    nothing = schedule(mixed([20], tag_dropout=1.0, keep_tokens=1))
    assert set(nothing.captions) - {one.caption for one in plan.drawings} == {"", "houtline"}


def test_tags_that_are_left_out_change_no_order_and_need_no_shuffling():
    whole, less = (schedule(mixed([12], repeats=20, tag_dropout=share)) for share in (0.0, 0.5))
    for one, other in zip(sights(whole), sights(less), strict=True):
        tags = iter(tags_of(whole.captions[one.caption]))
        assert all(tag in tags for tag in tags_of(less.captions[other.caption])), "what is left stands in its order"
    still = mixed([12], repeats=20, shuffle_tags=False, tag_dropout=0.5)
    laid_out = schedule(still)
    assert len(laid_out.captions) > 1 + 12
    for sight in sights(laid_out):
        tags = iter(tags_of(still.drawings[sight.picture].caption))
        assert all(tag in tags for tag in tags_of(laid_out.captions[sight.caption]))


def test_of_sentences_and_of_what_is_measured_nothing_is_left_out():
    sentence = "houtline, a cat that is sitting on the wall, looking at the moon"
    prose = frozen(settled(repeats=10, tag_dropout=0.9), [drawing(0, SHAPES[0], sentence)])
    assert set(schedule(prose).captions) == {"", sentence}
    plan = mixed([6, 5], 2, tag_dropout=0.9)
    laid_out = schedule(plan)
    assert all(laid_out.captions[one.caption] == plan.drawings[one.drawing].caption for one in laid_out.fixed)


@settings(deadline=None, max_examples=50)
@given(
    mixes,
    st.lists(st.none() | st.integers(1, 6), min_size=48, max_size=48),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 8),
)
def test_a_drawing_whose_folder_says_so_is_seen_as_often(members, numbers, repeats, epochs, batch_size):
    plan = mixed(members, repeats=repeats, epochs=epochs, batch_size=batch_size)
    numbered = [replace(one, repeats=number) for one, number in zip(plan.drawings, numbers, strict=False)]
    laid_out = schedule(replace(plan, drawings=tuple(numbered)))
    seen = Counter((step.epoch, sight.picture) for step in laid_out.steps for sight in step.sights)
    assert seen == {
        (epoch, index): one.repeats or repeats for epoch in range(1, epochs + 1) for index, one in enumerate(numbered)
    }
    left, shown = dealt([one.placement.bucket for one in numbered], [one.repeats for one in numbered])
    reckoned = count(left, repeats, batch_size, epochs, shown)
    assert len(laid_out.steps) == reckoned.real
    assert sum(seen.values()) == (sum(left) * repeats + sum(shown)) * epochs
    assert reckoned.guide * batch_size == pytest.approx(sum(seen.values()))


def test_half_of_the_drawings_are_mirrored_when_asked():
    flips = [sight.flip for sight in sights(schedule(mixed([20], repeats=50, flip=True)))]
    assert abs(sum(flips) / len(flips) - 0.5) < 0.05
    assert not any(sight.flip for sight in sights(schedule(mixed([20], repeats=50))))
    assert not any(sight.flip for sight in sights(schedule(mixed([20], flip=True, prior_pictures=2)), prior=True))


def test_the_bases_own_pictures_never_hear_the_activation_word():
    laid_out = schedule(mixed([6, 5], prior_pictures=2))
    assert laid_out.prior and all("houtline" not in picture.prompt for picture in laid_out.prior)
    for sight in sights(laid_out, prior=True):
        assert laid_out.captions[sight.caption] == laid_out.prior[sight.picture].prompt
    assert {sight.picture for sight in sights(schedule(mixed([6], prior_pictures=4, repeats=9)), prior=True)} == set(
        range(6)
    ), "each has its turn"
    assert schedule(mixed([6, 5])).prior == ()


def test_drawings_of_one_caption_get_different_pictures_of_the_base():
    """Else a style whose captions are only the word would be held to one single picture."""
    alike = [drawing(number, SHAPES[0], "houtline, cat") for number in range(4)]
    prior = schedule(frozen(settled(prior_pictures=1), alike)).prior
    assert [picture.prompt for picture in prior] == ["cat"] * 4
    assert len({picture.seed for picture in prior}) == 4


def test_epochs_differ_in_their_order():
    laid_out = schedule(mixed([12], repeats=1, epochs=2, batch_size=3))
    epochs = [
        [sight.picture for step in laid_out.steps if step.epoch == epoch for sight in step.sights] for epoch in (1, 2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]


def test_fixed_samples_are_measured_at_every_depth_of_noise():
    laid_out = schedule(mixed([20, 20], 4))
    for held_out in (True, False):
        samples = [sample for sample in laid_out.fixed if sample.held_out is held_out]
        timesteps = Counter(sample.timestep for sample in samples)
        assert set(timesteps) == set(FIXED_TIMESTEPS) and len(set(timesteps.values())) == 1
    assert len({sample.seed for sample in laid_out.fixed}) == len(laid_out.fixed), "each its own noise"


def test_a_run_that_goes_on_sees_what_is_left():
    laid_out = schedule(mixed([9, 4]))
    assert list(laid_out.from_step(0)) == list(laid_out.steps)
    assert list(laid_out.from_step(3)) == list(laid_out.steps[3:])
    assert list(laid_out.from_step(len(laid_out.steps))) == []
