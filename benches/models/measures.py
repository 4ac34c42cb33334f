"""The measures, computed by this one module for every tool from the probabilities that it predicted."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Measures:
    """What a test fold says about predicted probabilities of a bad outcome."""

    auc: float
    ks: float
    brier: float
    ece: float

    def as_dict(self) -> dict[str, float]:
        """The measures by name."""
        return asdict(self)


def measure(y: np.ndarray, p: np.ndarray) -> Measures:
    """Measures the probabilities `p` of a bad outcome against the labels `y`, 1 for bad.

    Raises ValueError where a probability is missing or outside [0, 1]: a tool that leaves rows out is not comparable.
    """
    if p.shape != y.shape:
        raise ValueError(f"{y.size} labels, but {p.size} probabilities")
    if not np.isfinite(p).all() or p.min() < 0.0 or p.max() > 1.0:
        raise ValueError("a probability is missing or outside [0, 1]")
    false_rate, true_rate, _ = roc_curve(y, p)
    return Measures(
        auc=float(roc_auc_score(y, p)),
        ks=float(np.max(true_rate - false_rate)),
        brier=float(brier_score_loss(y, p)),
        ece=expected_calibration_error(y, p),
    )


def expected_calibration_error(y: np.ndarray, p: np.ndarray) -> float:
    """The mean gap of predicted and observed bad rates over ten bins by quantile, weighted by rows.

    Rows of one probability stay in one bin, so a scorecard's ties may leave fewer than ten.
    """
    edges = np.unique(np.quantile(p, np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)))
    bins = np.searchsorted(edges[1:-1], p, side="left")
    rows = np.bincount(bins)
    gaps = np.abs(np.bincount(bins, weights=p) - np.bincount(bins, weights=y))
    return float(gaps[rows > 0].sum() / y.size)
