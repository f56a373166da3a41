"""How many images a second an engine runs by itself, asked by several threads at once; what benchmarks measure with."""

import threading
import time

import numpy as np
import numpy.typing as npt

from regnety.inference.engines.registry import Engine


def throughput(engine: Engine, batch: npt.NDArray[np.uint8], *, workers: int, seconds: float) -> float:
    """Images a second, over so many seconds or one run of each thread."""
    runs = [0] * workers
    begin = time.perf_counter()

    def work(worker: int) -> None:
        while not runs[worker] or time.perf_counter() - begin < seconds:
            engine.run(batch)
            runs[worker] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(runs) * len(batch) / (time.perf_counter() - begin)
