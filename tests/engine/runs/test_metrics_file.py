"""metrics.csv is read as written, while it grows, after a crash, and when it is replaced."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.events import StepMetrics
from engine.runs.metrics_file import MetricsReader, MetricsWriter, cut_back, header
from engine.system.files import write_bytes

finite = st.floats(-1e9, 1e9, allow_nan=False)


def metrics(step, capacity=None, kl=(0.5, 1.5)):
    return StepMetrics(step, step / 100, step / 10, 100.0 + step, 90.0, sum(kl), capacity, tuple(kl))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


@pytest.fixture
def written(path):
    """A file with steps 10, 20, ... 50."""
    writer = MetricsWriter(path, 2)
    for step in range(10, 60, 10):
        writer.append(metrics(step))
    return path


def read(path):
    reader = MetricsReader(path)
    reader.refresh()
    return reader


def test_the_columns_are_those_of_the_contract():
    # The contract's header, for ten latents.
    expected = "step,epoch,seconds,loss,reconstruction,kl,capacity," + ",".join(f"kl_{i}" for i in range(10))
    assert header(10) == expected


@given(
    st.lists(
        st.builds(
            StepMetrics,
            step=st.integers(1, 10**9),
            epoch=st.floats(0, 1e5),
            seconds=st.floats(0, 1e7),
            loss=finite,
            reconstruction=finite,
            kl=finite,
            capacity=st.none() | st.floats(0, 1000),
            kl_per_latent=st.tuples(finite, finite, finite),
        ),
        max_size=5,
    )
)
def test_rows_are_read_back_as_written(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round-trip.csv"
    path.unlink(missing_ok=True)
    writer = MetricsWriter(path, 3)
    for row in rows:
        writer.append(row)
    reader = read(path)
    assert len(reader) == len(rows)
    assert reader.latents == 3
    for name in ("step", "epoch", "seconds", "loss", "reconstruction", "kl"):
        np.testing.assert_allclose(reader.column(name), [getattr(row, name) for row in rows], rtol=1e-8)
    capacity = [np.nan if row.capacity is None else row.capacity for row in rows]
    np.testing.assert_allclose(reader.column("capacity"), capacity, rtol=1e-8)
    np.testing.assert_allclose(
        reader.kl_per_latent, np.reshape([row.kl_per_latent for row in rows], (-1, 3)), rtol=1e-8
    )


def test_the_file_is_valid_csv_and_a_missing_capacity_is_an_empty_cell(path):
    writer = MetricsWriter(path, 2)
    writer.append(metrics(10))
    writer.append(metrics(20, capacity=1.25))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["10", "20"]
    assert [row["capacity"] for row in rows] == ["", "1.25"]
    assert [row["kl_1"] for row in rows] == ["1.5", "1.5"]


def test_a_reader_follows_the_file_while_it_grows(path):
    reader = MetricsReader(path)
    assert not reader.refresh()  # there is no file yet
    writer = MetricsWriter(path, 2)
    for count in range(1, 700):  # across several doublings of the reader's memory
        writer.append(metrics(count))
        if count % 50 == 0:
            assert reader.refresh()
            assert len(reader) == count
    assert reader.refresh()
    np.testing.assert_array_equal(reader.column("step"), np.arange(1, 700))
    np.testing.assert_array_equal(reader.column("loss"), 100 + np.arange(1, 700))
    assert not reader.refresh()


def test_a_missing_column_is_empty(written):
    assert len(read(written).column("kl_7")) == 0


def test_a_half_written_last_line_is_ignored_then_completed(written):
    reader = read(written)
    line = b"60,0.6,6,160,90,2,,0.5,1.5\n"
    for cut in (1, 4, len(line) - 1):
        content = written.read_bytes()
        with written.open("ab") as file:
            file.write(line[:cut])
        reader.refresh()
        assert len(reader) == 5
        with written.open("ab") as file:
            file.write(line[cut:])
        assert reader.refresh()
        assert len(reader) == 6
        assert reader.column("loss")[-1] == 160
        written.write_bytes(content)
        reader = read(written)


def test_a_header_still_being_written_is_read_later(path):
    path.write_bytes(b"step,epoch,seco")
    reader = read(path)
    assert len(reader) == 0
    assert reader.latents == 0
    path.write_bytes(b"")
    with path.open("ab") as file:
        file.write(header(2).encode() + b"\n10,0.1,1,110,90,2,,0.5,1.5\n")
    reader.refresh()
    assert reader.column("step").tolist() == [10]


def test_values_that_are_not_numbers_are_gaps_and_odd_lines_are_skipped(path):
    path.write_bytes(header(1).encode() + b"\n10,0.1,1,nan,inf,x,,0.5\nrubbish\n\n20,0.2,2,120,90,2,,0.5\n")
    reader = read(path)
    assert reader.column("step").tolist() == [10, 20]
    assert np.isnan(reader.column("loss")[0])
    assert np.isnan(reader.column("reconstruction")[0])
    assert np.isnan(reader.column("kl")[0])
    assert reader.problem == "metrics.csv is damaged: 2 lines are not rows and left out."


def test_a_replaced_file_is_read_from_its_start_even_if_longer(written):
    reader = read(written)
    rows = "".join(f"{step},0,0,7,7,7,,1,1\n" for step in range(1, 40))
    write_bytes(written, f"{header(2)}\n{rows}".encode())
    assert reader.refresh()
    np.testing.assert_array_equal(reader.column("step"), np.arange(1, 40))
    assert set(reader.column("loss")) == {7.0}


def test_a_file_that_shrank_is_read_from_its_start(written):
    reader = read(written)
    written.write_bytes(f"{header(2)}\n1,0,0,7,7,7,,1,1\n".encode())
    assert reader.refresh()
    assert reader.column("step").tolist() == [1]


def test_a_removed_file_is_empty_and_counts_as_a_change(written):
    reader = read(written)
    written.unlink()
    assert reader.refresh()
    assert len(reader) == 0
    assert not reader.refresh()


def test_cutting_back_to_no_rows_counts_as_a_change(written):
    # The curves are redrawn only if something has changed.
    reader = read(written)
    cut_back(written, lambda step: False)
    assert reader.refresh()
    assert len(reader) == 0


def test_cutting_back_keeps_the_chosen_rows_byte_for_byte(written):
    lines = written.read_bytes().split(b"\n")
    cut_back(written, lambda step: step <= 30)
    assert written.read_bytes() == b"\n".join([*lines[:4], b""])


def test_cutting_back_drops_an_incomplete_line_and_appending_continues_cleanly(written):
    with written.open("ab") as file:
        file.write(b"60,0.6,6")
    cut_back(written, lambda step: True)
    MetricsWriter(written, 2).append(metrics(60))
    assert read(written).column("step").tolist() == [10, 20, 30, 40, 50, 60]
    assert written.read_bytes().count(header(2).encode()) == 1


@pytest.mark.parametrize("line", [b"", b"\0\0\0\0\0\0", b"rubbish,1,2"], ids=["empty", "zeros", "words"])
def test_cutting_back_drops_lines_that_are_not_rows(written, line):
    # A power cut can leave zeros, an editor an empty line; neither may keep a run from being resumed.
    first, rest = written.read_bytes().split(b"\n", 1)
    written.write_bytes(first + b"\n" + line + b"\n" + rest)
    cut_back(written, lambda step: step <= 30)
    assert read(written).column("step").tolist() == [10, 20, 30]


def test_cutting_back_a_missing_file_creates_none(path):
    cut_back(path, lambda step: True)
    assert not path.exists()


def test_a_second_writer_continues_the_file(written):
    MetricsWriter(written, 2).append(metrics(60))
    assert len(read(written)) == 6


def long_file(path, count, seed=0):
    """A file of many rows, and its values as a table."""
    rng = np.random.default_rng(seed)
    step = np.arange(1, count + 1)
    table = np.column_stack([step, step / 64, step / 8, rng.integers(0, 4096, (count, 6)) / 64])
    lines = "\n".join(",".join(f"{value:.9g}" for value in values) for values in table)
    path.write_text(f"{header(2)}\n{lines}\n")
    return table


@pytest.mark.parametrize("budget", [None, 500, 7000])
@pytest.mark.parametrize("count", [255, 256, 257, 5000])
def test_a_long_file_is_merged_as_if_written_less_often(path, count, budget):
    table = long_file(path, count)
    reader = MetricsReader(path, keep=256)
    reader.refresh(budget)
    while reader.behind:
        assert reader.newest("step") == count  # the newest row is known before all are read
        reader.refresh(budget)
    stride = reader.stride
    assert 128 <= len(reader) < 256 or count < 256
    assert len(reader) == count // stride
    groups = table[: count - count % stride].reshape(-1, stride, 9)
    for number, name in enumerate(reader.names):
        # Steps, epochs and seconds are those of a group's last row, all else its mean: what a row of the file is.
        expected = groups[:, -1, number] if number < 3 else groups[:, :, number].mean(axis=1)
        np.testing.assert_allclose(reader.column(name), expected, rtol=1e-12)
    assert reader.newest("kl_1") == table[-1, -1]


def test_reading_in_parts_equals_reading_at_once(path):
    writer = MetricsWriter(path, 2)
    reader = MetricsReader(path, keep=64)
    version = reader.version
    for step in range(1, 700):
        writer.append(metrics(step))
        reader.refresh()
        if reader.version == version:  # nothing but new rows since
            assert reader.column("step")[0] == reader.stride
        version = reader.version
    again = MetricsReader(path, keep=64)
    again.refresh()
    assert again.stride == reader.stride > 1
    for name in reader.names:
        np.testing.assert_array_equal(again.column(name), reader.column(name))


def test_all_rows_are_kept_on_request(path):
    table = long_file(path, 5000)
    reader = MetricsReader(path, keep=None)
    reader.refresh()
    np.testing.assert_array_equal(reader.column("step"), table[:, 0])


def test_a_bad_line_among_good_ones_costs_only_itself(path):
    table = long_file(path, 300)
    lines = path.read_bytes().split(b"\n")
    lines[100] += b",1"
    lines[200] = lines[200].replace(b",", b";", 1)
    path.write_bytes(b"\n".join(lines))
    assert read(path).column("step").tolist() == np.delete(table[:, 0], [99, 199]).tolist()


def test_terms_of_a_method_follow_the_common_columns(path):
    # The contract's header with a method's own term.
    writer = MetricsWriter(path, 2, ["total_correlation"])
    writer.append(replace(metrics(10, kl=(0.5, 1.5)), own=(0.25,)))
    writer.append(replace(metrics(20), own=(math.nan,)))
    assert path.read_text().splitlines() == [
        "step,epoch,seconds,loss,reconstruction,kl,capacity,total_correlation,kl_0,kl_1",
        "10,0.1,1,110,90,2,,0.25,0.5,1.5",
        "20,0.2,2,120,90,2,,,0.5,1.5",
    ]
    reader = read(path)
    assert (reader.latents, reader.own) == (2, ("total_correlation",))
    np.testing.assert_array_equal(reader.column("total_correlation"), [0.25, np.nan])
    np.testing.assert_array_equal(reader.kl_per_latent, [[0.5, 1.5], [0.5, 1.5]])


def test_a_file_of_version_1_gets_the_columns_of_terms_with_empty_cells(written):
    before = read(written)
    writer = MetricsWriter(written, 2, ["total_correlation"])
    writer.append(replace(metrics(60), own=(0.5,)))
    reader = read(written)
    assert before.own == ()
    np.testing.assert_array_equal(reader.column("total_correlation"), [np.nan] * 5 + [0.5])
    for name in before.names:
        np.testing.assert_array_equal(reader.column(name)[:5], before.column(name))
    MetricsWriter(written, 2, ["total_correlation"])  # once only
    assert len(read(written)) == 6
    assert read(written).names == reader.names
