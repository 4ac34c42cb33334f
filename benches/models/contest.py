"""One tool on one data set: trained on each fold, measured on the rest, and timed."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clock import Clock, seconds
from data import TARGET, DataSet, Fold, folds, read_features, repeated
from measures import Measures, measure
from program import Yuxin, in_process_micros
from tools import TOOLS, Tool

MEMORY_ROWS = 50_000
FILE_ROWS = 200_000
MEMORY_RUNS = 3
YUXIN_KINDS = {"yuxin-additive": "additive", "yuxin-scorecard": "scorecard"}
TITLES = {
    "yuxin-additive": "Yuxin additive",
    "yuxin-scorecard": "Yuxin scorecard",
    **{name: title for name, (title, _) in TOOLS.items()},
}


@dataclass
class Result:
    """What a tool did on a data set; the speeds are those of the first fold's model."""

    data: str
    model: str
    measures: list[Measures] = field(default_factory=list)
    train_seconds: list[float] = field(default_factory=list)
    memory_micros: float | None = None
    file_rows_a_second: float | None = None
    failure: str | None = None

    def mean(self, name: str) -> float:
        """The mean of a measure over the folds."""
        return statistics.fmean(getattr(each, name) for each in self.measures)

    def train_mean(self) -> float:
        """The mean seconds to train a fold."""
        return statistics.fmean(self.train_seconds)


def compete(data: DataSet, model: str, yuxin: Yuxin, clock: Clock, first_folds: int, repeat: int) -> Result:
    """Trains, measures and times a tool on a data set; a tool that fails says why in its result."""
    result = Result(data.name, model)
    with tempfile.TemporaryDirectory(prefix="yuxin-bench-") as place:
        for fold in folds(data, first_folds):
            try:
                if model in YUXIN_KINDS:
                    with_yuxin(result, fold, yuxin, YUXIN_KINDS[model], clock, Path(place), repeat)
                else:
                    with_python(result, fold, TOOLS[model][1], clock, Path(place), repeat)
            except Exception as failure:  # whatever a tool raises: the others go on
                result.failure = f"fold {fold.number}: {type(failure).__name__}: {failure}"
                break
    return result


def with_python(result: Result, fold: Fold, make: Callable[[], Tool], clock: Clock, place: Path, repeat: int) -> None:
    """One fold of a Python tool."""
    tools = [make() for _ in range(repeat)]
    taken = [seconds(clock, partial(tool.fit, fold.train, fold.train_labels)) for tool in tools]
    result.train_seconds.append(statistics.median(taken))
    tool = tools[-1]
    predicted = tool.predict(tool.ready(fold.test))
    result.measures.append(measure(fold.test_labels, predicted))
    if fold.number > 0:
        return
    rows = tool.ready(repeated(fold.test, MEMORY_ROWS))
    tool.predict(rows)
    in_memory = seconds(clock, lambda: tool.predict(rows), max(repeat, MEMORY_RUNS))
    result.memory_micros = 1e6 * in_memory / len(rows)

    source, out = place / "rows.csv", place / "scored.csv"
    many = repeated(fold.test, FILE_ROWS)
    many.to_csv(source, index=False)

    def from_file_to_file() -> None:
        read = read_features(source)
        read["pd"] = tool.predict(tool.ready(read))
        read.to_csv(out, index=False)

    result.file_rows_a_second = len(many) / seconds(clock, from_file_to_file, repeat)


def with_yuxin(result: Result, fold: Fold, yuxin: Yuxin, kind: str, clock: Clock, place: Path, repeat: int) -> None:
    """One fold of Yuxin."""
    train, test = place / "train.csv", place / "test.csv"
    model, out = place / f"{kind}.json", place / "scored.csv"
    fold.train.assign(**{TARGET: fold.train_labels}).to_csv(train, index=False)
    fold.test.to_csv(test, index=False)
    result.train_seconds.append(seconds(clock, lambda: yuxin.train(kind, train, model), repeat))
    result.measures.append(measure(fold.test_labels, yuxin.probabilities(model, test, out)))
    if fold.number > 0:
        return
    many = repeated(fold.test, FILE_ROWS)
    many.to_csv(test, index=False)
    yuxin.score(model, test, out)
    result.file_rows_a_second = len(many) / seconds(clock, lambda: yuxin.score(model, test, out), repeat)
    result.memory_micros = in_process_micros(model, test)
