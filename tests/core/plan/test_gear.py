"""When a faster way to carry out the steps repays its warm-up."""

from core.plan.gear import room_for_graphs, shapes_worth, worth_keeping, worth_trying


def test_a_gear_is_tried_where_the_steps_that_are_left_repay_it() -> None:
    assert worth_trying("compiled", 0.6, [2000]).yes
    assert not worth_trying("compiled", 0.6, [300]).yes
    assert worth_trying("graphs", 0.6, [300]).yes, "to capture one step is soon repaid"


def test_every_shape_is_warmed_up_for_itself() -> None:
    assert worth_trying("compiled", 0.6, [2000]).yes
    assert not worth_trying("compiled", 0.6, [200] * 10).yes


def test_nothing_is_tried_for_no_steps() -> None:
    assert not worth_trying("compiled", 1.0, []).yes
    assert not worth_trying("graphs", 1.0, []).yes


def test_a_gear_is_kept_only_where_it_is_faster_by_more_than_noise() -> None:
    verdict = worth_keeping("compiled", before=0.30, after=0.19, left=380, warm_up=41.3)
    assert verdict.yes and "0.11 s" in verdict.reason and "380 steps" in verdict.reason and "41 s" in verdict.reason
    assert not worth_keeping("graphs", 0.300, 0.299, 380, 3).yes
    slower = worth_keeping("graphs", 0.3, 0.4, 380, 3)
    assert not slower.yes and "0.4 s" in slower.reason and "graphs" in slower.reason


def test_graphs_leave_room_for_a_preview() -> None:
    assert room_for_graphs(step=6 * 2**30, free=12 * 2**30).yes
    refused = room_for_graphs(step=6 * 2**30, free=11 * 2**30)
    assert not refused.yes and "11.0 GB" in refused.reason


def test_a_shape_with_hardly_a_step_left_is_not_captured() -> None:
    assert shapes_worth("graphs", [1, 3, 4, 50]) == [4, 50]
    assert shapes_worth("compiled", [1, 3]) == [1, 3]
