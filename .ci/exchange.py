"""Arrays pass between cupel and NumPy or SciPy in both directions without a changed number.

  exchange.py CUPEL FOLDER     the binary, and a folder that is emptied first
"""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import scipy.io

CUPEL = pathlib.Path(sys.argv[1]).resolve()
FOLDER = pathlib.Path(sys.argv[2])

random = np.random.default_rng(1)
ARRAYS = {
    "f32_3d": random.normal(size=(3, 4, 5)).astype(np.float32),
    "f64_2d": random.normal(size=(7, 2)),
    "u8_2d": random.integers(0, 256, size=(6, 9), dtype=np.uint8),
    "i16_2d": random.integers(-300, 300, size=(2, 8), dtype=np.int16),
    "fortran": np.asfortranarray(random.normal(size=(4, 6))),
    "big_endian": random.normal(size=(3, 3)).astype(">f8"),
    "extremes": np.array([[np.nan, np.inf, -np.inf], [1e-310, 5e-324, 1.7e308]]),
}


def convert(source, target, *options):
    subprocess.run([CUPEL, "data", "convert", source, target, "--quiet", *options], check=True)


def write(path, array):
    match path.suffix:
        case ".npy":
            np.save(path, array)
        case ".npz":
            np.savez_compressed(path, x=array)
        case ".mat":
            scipy.io.savemat(path, {"x": array}, do_compression=True)


def read(path):
    """The one array in the file, whatever cupel called it."""
    match path.suffix:
        case ".npy":
            return np.load(path, allow_pickle=False)
        case ".npz":
            arrays = np.load(path, allow_pickle=False)
        case ".mat":
            arrays = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
    assert len(arrays) == 1, f"{path}: expected one array, got {sorted(arrays)}"
    return next(iter(arrays.values()))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    pairs = 0
    for name, array in ARRAYS.items():
        for source in (".npy", ".npz", ".mat"):
            given = FOLDER / f"{name}_given{source}"
            write(given, array)
            for target in (".npy", ".npz", ".mat"):
                made = FOLDER / f"{name}_{source[1:]}_to{target}"
                convert(given, made)
                got = read(made)
                assert got.dtype.kind == array.dtype.kind, f"{made}: {got.dtype} from {array.dtype}"
                np.testing.assert_array_equal(got, array, err_msg=str(made), strict=False)
                assert got.shape == array.shape, f"{made}: {got.shape} from {array.shape}"
                pairs += 1
    table = FOLDER / "table.csv"
    convert(FOLDER / "f64_2d_given.npy", table)
    np.testing.assert_allclose(np.genfromtxt(table, delimiter=",", skip_header=header(table)), ARRAYS["f64_2d"], rtol=1e-15)
    print(f"{pairs + 1} conversions open in NumPy {np.__version__} and SciPy {scipy.__version__} with equal numbers")


def header(path):
    """A CSV file may name its columns in the first line."""
    try:
        [float(cell) for cell in path.read_text().splitlines()[0].split(",")]
    except ValueError:
        return 1
    return 0


main()
