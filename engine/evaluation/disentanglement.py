"""The report's disentanglement score.

Nguyen & Qiu, "Understanding Disentangled Representation in Variational Autoencoders", section 3.3, after Higgins et
al. 2017: how well the factor in which pairs of images agree can be predicted from the summed differences of their
posterior means. The report does not specify L and the classifier's settings. Here, L = 64 and the features are
standardised, so that rescaling or reordering latents does not matter (a linear SVM alone depends on scale), but
rotating them does.
"""

import numpy as np
from numpy.typing import NDArray

PROTOCOL = (
    "disentanglement score of the report: a linear SVM (C = 1, standardised features) predicts the factor in which 64 "
    "pairs of images agree from the sum of |z_u - z_v|; accuracy on other points"
)


def disentanglement_score(
    sums: NDArray[np.float64],
    factor: NDArray[np.int64],
    test_sums: NDArray[np.float64],
    test_factor: NDArray[np.int64],
) -> float:
    """Return the accuracy on the test points, 0..1; chance is one over the number of factors.

    `sums` is (points, latents), see `sampling.pair_sums`; `factor`, (points,), contains at least two factors.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=1.0, cache_size=400))
    return float(model.fit(sums, factor).score(test_sums, test_factor))
