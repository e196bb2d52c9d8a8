"""Why a score is low: sentences of matrices whose faults are planted."""

import math

import numpy as np
import pytest

from engine.evaluation.explanations import explanation, explanations
from engine.evaluation.rows import Row
from engine.evaluation.table import table_of
from engine.evaluation.table_formats import json_text, markdown

FACTORS = ["shape", "x", "y", "scale"]


def row_of(kl=(), **entries):
    metrics = {name: {"value": 0.3, "protocol": {"name": "p"}} | entry for name, entry in entries.items()}
    return Row("a", "VAE", "dSprites", 0, 10, metrics, kl_per_latent=kl)


def table(values):
    return {"factors": FACTORS, "latents": np.asarray(values, float).tolist()}


INFORMATION = [  # shape in no latent, x in z0 and z2, y in z1, a little of scale in z3
    [0.05, 1.0, 0.0, 0.0],
    [0.01, 0.1, 2.0, 0.0],
    [0.00, 0.8, 0.1, 0.0],
    [0.00, 0.0, 0.0, 0.4],
]
ENTROPIES = dict(zip(FACTORS, (math.log(3), math.log(8), math.log(8), math.log(6)), strict=True))


def test_mig_says_which_factors_are_split_lost_faint_and_clear():
    row = row_of(mig={"mutual_information": table(INFORMATION), "entropies": ENTROPIES})
    assert explanation(row, "mig") == (
        "x is split over z0 and z2; z3 has only 22 % of scale; shape is in no latent. Clear: y in z1."
    )
    assert "x is split over z0 (left-right) and z2" in explanation(row, "mig", {0: "left-right"})


def test_mig_says_that_a_latent_that_shares_a_factor_is_inactive():
    row = row_of((2.0, 2.0, 0.01, 1.0), mig={"mutual_information": table(INFORMATION), "entropies": ENTROPIES})
    assert "x is split over z0 and z2 (z2 is inactive)" in explanation(row, "mig")
    none = row_of((0.0, 2.0, 0.01, 1.0), mig={"mutual_information": table(INFORMATION), "entropies": ENTROPIES})
    assert "; x is only in inactive latents; shape is in no latent." in explanation(none, "mig")


def test_factors_in_one_latent_are_named_together():
    both = [[0.9, 1.5, 1.8, 0.0], [0.0, 0.1, 0.2, 1.2], [0.0] * 4, [0.0] * 4]
    words = explanation(row_of(mig={"mutual_information": table(both), "entropies": ENTROPIES}), "mig")
    assert words == "Clear: shape, x and y in z0, scale in z1."


def test_without_kept_entropies_it_is_explained_as_far_as_possible():
    words = explanation(row_of(mig={"mutual_information": table(INFORMATION)}), "mig")
    assert words == "x is split over z0 and z2; shape is in no latent. Clear: y in z1, scale in z3."


def test_dci_says_which_latents_mix_and_which_factors_need_several():
    importance = [[0.0, 0.5, 0.45, 0.0], [0.0, 0.5, 0.0, 0.1], [0.0, 0.0, 0.55, 0.9], [0.0, 0.0, 0.0, 0.0]]
    row = row_of(dci_disentanglement={"importance": table(importance)}, dci_completeness={})
    assert explanation(row, "dci_disentanglement") == "z0 mixes x and y; z2 mixes scale and y. Clear: z1 for x."
    assert explanation(row, "dci_completeness") == (
        "x needs z0 and z1; y needs z2 and z0; shape is predicted from no latent. Clear: scale mostly z2."
    )
    both = explanations(row, "importance")
    assert both.startswith("DCI disentanglement: z0 mixes x and y;")
    assert "DCI completeness: x needs z0 and z1;" in both


def test_factor_vae_says_why_it_is_zero_and_which_factor_has_no_vote():
    none = "No latent has a vote, so the score is 0: every posterior mean has a standard deviation below 0.05"
    assert explanation(row_of(factor_vae={"value": 0.0}), "factor_vae").startswith(none)
    votes = [[0.02, 0.24, 0.2, 0], [0, 0, 0.04, 0.25], [0.25, 0, 0, 0], [0, 0, 0, 0]]
    assert explanation(row_of(factor_vae={"votes": table(votes)}), "factor_vae") == (
        "z0 votes for x and y; y is the vote of no latent. Clear: x by z0, scale by z1, shape by z2."
    )


@pytest.mark.parametrize(
    "broken", [None, {}, {"factors": FACTORS}, {"factors": FACTORS, "latents": [["a"]]}, table([[math.nan] * 4])]
)
def test_a_missing_or_damaged_matrix_explains_nothing(broken):
    assert explanation(row_of(mig={"mutual_information": broken}), "mig") == ""
    assert explanation(row_of(mig={"value": None, "mutual_information": table(INFORMATION)}), "mig") == ""
    assert explanation(row_of(kl={}), "kl") == ""
    for odd in ("much", 10**400, 0, -1.0, math.nan):
        row = row_of(mig={"mutual_information": table(INFORMATION), "entropies": {"x": odd}})
        assert "x is split over z0 and z2" in explanation(row, "mig")


def test_exports_of_a_run_say_why():
    row = row_of(mig={"mutual_information": table(INFORMATION), "entropies": ENTROPIES})
    one = table_of([row])
    words = "x is split over z0 and z2"
    assert f"MIG: {words}" in markdown(one.filled())
    assert words in json_text(one.filled())
    several = table_of([row, row])
    assert words not in markdown(several.filled())  # but each cell says it
    assert words in several.lines[1].cells[several.index("mig")].note
