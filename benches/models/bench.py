"""Yuxin's models beside the usual Python tools on the same folds; started by `benches/models/run`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import data as datasets
import report
import tools
from clock import CLOCKS
from contest import TITLES, YUXIN_KINDS, Result, compete
from program import Yuxin

MODELS = ["yuxin-additive", "yuxin-scorecard", "logistic", "optbinning", "optbinning-missing", "ebm", "lightgbm", "xgboost"]


def names(text: str) -> list[str]:
    """A list of names with commas between them."""
    return [name for name in (part.strip() for part in text.split(",")) if name]


def positive(text: str) -> int:
    """A whole number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="benches/models/run",
        description="Measures Yuxin's models and the usual Python tools on YUXIN_DATA/benchmarks/*.csv.gz, in one run.",
    )
    parser.add_argument("--data", type=names, metavar="NAME,...", help="only these data sets")
    parser.add_argument("--models", type=names, metavar="NAME,...", help=f"only these of {','.join(MODELS)}")
    parser.add_argument("--folds", type=positive, default=datasets.FOLDS, help="only the first folds of five")
    parser.add_argument("--repeat", type=positive, default=1, help="how often a time is taken; the median counts")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="which seconds: cpu where the machine is busy")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="a further folder of *.csv.gz; may repeat")
    parser.add_argument("--out", type=Path, help="where the table goes, beside the standard output")
    parser.add_argument("--raw", type=Path, help="where each result goes at once, a JSON line each")
    parser.add_argument("--date", help="the date in the table; today's where it is not given")
    given = parser.parse_args()
    unknown = [name for name in given.models or [] if name not in MODELS]
    if unknown:
        parser.error(f"no such model: {', '.join(unknown)}; there are {', '.join(MODELS)}")
    if given.folds > datasets.FOLDS:
        parser.error(f"there are {datasets.FOLDS} folds")
    return given


def hold_to_one_core() -> None:
    """Holds this process, and Yuxin which it starts, to one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def chosen_sets(given: argparse.Namespace) -> list[datasets.DataSet]:
    """The data sets asked for, smallest file first."""
    root = os.environ.get("YUXIN_DATA")
    if not root:
        raise FileNotFoundError("YUXIN_DATA is not set: it must name the folder that holds benchmarks/*.csv.gz")
    paths = datasets.find([Path(root) / "benchmarks", *given.folder])
    by_name = {datasets.name_of(path): path for path in paths}
    if len(by_name) < len(paths):
        raise FileNotFoundError("two of the folders hold a data set of the same name")
    absent = [name for name in given.data or [] if name not in by_name]
    if absent:
        raise FileNotFoundError(f"no data set {', '.join(absent)}; there are {', '.join(by_name)}")
    return [datasets.load(path) for name, path in by_name.items() if given.data is None or name in given.data]


def chosen_models(given: argparse.Namespace, yuxin: Yuxin, notes: list[str]) -> list[str]:
    """The models asked for, in the order of the table; without a choice, those that this build of Yuxin knows."""
    models = [name for name in MODELS if given.models is None or name in given.models]
    for name in [name for name in models if name in YUXIN_KINDS]:
        if not yuxin.knows_kind(YUXIN_KINDS[name]):
            notes.append(f"{TITLES[name]}: this build has no `--kind {YUXIN_KINDS[name]}`")
            models.remove(name)
    return models


def main() -> int:
    """Measures and prints; 1 where a tool failed, 2 where there is nothing to measure."""
    given = options()
    tools.quiet()
    load = os.getloadavg()[0]
    hold_to_one_core()
    notes: list[str] = []
    try:
        yuxin = Yuxin(Path(os.environ["YUXIN_BIN"]))
        sets = chosen_sets(given)
        models = chosen_models(given, yuxin, notes)
    except (FileNotFoundError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 2
    date = given.date or subprocess.run(["date", "+%Y-%m-%d"], capture_output=True, text=True, check=True).stdout.strip()
    about = report.facts(date, yuxin.version(), load, given.folds, given.repeat, given.clock)
    results: list[Result] = []
    for data in sets:
        for model in models:
            print(f"{data.name}: {TITLES[model]} ...", end=" ", file=sys.stderr, flush=True)
            result = compete(data, model, yuxin, CLOCKS[given.clock], given.folds, given.repeat)
            results.append(result)
            said = result.failure or f"AUC {result.mean('auc'):.4f}, {result.train_mean():.2f} s a fold"
            print(said, file=sys.stderr, flush=True)
            if given.raw:
                with given.raw.open("a") as raw:
                    raw.write(json.dumps(asdict(result)) + "\n")
    text = report.markdown(about, sets, models, results, notes)
    print(text)
    if given.out:
        given.out.write_text(text)
    return 1 if any(result.failure is not None for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
