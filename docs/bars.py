"""Measures cupel's unmixing on the published scenes and prints the table of docs/results.md.

    python3 docs/bars.py target/release/cupel FOLDER_OF_SCENES [METHODS]

Needs nothing but Python's standard library. Means over seeds 1 to 5, default settings, the same for every scene.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

METHODS = ["auto", "pmm", "edaa", "vca", "nfindr", "spa"]


def compare(cupel, scratch, scene, extra, methods, seed, runs):
    out = scratch / f"{pathlib.Path(scene).stem}-{seed}-{len(list(scratch.iterdir()))}"
    command = [cupel, "unmix", "compare", scene, *extra, "--methods", ",".join(methods), "--runs", str(runs),
               "--seed", str(seed), "--out", str(out), "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["rows"]


def row(label, entry):
    def cell(spread):
        return f"{spread['mean']:.4f} ± {spread['sd']:.4f}" if spread else "-"

    errors = entry["abundance_rmse"]
    cells = [cell(entry["mean_sad_rad"]), *(cell(errors.get(k)) for k in ("fcls", "unit_max", "rescaled")),
             f"{entry['seconds']['mean']:.2f}"]
    print(f"| {label} | {entry['method']} | " + " | ".join(cells) + " |", flush=True)


def pooled(entries):
    """One row over several scenes: mean and sample standard deviation of their means."""
    def spread(values):
        mean = sum(values) / len(values)
        return {"mean": mean, "sd": (sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1)) ** 0.5}

    keys = ("fcls", "unit_max", "rescaled")
    return {
        "method": entries[0]["method"],
        "mean_sad_rad": spread([e["mean_sad_rad"]["mean"] for e in entries]),
        "abundance_rmse": {k: spread([e["abundance_rmse"][k]["mean"] for e in entries]) for k in keys},
        "seconds": spread([e["seconds"]["mean"] for e in entries]),
        "coverage_90": spread([e["coverage_90"]["mean"] for e in entries]) if entries[0]["coverage_90"] else None,
    }


def simulated(cupel, scratch, scenes, name, decibels, seed):
    """A scene mixed from the DeepTrans truth of this name."""
    scene = str(scratch / f"{name}-{decibels}-{seed}.mat")
    parts = [str(scenes / f"deeptrans_results_{what}_{name}.mat") for what in ("Endmembers", "Abundance")]
    subprocess.run([cupel, "unmix", "simulate", "--endmembers", parts[0], "--abundances", parts[1], "--snr-db", str(decibels),
                    "--seed", str(seed), "--out", scene, "--quiet", "--force"], check=True, capture_output=True)
    return scene


def main():
    cupel, scenes = sys.argv[1], pathlib.Path(sys.argv[2])
    methods = sys.argv[3].split(",") if len(sys.argv) > 3 else METHODS
    deeptrans = [str(scenes / f"deeptrans_results_{what}_Samson.mat") for what in ("Endmembers", "Abundance")]
    samson = str(scenes / "samson_hu_autoencoders.mat")
    print("| scene | method | mean SAD (rad) | RMSE fcls | RMSE unit-max | RMSE rescaled | seconds |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for label, scene, extra in [
            ("Samson, Zhu truth", samson, []),
            ("Samson, DeepTrans truth", samson, ["--truth", *deeptrans]),
            ("Jasper Ridge", str(scenes / "jasper_upcgit.mat"), []),
        ]:
            for entry in compare(cupel, scratch, scene, extra, methods, 1, 5):
                row(label, entry)
        apex = {}
        for decibels in (20, 30):
            by_method = apex[decibels] = {}
            for seed in range(1, 6):
                scene = simulated(cupel, scratch, scenes, "Apex", decibels, seed)
                for entry in compare(cupel, scratch, scene, [], methods, seed, 1):
                    by_method.setdefault(entry["method"], []).append(entry)
            for entries in by_method.values():
                row(f"semi-synthetic Apex, {decibels} dB", pooled(entries))
        print("\n| intervals of 90 % | hold | endmembers before (rad) | after (rad) |")
        print("|---|---|---|---|")
        for name in ("Samson", "Apex"):
            for decibels in (20, 30, 40):
                found = apex.get(decibels, {}) if name == "Apex" else {}
                for seed in [] if "pmm" in found and "auto" in found else range(1, 6):
                    scene = simulated(cupel, scratch, scenes, name, decibels, seed)
                    for entry in compare(cupel, scratch, scene, [], ["auto", "pmm"], seed, 1):
                        found.setdefault(entry["method"], []).append(entry)
                auto, pmm = (pooled(found[method]) for method in ("auto", "pmm"))
                cells = [f"{100 * pmm['coverage_90']['mean']:.1f} ± {100 * pmm['coverage_90']['sd']:.1f} %"]
                cells += [f"{e['mean_sad_rad']['mean']:.4f} ± {e['mean_sad_rad']['sd']:.4f}" for e in (auto, pmm)]
                print(f"| {name}'s endmembers, {decibels} dB | " + " | ".join(cells) + " |", flush=True)


main()
