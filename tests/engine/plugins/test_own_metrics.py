"""Metrics of plug-ins: what they may return, what they need, and that one that fails costs its value alone."""

import json

import numpy as np
import pytest
import torch

from engine.cli import main as cli
from engine.errors import PluginError
from engine.evaluation.catalogue import METRICS, OF_PLUGINS, OURS
from engine.evaluation.evaluate import evaluate
from engine.evaluation.reasons import known_reason
from engine.evaluation.rows import columns_of, read_row
from engine.evaluation.table import table_of
from engine.jobs.events import Evaluated, Progress
from engine.plugins.interface import Metric, Need, Plugin, Score, column
from engine.plugins.registering import register
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from engine.system.user_code import forget_code, register_code


def of(name, compute, needs=(), *more):
    """A metric with a column of this name, and others."""
    about = ("A sentence.", "how it is computed")
    attributes = {
        "columns": tuple(column(each, each.title(), *about, unit="bits") for each in (name, *more)),
        "needs": frozenset(needs),
        "compute": compute,
    }
    return type("Own", (Metric,), attributes)()


def add(*metrics, fingerprint="a" * 64):
    plugin = Plugin("own", "1.0", 1, metrics={metric.columns[0].metric: metric for metric in metrics})
    register(plugin, Origin("", "", fingerprint))


def found(run, *names):
    return [event.result for event in evaluate(run, names) if isinstance(event, Evaluated)][-1]["metrics"]


@pytest.fixture
def here():
    register_code(__file__, "own")
    yield
    forget_code(__file__)


def spread(self, representation):
    """Of the codes: checked below against those of the model."""
    return float(representation.codes.std())


def test_its_value_is_kept_with_the_plugin_the_protocol_and_what_it_was_computed_on(tiny_copy, trained):
    add(of("spread", spread))
    entry = found(tiny_copy, "spread")["spread"]
    chosen = np.random.default_rng(0).permutation(1797)[:1198]  # of fewer than 15,000 images two thirds
    with torch.no_grad():
        codes = trained.encode(trained.dataset.images(chosen)).mean.double().numpy()
    assert entry["value"] == pytest.approx(codes.std(), rel=1e-4)
    protocol = entry["protocol"]
    assert protocol["plugin"] == {"name": "own", "version": "1.0", "fingerprint": "a" * 64}
    assert (protocol["name"], protocol["n"], protocol["of"]) == ("how it is computed", 1198, 1797)
    assert entry["unit"] == "bits"
    row = read_row(tiny_copy)
    assert row.value("spread") == entry["value"]
    table = table_of([row])
    assert table.headings[table.index("spread")].title == "Spread ↑ (bits)"


def centred(self, representation):
    """A slip: it changes what the metrics after it see."""
    codes = representation.codes
    codes -= codes.mean(0)
    return float(codes.std())


def moved(self, representation):
    means = yield from representation.means()
    means += 1
    return 0.0


def test_one_that_changes_the_codes_in_place_costs_its_value_and_not_that_of_the_next(tiny_copy, here):
    add(of("centred", centred), of("moved", moved), of("spread", spread))
    entries = found(tiny_copy, "centred", "moved", "spread")
    for name, function in (("centred", centred), ("moved", moved)):
        line = function.__code__.co_firstlineno + (3 if name == "centred" else 2)
        assert "is read-only" in entries[name]["reason"]
        assert entries[name]["reason"].endswith(f"(test_own_metrics.py, line {line})")
    assert entries["spread"]["value"] is not None


def test_it_may_return_an_interval_counts_and_more(tiny_copy):
    score = Score(2.0, (1.0, 3.0), "of this and that", {"n": 7, "n_test": 3}, {"each": [1, 2]})
    add(of("rich", lambda self, representation: score))
    entry = found(tiny_copy, "rich")["rich"]
    assert (entry["value"], entry["interval"], entry["each"]) == (2.0, [1.0, 3.0], [1, 2])
    assert [entry["protocol"][name] for name in ("n", "n_test", "interval")] == [7, 3, "of this and that"]


def test_several_columns_come_from_one_computation_that_tells_how_far_it_is(tiny_copy):
    def compute(self, representation):
        yield Progress(1, 2, "Half-way", "halves")
        return {"first": torch.tensor(1.5), "second": "there is no second"}

    add(of("first", compute, (), "second"))
    events = list(evaluate(tiny_copy, ["first", "second"]))
    assert Progress(1, 2, "Half-way", "halves") in events
    metrics = events[-1].result["metrics"]
    assert metrics["first"]["value"] == 1.5
    assert (metrics["second"]["value"], metrics["second"]["reason"]) == (None, "there is no second")


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Need.FACTORS, "MNIST has no ground-truth factors"),
        (Need.CATEGORY, "VAE has no categorical code"),
    ],
)
def test_what_it_needs_and_is_not_there_is_the_reason_and_it_is_not_asked(tiny_copy, needs, words):
    asked = []
    add(of("needy", lambda self, representation: asked.append(1) or 1.0, [needs]))
    assert found(tiny_copy, "needy")["needy"]["reason"] == words
    assert known_reason(tiny_copy.config, "needy") == words
    assert not asked


def test_what_it_needs_and_is_there_is_no_reason(tiny_copy):
    add(of("rich", lambda self, representation: len(set(representation.labels)), [Need.LABELS, Need.KL]))
    assert found(tiny_copy, "rich")["rich"]["value"] == 10
    assert known_reason(RunConfig(dataset="digits", objective="info-gan"), "rich").startswith("InfoGAN has no")


def test_it_may_encode_and_decode(tiny_copy, trained):
    def compute(self, representation):
        mean, log_variance = representation.posteriors(representation.sample[:70])
        images = representation.decoded(mean[:5])
        assert log_variance.shape == mean.shape == (70, 10)
        np.testing.assert_allclose(mean, representation.codes[:70], atol=1e-5)
        assert representation.images.shape == (1198, 28, 28, 1)
        with torch.no_grad():
            expected = trained.model.decode(torch.from_numpy(mean[:5]).float()).permute(0, 2, 3, 1).numpy() * 255
        np.testing.assert_allclose(images, expected, atol=0.51)
        return float(len(images))

    add(of("decodes", compute))
    assert found(tiny_copy, "decodes")["decodes"]["value"] == 5


def raises(self, representation):
    return 1 / 0


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (raises, "own raised ZeroDivisionError: division by zero (test_own_metrics.py, line "),
        (lambda self, r: None, "compute must return a number, a Score or a reason for bad, and returned a NoneType"),
        (lambda self, r: np.zeros(3), "and returned a ndarray of shape (3,)"),
        (lambda self, r: True, "and returned a bool"),
        (lambda self, r: "", "and returned a str"),
        (lambda self, r: {"other": 1.0}, "compute must return a value for each of bad, and returned values for other"),
        (lambda self, r: float("nan"), "its result is nan, which is not a finite number"),
        (lambda self, r: Score(1.0, ("a", "b")), "and returned a Score"),
    ],
)
def test_one_that_fails_costs_its_value_alone_and_is_tried_again(tiny_copy, here, compute, words):
    add(of("bad", compute), of("good", lambda self, representation: 3.0))
    metrics = found(tiny_copy, "reconstruction", "bad", "good")
    assert words in metrics["bad"]["reason"]
    assert (metrics["reconstruction"]["value"] > 0, metrics["good"]["value"]) == (True, 3.0)
    assert ("failed" in metrics["bad"]) == ("finite" not in words)


def test_a_failure_is_not_kept_for_good(tiny_copy, here, monkeypatch):
    metric = of("flaky", raises)
    add(metric)
    assert found(tiny_copy, "flaky")["flaky"]["value"] is None
    monkeypatch.setattr(type(metric), "compute", lambda self, representation: 4.0)
    assert found(tiny_copy, "flaky")["flaky"]["value"] == 4.0
    monkeypatch.setattr(type(metric), "compute", lambda self, representation: 5.0)
    assert found(tiny_copy, "flaky")["flaky"]["value"] == 4.0  # that is kept


FILE = """from engine.plugins.interface import INTERFACE, Metric, Plugin, column


class Spread(Metric):
    columns = (column("spread", "Spread", "A sentence.", "how it is computed"),)

    def compute(self, representation):
        return float(representation.codes.std())


PLUGIN = Plugin("own", "1.0", INTERFACE, metrics={"spread": Spread()})
"""


def test_it_is_in_the_list_after_the_others_and_the_command_line_knows_it(tiny_copy, capsys, plugins):
    (plugins.folder / "own.py").write_text(FILE)
    plugins.rescan()
    plugins.allow(plugins.find("own"))
    plugins.load()
    assert list(METRICS) == [*OURS, "spread"]
    assert METRICS["spread"].group == OF_PLUGINS
    arguments = ["evaluate", str(tiny_copy.path), "--metrics", "spread,kl", "--json"]
    assert cli.run_command(cli.parse(arguments)) == 0
    [printed] = json.loads(capsys.readouterr().out)
    assert list(printed["metrics"]) == ["spread", "kl"]
    assert printed["metrics"]["spread"]["protocol"]["plugin"]["version"] == "1.0"


def test_values_are_shown_where_it_is_not_loaded_whatever_the_file_says(tiny_copy, without_plugins):
    add(of("spread", spread))
    found(tiny_copy, "spread", "kl")
    without_plugins()
    assert [c.title for c in columns_of([read_row(tiny_copy)]) if c.metric == "spread"] == ["Spread"]
    kept = tiny_copy.evaluation()
    kept["metrics"]["spread"]["column"] = {"title": "\x1b[31m" + "x" * 500, "decimals": "many", "better": 7}
    kept["metrics"]["stranger"] = {"value": 1.0, "unit": ""}
    tiny_copy.write_evaluation(kept)
    [shown] = [c for c in columns_of([read_row(tiny_copy)]) if c.metric == "spread"]
    assert (len(shown.title), "\x1b" in shown.title, shown.decimals, shown.better) == (40, False, 3, "")
    assert "stranger" not in read_row(tiny_copy).metrics


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (of("kl", spread), "is called kl, and there is already a metric of that name"),
        (of("Spread", spread), "'Spread' cannot be the name of a column of"),
        (of("twice", spread, (), "twice"), "Two columns are called twice"),
        (type("No", (Metric,), {"columns": (), "compute": spread})(), "must be a tuple of columns"),
        (of("spread", spread, ["factors?"]), "must be a set of Need.FACTORS and the like"),
    ],
)
def test_what_is_wrong_with_it_is_said_when_it_is_added(metric, words):
    with pytest.raises(PluginError) as caught:
        register(Plugin("own", "1.0", 1, metrics={"spread": metric}), Origin("", "", "a" * 64))
    assert words in str(caught.value)
