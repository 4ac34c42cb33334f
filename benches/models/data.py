"""The data sets and their folds: files NAME.csv.gz with the target `y`, 1 for bad; text carries `v_` before its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

TARGET = "y"
FOLDS = 5
SEED = 7
SUFFIX = ".csv.gz"


@dataclass(frozen=True)
class DataSet:
    """A labelled table."""

    name: str
    features: pd.DataFrame
    labels: np.ndarray

    @property
    def text(self) -> list[str]:
        """The names of the text columns."""
        return text_columns(self.features)


@dataclass(frozen=True)
class Fold:
    """One split of a data set."""

    number: int
    train: pd.DataFrame
    train_labels: np.ndarray
    test: pd.DataFrame
    test_labels: np.ndarray


def text_columns(frame: pd.DataFrame) -> list[str]:
    """The names of the columns that hold text."""
    return [name for name in frame.columns if frame[name].dtype == object]


def find(folders: list[Path]) -> list[Path]:
    """Every data set in the folders, smallest file first.

    Raises FileNotFoundError where a folder is absent or none holds a data set.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}")
        found += folder.glob(f"*{SUFFIX}")
    if not found:
        raise FileNotFoundError(f"no *{SUFFIX} in {', '.join(map(str, folders))}")
    return sorted(found, key=lambda path: path.stat().st_size)


def name_of(path: Path) -> str:
    """The name of the data set in a file."""
    return path.name.removesuffix(SUFFIX)


def read_features(path: Path) -> pd.DataFrame:
    """Reads a CSV file; only an empty cell is missing."""
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    words = frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]
    return frame.astype({name: object for name in words})


def load(path: Path) -> DataSet:
    """Reads a data set."""
    frame = read_features(path)
    if TARGET not in frame or not frame[TARGET].isin([0, 1]).all():
        raise ValueError(f"{path}: the column {TARGET} must be there and hold 0 or 1 only")
    return DataSet(name_of(path), frame.drop(columns=TARGET), frame[TARGET].to_numpy(dtype=int))


def folds(data: DataSet, first: int = FOLDS) -> Iterator[Fold]:
    """The first of the five folds: the same rows for every tool."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    for number, (train, test) in enumerate(splitter.split(data.features, data.labels)):
        if number == first:
            return
        yield Fold(
            number,
            data.features.iloc[train].reset_index(drop=True),
            data.labels[train],
            data.features.iloc[test].reset_index(drop=True),
            data.labels[test],
        )


def repeated(frame: pd.DataFrame, at_least: int) -> pd.DataFrame:
    """The whole frame over and over until it has at least so many rows: a call's fixed cost then hardly counts."""
    times = -(-at_least // len(frame))
    return pd.concat([frame] * times, ignore_index=True)
