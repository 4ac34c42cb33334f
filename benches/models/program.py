"""Yuxin through its own command line, as its users train and score: files in, files out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from data import TARGET

SCORE_BENCH = Path("benches/score.rs")
SCORE_BENCH_LINE = re.compile(r"([\d.]+) microseconds a row")
SEED = 1


class YuxinFailed(RuntimeError):
    """The program said no; the message holds its last words."""


@dataclass(frozen=True)
class Yuxin:
    """A built program."""

    program: Path

    def run(self, *words: str) -> str:
        """Runs a command and returns what it prints."""
        done = subprocess.run([str(self.program), *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise YuxinFailed(f"yuxin {words[0]}: {' '.join(said[-2:])}")
        return done.stdout

    def version(self) -> str:
        """The version of the program."""
        return self.run("--version").strip()

    def knows_kind(self, kind: str) -> bool:
        """Whether this build trains such models."""
        return re.search(rf"^\s+- {re.escape(kind)}:", self.run("train", "--help"), re.MULTILINE) is not None

    def train(self, kind: str, data: Path, model: Path) -> None:
        """Trains a model from a CSV file."""
        words = ("--data", str(data), "--target", TARGET, "--out", str(model), "--kind", kind, "--seed", str(SEED))
        self.run("train", *words)

    @cached_property
    def one_thread(self) -> tuple[str, ...]:
        """The option that holds scoring to one thread; a build without it uses what the process is held to: one core."""
        return ("--threads", "1") if "--threads" in self.run("score", "--help") else ()

    def score(self, model: Path, data: Path, out: Path) -> None:
        """Scores a CSV file into another on one thread."""
        self.run("score", "--model", str(model), "--data", str(data), "--out", str(out), *self.one_thread)

    def probabilities(self, model: Path, data: Path, out: Path) -> np.ndarray:
        """The probability of a bad outcome of each row of a file."""
        self.score(model, data, out)
        return np.asarray(pd.read_csv(out, usecols=["pd"])["pd"], dtype=float)


def in_process_micros(model: Path, data: Path) -> float | None:
    """Microseconds a row inside the process, from the benchmark `score`; None where that gave none.

    The benchmark is given the model and the rows by YUXIN_BENCH_MODEL and YUXIN_BENCH_DATA, and must print the line
    `N microseconds a row`. A build that was handed over has no benchmark beside it.
    """
    if "YUXIN_BUILT" not in os.environ or not SCORE_BENCH.exists() or "YUXIN_BENCH_MODEL" not in SCORE_BENCH.read_text():
        return None
    given = {"YUXIN_BENCH_MODEL": str(model.resolve()), "YUXIN_BENCH_DATA": str(data.resolve())}
    command = ["cargo", "bench", "--locked", "--bench", "score"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **given})
    line = SCORE_BENCH_LINE.search(done.stdout)
    if done.returncode != 0 or line is None:
        print(f"cargo bench --bench score: {' '.join(done.stderr.strip().splitlines()[-2:])}", file=sys.stderr)
        return None
    return float(line[1])
