"""What a second is: on the wall, or of the processor, which other work on the machine does not lengthen."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable

Clock = Callable[[], float]


def cpu() -> float:
    """The seconds of processor that this process and the programs it waited for have used."""
    programs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + programs.ru_utime + programs.ru_stime


CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": cpu}


def seconds(clock: Clock, run: Callable[[], object], times: int = 1) -> float:
    """The median of the seconds that a call takes."""
    taken = []
    for _ in range(times):
        began = clock()
        run()
        taken.append(clock() - began)
    return statistics.median(taken)
