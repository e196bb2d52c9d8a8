"""One set of rules for numbers typed, pasted and shown."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.main import parse
from engine.errors import ConfigError
from engine.settings.run_config import RunConfig
from engine.system.numbers import exact, exact_text, grouped, number, plain, rounded_text, whole_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.8", 0.8),
        ("0,8", 0.8),
        ("-1,5", -1.5),
        ("−1.5", -1.5),
        (",5", 0.5),
        ("1.25", 1.25),
        ("1,25", 1.25),
        ("1,2345", 1.2345),
        ("0,001", 0.001),
        ("5e-4", 0.0005),
        ("5,5e-4", 0.00055),
        ("1,000", 1000),
        ("12,500.5", 12500.5),
        ("737,280", 737280),
        ("1,000,000", 1_000_000),
        ("1234,567", 1234.567),
        ("٠٫٨", 0.8),
        ("۰٫۸", 0.8),
        ("\u061c-٣", -3),
        ("۱۲٬۵۰۰", 12500),
        (" 3 ", 3),
    ],
)
def test_numbers_are_read_in_every_usual_notation(text, value):
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "abc", "1.000,5", "1,2,3", "1,0000,000", "--3", "3 000 x"])
def test_other_text_is_returned_unchanged(text):
    assert plain(text) == text
    with pytest.raises(ValueError, match="could not convert"):
        number(text)


def test_a_comma_is_a_decimal_point_where_numbers_are_too_small_for_groups():
    assert number("1,250", most=20) == 1.25
    assert number("1,250", most=1000) == 1250


def test_a_comma_in_a_whole_number_only_groups():
    assert whole_number("1,000") == 1000
    assert whole_number("۱۲") == 12
    for text in ("1,5", "1,50", "1.5"):
        with pytest.raises(ValueError, match="invalid literal"):
            whole_number(text)


@given(st.floats(0, 1e15) | st.floats(-1e15, 0))
def test_a_number_as_shown_reads_back_as_the_same_number(value):
    assert number(exact(value)) == number(exact_text(value)) == value


@given(st.integers(-(10**15), 10**15))
def test_a_whole_number_as_shown_reads_back_as_the_same_number(value):
    assert whole_number(f"{value:,}") == whole_number(exact_text(value)) == value


def test_the_digits_of_numbers_in_text_are_grouped():
    assert [grouped(words) for words in ("1365.29 ± 3", "-4000", "60 (now 12000)", "999.12345", "0.00012345")] == [
        "1,365.29 ± 3", "-4,000", "60 (now 12,000)", "999.12345", "0.00012345",
    ]  # fmt: skip
    assert [grouped(words) for words in ("1,365", "1e+10", "x2000", "100,0000")] == [
        "1,365", "1e+10", "x2000", "100,0000",
    ]  # fmt: skip


def test_numbers_are_shown_as_short_as_they_are_exact():
    assert [exact(v) for v in (4.0, 0.1, 4.1234567, 5e-4, 100_000.0)] == ["4", "0.1", "4.1234567", "0.0005", "100000"]
    assert [exact_text(v) for v in (1000.0, 4.1234567, 64)] == ["1,000", "4.1234567", "64"]
    assert [rounded_text(v) for v in (1234.5, 0.12345, 3.0)] == ["1,230", "0.123", "3"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("beta", "0,8", 0.8),
        ("beta", "1,000", 1000),
        ("gamma", "100,000", 100_000),
        ("learning_rate", "0,0005", 0.0005),
        ("learning_rate", "0,001", 0.001),
        ("steps", "737,280", 737_280),
        ("epochs", "٢٠", 20),
        ("keep_steps", "1000,5000", (1000, 5000)),
        ("keep_steps", "100,200", (100, 200)),
        ("keep_steps", "۱۰۰، ۲۰۰", (100, 200)),
    ],
)
def test_settings_are_read_by_the_same_rule(name, text, value):
    """The form, --set, presets and studies all use it."""
    methods = {"beta": "beta-vae"}
    config = RunConfig.parse({"objective": methods.get(name, "annealed-abs"), name: text})
    assert config.value(name) == value


def test_a_setting_out_of_range_is_quoted_as_it_was_understood():
    with pytest.raises(ConfigError, match=r"beta is '1250'; it must be a number from 0 to 1,000\."):
        RunConfig.parse({"beta": "1,250"})


def test_the_command_line_reads_decimal_commas():
    given = parse(
        ["traverse", "run", "--output", "x.png", "--min-kl", "0,8", "--range", "-1,5", "2,25", "--width", "8,5"]
    )
    assert (given.min_kl, given.range, given.width) == (0.8, [-1.5, 2.25], 8.5)


def test_the_command_line_rejects_text_that_is_not_a_number(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["traverse", "run", "--output", "x.png", "--min-kl", "1.000,5"])
    assert ended.value.code == 2
    assert "invalid number value: '1.000,5'" in capsys.readouterr().err


def test_the_module_does_not_shadow_pythons_own():
    """It is importable only as `engine.system.numbers`, even if the application is started from its folder."""
    assert "engine" not in (sys.modules["numbers"].__file__ or "")
