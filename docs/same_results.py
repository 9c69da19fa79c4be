"""Runs a fixed list of commands and prints a digest of the results of each; two versions of cupel are compared by their digests.

    python3 docs/same_results.py target/release/cupel > after.json
    python3 docs/same_results.py before.json after.json      # says which commands differ

Needs nothing but Python's standard library. Times, paths and versions are left out; everything else counts to the last bit.
"""

import hashlib
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

SCENE = "unmix simulate --pixels 900 --bands 60 --materials 3 --snr-db 30 --seed 3 --out scene.mat"
TRAIN = "pgx train --demo-data --fractions 0.2,0.1,0.7 --cross-fit 2 --seed 1"
METHODS = {
    "auto": "",
    "edaa": "--restarts 6",
    "vca": "--runs 2",
    "nfindr": "",
    "spa": "--abundance fcls",
    "sunsal": "",
    "linear-ae": "--steps 400",
    "cnnaeu": "--steps 20",
    "misicnet": "--steps 30",
    "deeptrans": "--steps 20",
    "pmm": "",
}
MIXTURES = {
    "svi": "--inference svi --steps 60 --save-samples --predictive-samples 5",
    "nuts": "--inference nuts --predictive-samples 4",
    "brief": "--compat brief --steps 40",
}
COMMANDS = [
    ("simulate", SCENE),
    ("simulate-envi", "unmix simulate --pixels 180000 --bands 200 --materials 4 --seed 5 --format envi --out large.img"),
    *[(f"run-{m}", f"unmix run scene.mat --method {m} {flags} --seed 2 --out run-{m}") for m, flags in METHODS.items()],
    *[(f"run-{m}", f"unmix run scene.mat --method pmm {flags} --abundance own --seed 2 --out run-{m}") for m, flags in MIXTURES.items()],
    ("run-large", "unmix run large.img --method vca --seed 2 --out run-large"),
    ("compare", "unmix compare scene.mat --methods edaa,vca,spa --restarts 3 --runs 2 --seed 2 --out compare"),
    ("evaluate", "unmix evaluate run-vca"),
    ("resume", "unmix run scene.mat --method edaa --restarts 400 --checkpoint-every 5 --seed 4 --out resumed"),
    ("train", f"{TRAIN} --models counts,sites,neighbours,linear,linear-crosses,boosting,network --epochs 3 --out model"),
    ("train-network", f"{TRAIN} --models network --epochs 4 --embedding 16 --hidden 64 --attention 1 --loss focal --out network"),
    ("measure", "pgx evaluate --model model --demo-data --fractions 0.2,0.1,0.7 --part test --bootstrap 20 --members --seed 1"),
    ("predict", "pgx predict --model model --query drug=drug01 --query gene=gene02"),
    ("audit", "pgx audit --demo-data --split random --allow-leakage"),
    ("tune", "pgx tune --demo-data --fractions 0.2,0.1,0.7 --models counts,linear --trials 4 --seed 1 --out study"),
]
# Times, places, and what belongs to a version.
LEFT_OUT = {"seconds", "run_dir", "study", "written", "report", "elapsed_seconds", "out"}


def numbers(value):
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items() if key not in LEFT_OUT}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def content(path):
    """The numbers of a file: of safetensors without their header, which holds settings."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        data = data[8 + int.from_bytes(data[:8], "little"):]
    return hashlib.sha256(data).hexdigest()[:16]


def digest(folder, out, printed):
    result = {"printed": hashlib.sha256(json.dumps(numbers(printed), sort_keys=True).encode()).hexdigest()[:16]}
    place = folder / out
    files = [place] if place.is_file() else sorted(place.glob("*")) + sorted(place.glob("best/*"))
    for path in files:
        if path.suffix in {".npy", ".img", ".safetensors"} or path.name == "evidence.tsv" or path == place:
            result[str(path.relative_to(folder))] = content(path)
    return result


def run(cupel, folder, line):
    done = subprocess.run([cupel, *line.split(), "--json", "--quiet"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{line}: {done.stderr}")
    return json.loads(done.stdout)


def stop_and_resume(cupel, folder, line, out):
    """Stops the run by SIGINT, again and again, as soon as something is saved; then lets it end."""
    stops = 0
    for attempt in range(3):
        child = subprocess.Popen([cupel, *line.split(), "--quiet", "--resume"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sets = folder / out / "checkpoints"
        before = len(list(sets.glob("*/*")))
        while child.poll() is None and len(list(sets.glob("*/*"))) <= before:
            time.sleep(0.005)
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        stops += child.wait() == 130
    return run(cupel, folder, f"{line} --resume"), stops


def measure(cupel):
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, line in COMMANDS:
            words = line.split()
            out = words[words.index("--out") + 1] if "--out" in words else "."
            began = time.time()
            if name == "resume":
                printed, stops = stop_and_resume(cupel, folder, line, out)
                if not stops:
                    sys.exit("the run to be resumed was never stopped")
            else:
                printed = run(cupel, folder, line)
            results[name] = digest(folder, out, printed) if out != "." else {"printed": digest(folder, "none", printed)["printed"]}
            print(f"{name}: {time.time() - began:.1f} s", file=sys.stderr, flush=True)
    return results


def compare(before, after):
    before, after = (json.loads(pathlib.Path(path).read_text()) for path in (before, after))
    differing = 0
    for name in before:
        keys = {key for key in before[name].keys() | after.get(name, {}).keys() if before[name].get(key) != after.get(name, {}).get(key)}
        differing += bool(keys)
        print(f"{name}: {'differs in ' + ', '.join(sorted(keys)) if keys else 'equal'}")
    print(f"{len(before) - differing} of {len(before)} commands give equal bits")


def main():
    if len(sys.argv) == 3:
        compare(sys.argv[1], sys.argv[2])
    else:
        print(json.dumps(measure(str(pathlib.Path(sys.argv[1]).resolve())), indent=1))


main()
