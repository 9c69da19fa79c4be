#!/usr/bin/env python3
"""How many modes `cosmology clean --modes auto` takes, beside the best number for each simulated sky.

  python3 docs/modes.py target/release/cupel SEED...

prints a line a sky: family, instrument, seed, the choice with its correlation, and the best of 2 to 13 modes with its own. The rule was chosen on seed 1.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

FAMILIES = ["sck", "sck-gsm", "spectral-index", "point-sources"]
INSTRUMENTS = {
    "no beam": "",
    "Gaussian beam": "--beam-dish 13.5 --noise-mk 0.02",
    "cosine beam": "--beam-dish 13.5 --beam cosine --noise-mk 0.02",
    "noise": "--noise-mk 0.1",
}


def main():
    program, seeds = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2:]
    for family in FAMILIES:
        for name, instrument in INSTRUMENTS.items():
            for seed in seeds:
                with tempfile.TemporaryDirectory() as folder:

                    def run(line):
                        words = [program, *line.split(), "--json", "--quiet"]
                        return json.loads(subprocess.run(words, cwd=folder, capture_output=True, check=True).stdout)

                    run(f"cosmology simulate --family {family} {instrument} --seed {seed} --out skies")
                    sky = "skies/sky_0000"

                    def r(modes):
                        cleaned = run(f"cosmology clean {sky}/obs.npy --unit mK --side-deg 20 --modes {modes} --out {sky}/{modes}.npy")
                        line = f"cosmology evaluate --truth {sky}/signal_beam.npy --estimate {sky}/{modes}.npy --unit mK --side-deg 20"
                        return run(line)["r"], cleaned["modes"]

                    chosen, best = r("auto"), max(r(modes) for modes in range(2, 14))
                    print(f"{family:<15} {name:<14} {seed}  auto {chosen[1]:>2} {chosen[0]:.3f}  best {best[1]:>2} {best[0]:.3f}", flush=True)


if __name__ == "__main__":
    main()
