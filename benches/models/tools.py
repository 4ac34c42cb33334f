"""The Python tools that Yuxin is compared with, each with its own defaults.

LightGBM and XGBoost grow 300 trees at a rate of 0.05. A tool is imported when it is made, not while it learns: the time to
learn is its own. Every tool runs on one thread, as the whole run is held to one core.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data import text_columns

TREES = 300
RATE = 0.05
NO_VALUE = "(missing)"


class Tool(Protocol):
    """What learns from a fold and predicts another."""

    def fit(self, features: pd.DataFrame, labels: np.ndarray) -> None:
        """Learns."""

    def ready(self, features: pd.DataFrame) -> Any:
        """Rows in the types that the tool takes: not part of the time of a prediction in memory."""

    def predict(self, rows: Any) -> np.ndarray:
        """The probability of a bad outcome of each row."""


def categorical(features: pd.DataFrame, words: dict[str, pd.CategoricalDtype]) -> pd.DataFrame:
    """Text as pandas categories that the training fold knows; a word it does not know is missing."""
    known = features.copy(deep=False)
    for name, kind in words.items():
        known[name] = pd.Categorical(known[name].where(known[name].isin(kind.categories)), dtype=kind)
    return known


class Boosted:
    """Trees of LightGBM or XGBoost, text as pandas categories."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.words: dict[str, pd.CategoricalDtype] = {}

    def fit(self, features: pd.DataFrame, labels: np.ndarray) -> None:
        """Learns, with the words of this fold as categories."""
        self.words = {name: pd.CategoricalDtype(sorted(features[name].dropna().unique())) for name in text_columns(features)}
        self.model.fit(self.ready(features), labels)

    def ready(self, features: pd.DataFrame) -> pd.DataFrame:
        """Text as categories."""
        return categorical(features, self.words)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The probability of the class 1."""
        return np.asarray(self.model.predict_proba(rows)[:, 1], dtype=float)


class Plain:
    """A scikit-learn kind of classifier that takes the frame as it is, built once the columns are known."""

    def __init__(self, build: Callable[[pd.DataFrame], Any], **fitting: Any) -> None:
        self.build = build
        self.fitting = fitting
        self.model: Any = None

    def fit(self, features: pd.DataFrame, labels: np.ndarray) -> None:
        """Builds for these columns and learns."""
        self.model = self.build(features)
        self.model.fit(self.ready(features), labels, **self.fitting)

    def ready(self, features: pd.DataFrame) -> pd.DataFrame:
        """The frame itself."""
        return features

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The probability of the class 1."""
        return np.asarray(self.model.predict_proba(rows)[:, 1], dtype=float)


class Filled(Plain):
    """The same for a tool that takes no missing text: it becomes a word of its own."""

    def ready(self, features: pd.DataFrame) -> pd.DataFrame:
        """Missing text as a word."""
        return features.fillna({name: NO_VALUE for name in text_columns(features)})


def lightgbm() -> Tool:
    """LightGBM."""
    from lightgbm import LGBMClassifier

    return Boosted(LGBMClassifier(n_estimators=TREES, learning_rate=RATE, n_jobs=1, verbose=-1))


def xgboost() -> Tool:
    """XGBoost."""
    from xgboost import XGBClassifier

    return Boosted(XGBClassifier(n_estimators=TREES, learning_rate=RATE, n_jobs=1, enable_categorical=True))


def ebm() -> Tool:
    """InterpretML's explainable boosting machine."""

    from interpret.glassbox import ExplainableBoostingClassifier

    return Filled(lambda _: ExplainableBoostingClassifier(n_jobs=1))


def logistic() -> Tool:
    """scikit-learn's logistic regression: medians for missing numbers, standard scale, a column a word."""

    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def build(features: pd.DataFrame) -> Any:
        text = text_columns(features)
        numbers = [name for name in features.columns if name not in text]
        scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        columns = [("numbers", scaled, numbers), ("text", OneHotEncoder(handle_unknown="ignore"), text)]
        return make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=1000))

    return Filled(build)


def optbinning(**fitting: Any) -> Tool:
    """optbinning's scorecard: optimal bins, weight of evidence, logistic regression."""

    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    def build(features: pd.DataFrame) -> Any:
        bins = BinningProcess(list(features.columns), categorical_variables=text_columns(features))
        return Scorecard(binning_process=bins, estimator=LogisticRegression())

    return Plain(build, **fitting)


def optbinning_missing() -> Tool:
    """The same with the weight of evidence of missing values, which the default takes for zero."""
    return optbinning(metric_missing="empirical")


TOOLS: dict[str, tuple[str, Callable[[], Tool]]] = {
    "logistic": ("scikit-learn logistic regression", logistic),
    "optbinning": ("optbinning scorecard", optbinning),
    "optbinning-missing": ("optbinning scorecard, missing by its own weight", optbinning_missing),
    "ebm": ("InterpretML EBM", ebm),
    "lightgbm": ("LightGBM", lightgbm),
    "xgboost": ("XGBoost", xgboost),
}


def quiet() -> None:
    """Silences the tools' warnings of convergence, types and versions: the table says what came of it."""
    warnings.filterwarnings("ignore")
