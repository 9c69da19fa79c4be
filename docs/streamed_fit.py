#!/usr/bin/env python3
"""Time and anonymous memory of `cupel pca fit` on 2 GB, and its difference from a fit in memory.

  python3 docs/streamed_fit.py target/release/cupel FOLDER

needs NumPy and 5 GB in FOLDER; prints one line of JSON.
"""

import json
import pathlib
import subprocess
import sys
import time

import numpy

CHANNELS, ROWS, MODES = 128, 1 << 22, 7


def samples(path):
    """Smooth foregrounds 10^4 times a white signal, in chunks, so that this script needs no more memory than the program."""
    random = numpy.random.default_rng(1)
    nu = numpy.linspace(0.5, 0.6, CHANNELS)
    spectra = numpy.stack([nu**-2.6, nu**-2.1, numpy.log(nu) * nu**-2.6, nu**-4.0])
    array = numpy.lib.format.open_memmap(path, mode="w+", dtype=numpy.float32, shape=(ROWS, CHANNELS))
    for start in range(0, ROWS, 1 << 17):
        amplitudes = random.normal(size=(1 << 17, 4)) * [1e4, 1e3, 1e2, 10]
        array[start : start + (1 << 17)] = amplitudes @ spectra + random.normal(size=(1 << 17, CHANNELS))
    array.flush()
    return array


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    path = folder / "samples.npy"
    array = numpy.load(path, mmap_mode="r") if path.is_file() else samples(path)
    command = [program, "pca", "fit", path, "--axis", "1", "--modes", str(MODES), "--out", folder / "fit.npz", "--force", "--json", "--quiet"]
    start = time.time()
    run = subprocess.Popen(command, stdout=subprocess.PIPE)
    anonymous = 0
    while run.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{run.pid}/status").read_text()
        except OSError:
            break
        lines = [line.split() for line in status.splitlines() if line.startswith("RssAnon")]
        anonymous = max([anonymous] + [int(line[1]) for line in lines])
        time.sleep(0.01)
    fitted = json.loads(run.communicate()[0])
    seconds = time.time() - start
    mean = sum(array[i : i + (1 << 18)].sum(0, dtype=numpy.float64) for i in range(0, ROWS, 1 << 18)) / ROWS
    covariance = numpy.zeros((CHANNELS, CHANNELS))
    for i in range(0, ROWS, 1 << 18):
        deviations = array[i : i + (1 << 18)].astype(numpy.float64) - mean
        covariance += deviations.T @ deviations
    values = numpy.linalg.eigvalsh(covariance / (ROWS - 1))[::-1]
    difference = numpy.abs(numpy.array(fitted["eigenvalues"]) - values).max() / values[0]
    print(json.dumps({"seconds": seconds, "anonymous_mib": anonymous / 1024, "eigenvalues_to_first": difference}))


if __name__ == "__main__":
    main()
