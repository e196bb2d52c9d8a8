"""Schedules: each shape against its closed form, and the text that stands for one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.system.schedule import SHAPES, UNITS, LengthError, Schedule

PER_EPOCH, TOTAL = 40, 800
LENGTHS = [(200, "steps"), (5, "epochs"), (25, "%")]
"""200 steps, in each unit, of a run of 800 with 40 an epoch."""


def at(schedule, step):
    return schedule.at(step, PER_EPOCH, TOTAL)


@pytest.mark.parametrize(("length", "unit"), LENGTHS)
@pytest.mark.parametrize(("start", "end"), [(0, 4), (10, 1)])
def test_a_line_changes_by_the_same_each_step_and_then_stays(start, end, length, unit):
    schedule = Schedule(start, end, length, unit)
    each = (end - start) / 200
    for step, expected in [
        (1, start + each),  # first
        (100, (start + end) / 2),  # middle
        (199, end - each),
        (200, end),  # last
        (201, end),
        (800, end),
    ]:
        assert at(schedule, step) == pytest.approx(expected), step


@pytest.mark.parametrize(("length", "unit"), LENGTHS)
@pytest.mark.parametrize(("start", "end"), [(0, 4), (10, 1)])
def test_a_cosine_is_slow_at_both_ends(start, end, length, unit):
    """By hand: (1 - cos(pi t / T)) / 2 is sin²(pi t / 2T): t = T/3 gives a quarter, T/2 a half, 3T/4 0.8536."""
    schedule = Schedule(start, end, length, unit, "cosine")
    for step, share in [
        (1, math.sin(math.pi / 400) ** 2),
        (100, 0.5),
        (150, (2 + math.sqrt(2)) / 4),
        (199, 1 - math.sin(math.pi / 400) ** 2),
        (200, 1),
        (201, 1),
        (800, 1),
    ]:
        assert at(schedule, step) == pytest.approx(start + (end - start) * share), step
    third = Schedule(start, end, 3 * length / 2, unit, "cosine")
    assert at(third, 100) == pytest.approx(start + (end - start) / 4)


@pytest.mark.parametrize(("length", "unit"), LENGTHS)
def test_a_jump_changes_nothing_until_its_end(length, unit):
    schedule = Schedule(0, 2, length, unit, "jump")
    assert [at(schedule, step) for step in (1, 100, 199, 200, 201, 800)] == [0, 0, 0, 2, 2, 2]
    assert [step for step in range(1, TOTAL) if schedule.jumps_at(step, PER_EPOCH, TOTAL)] == [200]
    assert not any(Schedule(0, 2, length, unit).jumps_at(step, PER_EPOCH, TOTAL) for step in range(1, TOTAL))


def test_a_jump_within_a_step_is_the_next_step():
    half = Schedule(0, 2, 0.05, "epochs", "jump")  # of 50 steps: after 2.5
    assert [half.at(step, 50, 99) for step in (1, 2, 3)] == [0, 0, 2]
    assert [step for step in range(1, 9) if half.jumps_at(step, 50, 99)] == [3]


@given(st.floats(0, 1000), st.floats(1e-6, 1e5), st.integers(1, 5000), st.integers(1, 100_000))
def test_a_ramp_in_epochs_from_0_is_that_of_version_1_0_0_bit_for_bit(end, epochs, per_epoch, step):
    """Its own expression, as version 1.0.0 had it."""
    ramp = epochs * per_epoch
    assert Schedule(0.0, end, epochs, "epochs").at(step, per_epoch, 10**6) == end * min(1.0, step / ramp)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from(SHAPES), st.integers(1, 2000), st.integers(1, 999))
def test_it_goes_one_way_stays_between_its_ends_and_ends_exactly(start, end, shape, length, step):
    schedule = Schedule(start, end, length, "steps", shape)
    one, other = schedule.at(step, 1, 1), schedule.at(step + 1, 1, 1)
    rounding = 1e-9 * max(1.0, abs(start), abs(end))
    assert min(start, end) - rounding <= one <= max(start, end) + rounding
    assert (other - one) * (end - start) >= -rounding * abs(end - start)
    assert schedule.at(length, 1, 1) == schedule.at(length + step, 1, 1) == end


def test_per_cent_are_of_the_whole_run_and_epochs_of_the_data():
    half = Schedule(0, 4, 50, "%")
    assert [half.at(100, 10, total) for total in (200, 400)] == [4, 2]
    assert [Schedule(0, 4, 2).at(20, per_epoch, 999) for per_epoch in (10, 20)] == [4, 2]


lengths = st.sampled_from([*UNITS]).flatmap(
    lambda unit: st.tuples(st.floats(0, UNITS[unit], exclude_min=True), st.just(unit))
)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), lengths, st.sampled_from(SHAPES))
def test_its_text_gives_it_back(start, end, length, shape):
    schedule = Schedule(start, end, *length, shape)
    assert Schedule.parse(str(schedule)) == schedule
    assert Schedule.parse(f"  {schedule} ".upper()) == schedule
    assert Schedule.parse(schedule.text()) == schedule


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 to 4 over 20 epochs", Schedule(0, 4, 20, "epochs", "linear")),
        ("0 to 4 over 50 % cosine", Schedule(0, 4, 50, "%", "cosine")),
        ("0 to 2 over 288,000 steps jump", Schedule(0, 2, 288_000, "steps", "jump")),
        ("0 to 4 over 50% linear", Schedule(0, 4, 50, "%", "linear")),
        ("10 to 1 over 5000 steps", Schedule(10, 1, 5000, "steps", "linear")),
        ("10 to 1 over 5,000 steps", Schedule(10, 1, 5000, "steps", "linear")),
        ("0,5  to 1,25 over 0,5 Epochs", Schedule(0.5, 1.25, 0.5, "epochs", "linear")),
        ("1 to 0 over 1 step", Schedule(1, 0, 1, "steps", "linear")),
        ("٠ to ٤ over ٢٠ epochs", Schedule(0, 4, 20, "epochs", "linear")),
    ],
)
def test_a_text_is_read_as_it_was_typed(text, expected):
    assert Schedule.parse(text) == expected


def test_its_words_have_the_unit_and_a_single_epoch():
    assert Schedule(0, 20, 20).text("nats") == "0 to 20 nats over 20 epochs"
    assert Schedule(1000, 1, 5000, "steps", "cosine").text() == "1,000 to 1 over 5,000 steps cosine"
    assert str(Schedule(0, 4.5, 1)) == "0 to 4.5 over 1 epoch"
    assert Schedule(0, 4, 50, "%").length_text() == "50 % of the run"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "0 to 4",
        "0 to 4 over 20",
        "0 to 4 over 20 weeks",
        "0 to 4 over 20 epochs sine",
        "x to 4 over 20 epochs",
        "0 to nan over 20 epochs",
        "0 to 1e999 over 20 epochs",
        "0 to 4 over twenty epochs",
        "0 to 4 over 20 epochs, please",
        "0 4 20 epochs",
        "to over epochs",
    ],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Schedule.parse(text)


@pytest.mark.parametrize(
    ("length", "most"),
    [
        ("0 steps", "1,000,000,000 steps"),
        ("-1 epochs", "100,000 epochs"),
        ("2e5 epochs", "100,000 epochs"),
        ("100.1 %", "100 % of the run"),
        ("nan steps", "1,000,000,000 steps"),
    ],
)
def test_a_length_that_no_run_has_is_named(length, most):
    with pytest.raises(LengthError, match=rf"^its length must be above 0 and at most {most}$"):
        Schedule.parse(f"0 to 4 over {length}")


def test_both_ends_are_held_to_a_bound():
    assert Schedule(0, 4, 1) >= 0
    assert Schedule(0, 4, 1) <= 4
    assert not Schedule(4, -1, 1) >= 0
    assert not Schedule(5, 0, 1) <= 4
