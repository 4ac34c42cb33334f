"""The tables in Markdown, with what they were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

from contest import FILE_ROWS, MEMORY_ROWS, TITLES, Result
from data import DataSet

PACKAGES = ("scikit-learn", "optbinning", "interpret-core", "lightgbm", "xgboost-cpu", "numpy", "pandas")
NONE = "–"

Value = Callable[[Result], float | None]
RATIOS: tuple[tuple[str, str, str, Value], ...] = (
    ("Seconds to train, Yuxin additive / EBM", "yuxin-additive", "ebm", Result.train_mean),
    ("Seconds to train, Yuxin scorecard / optbinning", "yuxin-scorecard", "optbinning", Result.train_mean),
    ("Rows a second CSV to CSV, Yuxin additive / LightGBM", "yuxin-additive", "lightgbm", lambda r: r.file_rows_a_second),
    ("Rows a second CSV to CSV, Yuxin scorecard / LightGBM", "yuxin-scorecard", "lightgbm", lambda r: r.file_rows_a_second),
    ("Rows a second in memory, Yuxin additive / LightGBM", "yuxin-additive", "lightgbm", lambda r: speed(r.memory_micros)),
    ("Rows a second in memory, Yuxin scorecard / LightGBM", "yuxin-scorecard", "lightgbm", lambda r: speed(r.memory_micros)),
    ("AUC, Yuxin additive − EBM", "yuxin-additive", "ebm", lambda r: r.mean("auc")),
    ("AUC, Yuxin additive − LightGBM", "yuxin-additive", "lightgbm", lambda r: r.mean("auc")),
    ("AUC, Yuxin scorecard − optbinning", "yuxin-scorecard", "optbinning", lambda r: r.mean("auc")),
    (
        "AUC, Yuxin scorecard − optbinning, missing by its own weight",
        "yuxin-scorecard",
        "optbinning-missing",
        lambda r: r.mean("auc"),
    ),
)


def speed(micros: float | None) -> float | None:
    """Rows a second from microseconds a row."""
    return None if micros is None else 1e6 / micros


def cpu_model() -> str:
    """The processor as the system names it."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def facts(date: str, yuxin_version: str, load: float, first_folds: int, repeat: int, clock: str) -> list[str]:
    """The machine, the versions and how it was measured."""
    kind = "on the wall" if clock == "wall" else "of the processor, which other work on the machine does not lengthen"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return [
        f"- Measured {date} on {os.cpu_count()} cores, {cpu_model()}, {platform.system()} {platform.machine()}; load average at"
        f" the start {load:.1f}. Every tool was held to one core and one thread.",
        f"- {yuxin_version}; Python {platform.python_version()}; {versions}.",
        f"- scikit-learn's `StratifiedKFold(5, shuffle=True, random_state=7)`, {first_folds} of its folds; a value is the mean"
        f" over these. Seconds are {kind}, medians of {repeat}.",
        "- LightGBM and XGBoost: 300 trees, rate 0.05; else each tool's defaults.",
        "- AUC, KS, Brier and ECE (ten bins by quantile) come from one function over each tool's probabilities.",
        "- *Train s*: for the Python tools fitting in memory; for Yuxin the whole command, reading the CSV file included.",
        f"- *µs a row in memory*: at least {MEMORY_ROWS:,} rows of the first test fold, typed for the tool and after a warm-up;"
        " for Yuxin what the benchmark `score` measures inside the process, and a dash where that was not run.",
        f"- *Rows/s, CSV to CSV*: at least {FILE_ROWS:,} rows of the first test fold from one CSV file into another with the"
        " probability added, reading and writing included: `yuxin score` on one thread, which also writes score, grade and"
        " reasons, and for the Python tools pandas around the prediction, with the program already loaded.",
    ]


def number(value: float | None, digits: int) -> str:
    """A number or a dash."""
    return NONE if value is None else f"{value:,.{digits}f}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table whose first column is text and whose others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def details(data: DataSet, results: list[Result]) -> list[str]:
    """The table of one data set."""
    rows = []
    for result in results:
        if result.failure is not None:
            rows.append([TITLES[result.model], *["failed"] * 4, *[NONE] * 3])
            continue
        measures = [number(result.mean(name), 4) for name in ("auc", "ks", "brier", "ece")]
        times = [number(result.train_mean(), 2), number(result.memory_micros, 2), number(result.file_rows_a_second, 0)]
        rows.append([TITLES[result.model], *measures, *times])
    text, bad = len(data.text), 100.0 * data.labels.mean()
    about = f"{len(data.labels):,} rows, {data.features.shape[1]} columns, {text} of them text, {bad:.1f} % bad."
    head = ["", "AUC", "KS", "Brier", "ECE", "Train s", "µs a row in memory", "Rows/s, CSV to CSV"]
    return [f"## {data.name}", "", about, "", *table(head, rows), ""]


def overview(results: list[Result], models: list[str]) -> list[str]:
    """The mean AUC of every tool on every data set, and over the sets where every tool has one."""
    by_data: dict[str, dict[str, Result]] = {}
    for result in results:
        if result.failure is None:
            by_data.setdefault(result.data, {})[result.model] = result
    rows = []
    for name, of in by_data.items():
        rows.append([name, *(number(of[model].mean("auc") if model in of else None, 4) for model in models)])
    complete = [of for of in by_data.values() if all(model in of for model in models)]
    if complete:
        means = (statistics.fmean(of[model].mean("auc") for of in complete) for model in models)
        rows.append([f"**mean of {len(complete)}**", *(number(mean, 4) for mean in means)])
    return ["## Mean AUC", "", *table(["", *(TITLES[model] for model in models)], rows), ""]


def ratios(results: list[Result]) -> list[str]:
    """The medians over the data sets of one tool's value against another's."""
    by_key = {(result.data, result.model): result for result in results if result.failure is None}
    names = dict.fromkeys(result.data for result in results)
    rows = []
    for title, one, other, value in RATIOS:
        found = []
        for name in names:
            if (name, one) in by_key and (name, other) in by_key:
                ours, theirs = value(by_key[name, one]), value(by_key[name, other])
                if ours is not None and theirs is not None:
                    found.append(ours - theirs if title.startswith("AUC") else ours / theirs)
        if found:
            digits = 4 if title.startswith("AUC") else 3
            cells = [number(each, digits) for each in (statistics.median(found), min(found), max(found))]
            rows.append([title, *cells, str(len(found))])
    if not rows:
        return []
    return ["## Against each other", "", *table(["", "Median", "Least", "Most", "Data sets"], rows), ""]


def markdown(about: list[str], sets: list[DataSet], models: list[str], results: list[Result], notes: list[str]) -> str:
    """The whole report."""
    lines = ["# Models measured", "", "Written by `benches/models/run`, as it came out.", "", *about, ""]
    lines += overview(results, models) + ratios(results)
    for data in sets:
        lines += details(data, [result for result in results if result.data == data.name])
    failures = [f"{TITLES[r.model]} on {r.data}: {r.failure}" for r in results if r.failure is not None]
    if notes or failures:
        lines += ["## Left out or failed", "", *(f"- {note}" for note in [*notes, *failures]), ""]
    return "\n".join(lines)
