"""What a run's events add up to."""

from core.runs import events
from core.runs.events import Stepped
from tui.story import Story
from tui.widgets.curve import columns, smoothed


def step(number: int, *losses: float) -> Stepped:
    return Stepped(step=number, epoch=1, losses=losses, rate=1.0, pictures_per_second=4.0, seconds_per_step=0.5)


def started(done: int = 0) -> events.Started:
    return events.Started(pid=1, host="here", device="CPU", total=10, step=done)


def test_a_run_that_goes_on_after_a_crash_counts_no_step_twice():
    story = Story().with_events([started(), step(2, 1.0, 2.0), step(4, 3.0, 4.0)])
    story = story.with_events([started(2), step(3, 3.5), step(5, 4.5, 5.0)])
    assert story.losses == (1.0, 2.0, 3.5, 4.5, 5.0)
    assert (story.step, story.total) == (5, 10)


def test_the_time_left_is_told_only_after_warming_up():
    story = Story().with_events([started(), step(1, 1.0)])
    assert story.seconds_left is None
    assert story.with_events([step(2, 1.0)]).seconds_left == 4.0


def test_the_best_epoch_is_the_one_with_the_least_loss_on_what_was_held_out():
    def evaluated(number: int, trained: float, held_out: float | None) -> events.Evaluated:
        return events.Evaluated(step=number, trained=trained, held_out=held_out)

    story = Story().with_events([evaluated(0, 1, 0.1), evaluated(2, 0.8, 0.5), evaluated(4, 0.6, 0.7)])
    assert story.best and story.best.step == 2
    story = Story().with_events([evaluated(0, 0.1, None), evaluated(2, 0.8, None), evaluated(4, 0.6, None)])
    assert story.best and story.best.step == 4


def test_a_run_that_was_stopped_and_goes_on_is_no_longer_at_its_end():
    story = Story().with_events([started(), step(2, 1.0, 1.0), events.Stopped(step=2, reason="asked")])
    assert story.end
    assert story.with_events([started(2)]).end is None


def test_a_curve_shows_the_whole_run_whatever_its_length():
    values = [float(number) for number in range(1000)]
    shown = columns(values, 10)
    assert len(shown) == 10 and shown == sorted(shown)
    assert shown[0] < 100 and shown[-1] > 900
    assert columns([1.0, 2.0], 10) == [1.0, 2.0]


def test_smoothing_does_not_pull_the_beginning_towards_zero():
    assert all(abs(value - 5.0) < 1e-9 for value in smoothed([5.0] * 20))
