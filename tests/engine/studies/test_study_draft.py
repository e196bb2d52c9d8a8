"""Studies built from methods, values of settings and seeds: which cells they have, and what is refused."""

import itertools

import pytest

from engine.errors import ConfigError
from engine.settings.run_config import RunConfig
from engine.studies import load_study, own_studies
from engine.studies.draft import Draft, Varied, draft_study, read_values, save_study, value_text, variable_settings
from engine.studies.files import delete_study
from engine.system.schedule import Schedule

BASE = RunConfig(dataset="digits", objective="beta-vae", beta=2, epochs=7, latents=5)
METRICS = ("mig", "kl")


def draft(*objectives, varied=(), **changes):
    return Draft("β and more", BASE, objectives, tuple(varied), 2, METRICS, **changes)


def test_cells_are_the_product_of_methods_values_and_seeds():
    """Counted and listed by itertools; the VAE has no β, so its cells vary in the normalisation alone."""
    betas, kinds = (1, 4, 16), ("none", "batch")
    study = draft_study(draft("beta-vae", "vae", varied=[Varied("beta", betas), Varied("normalisation", kinds)]))
    configs = [cell.config for cell in study.cells]
    found = {(c.objective, c.flat().get("beta"), c.normalisation, c.seed) for c in configs}
    expected = {("beta-vae", *rest) for rest in itertools.product(betas, kinds, (0, 1))}
    expected |= {("vae", None, *rest) for rest in itertools.product(kinds, (0, 1))}
    assert found == expected
    assert len(configs) == len(expected)
    assert {(c.dataset, c.epochs, c.latents) for c in configs} == {("digits", 7, 5)}
    assert [m.title for m in study.methods][:2] == [
        "β-VAE, β = 1, Normalisation = None", "β-VAE, β = 1, Normalisation = Batch",
    ]  # fmt: skip


def test_settings_that_are_not_varied_are_those_of_the_base():
    """The own settings of its method only for this method; a shared name means another setting elsewhere."""
    study = draft_study(draft("beta-vae", "beta-tcvae"))
    assert [cell.config.value("beta") for cell in study.cells[:2]] == [
        2,
        RunConfig(objective="beta-tcvae").value("beta"),
    ]


def test_a_saved_study_is_what_was_drafted_and_can_be_deleted(private_folders):
    """Read back from its file: equal cells."""
    made = draft("beta-vae", varied=[Varied("beta", (Schedule(0, 4, 50, "%"), 8.0))], quick_steps=30)
    drafted, saved = draft_study(made), save_study(made)
    assert [cell.config for cell in load_study(saved.path).cells] == [cell.config for cell in drafted.cells]
    quick = load_study(saved.path, quick=True)
    assert {cell.config.steps for cell in quick.cells} == {30}
    assert quick.seeds == (0,)
    with pytest.raises(ConfigError, match="already a study"):
        save_study(made)
    assert [study.title for study in own_studies()] == ["β and more"]
    delete_study(saved)
    assert own_studies() == []


def test_values_without_effect_make_no_cells():
    """The MLP has no convolutions to normalise."""
    kinds = [Varied("network", ("plain", "mlp")), Varied("normalisation", ("none", "batch"))]
    study = draft_study(draft("vae", varied=kinds))
    assert [(m.settings["network"], m.settings["normalisation"]) for m in study.methods] == [
        ("plain", "none"), ("plain", "batch"), ("mlp", "none"),
    ]  # fmt: skip
    assert study.methods[-1].title == "Network = " + value_text("network", "mlp")


@pytest.mark.parametrize(("name", "steps"), [("steps", [3, 4]), ("epochs", [30, 40])])
def test_the_length_can_be_varied(name, steps):
    """An epoch of 640 images has 10 batches of 64."""
    base = BASE.changed(steps=50)
    study = draft_study(Draft("Lengths", base, ("vae",), (Varied(name, (3, 4)),), 1, METRICS))
    assert [cell.config.total_steps(640) for cell in study.cells] == steps


def test_typed_values_are_read_like_settings():
    both = ("beta-vae", "vae")
    assert read_values("beta", "1, 4,16 ", both) == (1, 4, 16)
    assert read_values("beta", "0,5; 0 to 4 over 20 epochs", both) == (0.5, Schedule(0, 4, 20))
    assert read_values("latents", "5, 10", both) == (5, 10)


@pytest.mark.parametrize(
    ("text", "words"), [("", "type the values"), ("1, x", "β is 'x'"), ("-1", "β is '-1'"), ("1, 1.0", "β has 1 twice")]
)
def test_a_wrong_value_is_named(text, words):
    with pytest.raises(ConfigError, match=words):
        read_values("beta", text, ("beta-vae",))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (draft(), "at least one method"),
        (draft("vae", varied=[Varied("beta", (1, 2))]), "None of the chosen methods"),
        (draft("vae", varied=[Varied("steps", (1, 2))], quick_steps=5), "quick version"),
        (draft("vae", varied=[Varied("latents", tuple(range(2, 1100)))]), "combinations"),
        (draft("vae", varied=[Varied("latents", (2,)), Varied("latents", (3,))]), "varied twice"),
        (Draft(" ", BASE, ("vae",), metrics=METRICS), "needs a title"),
        (Draft("No metric", BASE, ("vae",)), "at least one metric"),
    ],
)
def test_what_cannot_be_a_study_is_refused(made, words):
    with pytest.raises(ConfigError, match=words):
        draft_study(made)


def test_what_does_not_change_the_result_is_not_varied():
    names = variable_settings(("beta-vae", "vae"))
    assert {"beta", "latents", "normalisation", "steps"} <= set(names)
    assert not {"seed", "device", "threads", "log_steps", "objective", "data_folder", "gamma"} & set(names)
