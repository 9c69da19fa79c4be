#!/usr/bin/env python3
"""TensorBoard reads the events of a run, and they are the numbers of metrics.csv; a resumed run takes back later steps.

  events.py CUPEL FOLDER   runs the binary CUPEL in FOLDER, which is replaced; needs the package tensorboard
"""

import csv
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def logged(run, work):
    rows = csv.DictReader((run / "metrics.csv").open())
    return {(row["metric"], int(row["step"])): float(row["value"]) for row in rows if row["work"] == work}


def events(run, work):
    accumulator = EventAccumulator(str(run / "tensorboard" / work))
    accumulator.Reload()
    scalars = ((tag, event) for tag in accumulator.Tags()["scalars"] for event in accumulator.Scalars(tag))
    return {(tag, event.step): event.value for tag, event in scalars}


def check(run, work):
    expected, got = logged(run, work), events(run, work)
    if expected.keys() != got.keys() or not expected:
        sys.exit(f"{run}: steps differ: {sorted(expected.keys() ^ got.keys())}")
    for key, value in expected.items():
        if abs(got[key] - value) > 1e-6 * abs(value):
            sys.exit(f"{run}: {key}: {got[key]} in the events, {value} in metrics.csv")
    return len(expected)


def main():
    cupel, folder = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def run(line, **options):
        return subprocess.Popen([cupel, *line.split()], cwd=folder, stderr=subprocess.DEVNULL, **options)

    scene = "unmix simulate --pixels 4900 --bands 60 --materials 3 --snr-db 30 --seed 1 --out scene.mat"
    assert run(scene).wait() == 0
    line = "unmix run scene.mat --method edaa --restarts 200 --seed 1 --checkpoint-every 5 --out run"
    process = run(line)
    sets = folder / "run" / "checkpoints" / "edaa-seed-1"
    while process.poll() is None and not (sets.is_dir() and any(sets.glob("0*"))):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(line + " --resume").wait() == 0
    count = check(folder / "run", "edaa-seed-1")
    files = len(list((folder / "run" / "tensorboard" / "edaa-seed-1").iterdir()))
    print(f"TensorBoard read {count} numbers from {files} event files, all as in metrics.csv")


main()
