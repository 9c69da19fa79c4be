"""Arrays pass between cupel and NumPy or SciPy in both directions without a changed number, images between it and Spectral
Python, and images of astropy and tifffile, HDF5 of h5py and MATLAB 7.3 of hdf5storage are read.

  exchange.py CUPEL FOLDER     the binary, and a folder that is emptied first
"""

import pathlib
import shutil
import subprocess
import sys

import h5py
import hdf5storage
import numpy as np
import scipy.io
import spectral.io.envi
import tifffile
from astropy import __version__ as astropy_version
from astropy.io import fits

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
    images = envi() + others()
    versions = f"Spectral Python {spectral.__version__}, tifffile {tifffile.__version__} and astropy {astropy_version}"
    print(f"{images} images pass between cupel and {versions} with equal numbers")
    print(f"{hdf5()} data sets of h5py {h5py.__version__} (HDF5 {h5py.version.hdf5_version}) are read with equal numbers")
    print(f"{matlab()} arrays of hdf5storage {hdf5storage.__version__} are read as MATLAB 7.3 with equal numbers")


WAVELENGTHS = [400.0, 550.25, 1000 / 1.5, 2500.0]


def image(kind):
    """Rows, columns and bands of different lengths."""
    if np.dtype(kind).kind in "fc":
        return random.normal(size=(6, 5, 4)).astype(kind)
    return random.integers(0, 100, size=(6, 5, 4)).astype(kind)


def envi():
    count = 0
    for kind in ("u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        array = image(kind)
        scipy.io.savemat(FOLDER / "image.mat", {"image": array, "wavelength": WAVELENGTHS})
        for interleave in ("bsq", "bil", "bip"):
            made = FOLDER / f"envi_{kind}.{interleave}"
            convert(FOLDER / "image.mat", made, "--variable", "image", "--force")
            opened = spectral.io.envi.open(made.with_suffix(".hdr"), made)
            np.testing.assert_array_equal(np.asarray(opened.open_memmap(interleave="bip")), array, err_msg=str(made))
            assert opened.metadata["interleave"] == interleave and opened.dtype == np.dtype(kind), opened.metadata
            np.testing.assert_allclose(opened.bands.centers, WAVELENGTHS, rtol=1e-15)
            back = FOLDER / f"envi_{kind}_{interleave}_back.npy"
            for order in (0, 1):
                header = FOLDER / f"spectral_{kind}_{interleave}_{order}.hdr"
                options = {"dtype": kind, "interleave": interleave, "byteorder": order, "ext": "img"}
                spectral.io.envi.save_image(str(header), array, **options)
                convert(header, back, "--variable", header.stem, "--force")
                np.testing.assert_array_equal(np.load(back), array, err_msg=str(header))
            count += 3
    return count


def others():
    count = 0
    for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        array, back = image(kind), FOLDER / "back.npy"
        fits.writeto(FOLDER / f"{kind}.fits", array, checksum=True)
        convert(FOLDER / f"{kind}.fits", back, "--force")
        np.testing.assert_array_equal(np.load(back), array, err_msg=f"FITS, {kind}")
        count += 1
    for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"):
        array = image(kind)
        for options in ({}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"}):
            tifffile.imwrite(FOLDER / "x.tif", array, photometric="minisblack", planarconfig="contig", **options)
            convert(FOLDER / "x.tif", back, "--force")
            np.testing.assert_array_equal(np.load(back), array, err_msg=f"TIFF, {kind}, {options}")
            count += 1
    return count


KINDS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16", "?")


def hdf5():
    count = 0
    storages = [
        {},
        {"chunks": (4, 3, 2)},
        {"chunks": (4, 3, 2), "compression": "gzip", "compression_opts": 9},
        {"chunks": (5, 5, 4), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (2, 2, 2), "maxshape": (None, 5, None), "fletcher32": True},
        {"chunks": (2, 2, 2), "maxshape": (None, None, None), "shuffle": True},
    ]
    for version in ("earliest", "latest"):
        file, back = FOLDER / f"{version}.h5", FOLDER / "hdf5.npy"
        given = {}
        with h5py.File(file, "w", libver=version, userblock_size=512 if version == "latest" else 0) as target:
            for order in "<>":
                for kind in KINDS:
                    name = f"group/{'big' if order == '>' else 'little'}_{kind.strip('?') or 'b1'}"
                    given[name] = image(kind if kind[0] != "?" else "u1").astype(np.dtype(kind).newbyteorder(order))
                    target.create_dataset(name, data=given[name], **storages[count % len(storages)])
                    count += 1
        for name, array in given.items():
            convert(file, back, "--variable", name, "--force")
            np.testing.assert_array_equal(np.load(back), array, err_msg=f"{file} {name}")
    return count


def matlab():
    """Reversed axes, logicals, complex numbers and structs by the hands of others."""
    given = {f"x{kind}": image(kind) for kind in KINDS if kind not in ("f2", "c8", "c16", "?")}
    given |= {"z": image("f8") + 1j * image("f8"), "truth": image("u1") > 50, "s": {"Y": image("f4")[0]}}
    hdf5storage.savemat(str(FOLDER / "storage.mat"), given, format="7.3", oned_as="row")
    back = FOLDER / "matlab.npy"
    for name, array in given.items():
        name, array = ("s.Y", array["Y"]) if name == "s" else (name, array)
        convert(FOLDER / "storage.mat", back, "--variable", name, "--force")
        got = np.load(back)
        assert got.dtype == array.dtype, f"{name}: {got.dtype} from {array.dtype}"
        np.testing.assert_array_equal(got, array, err_msg=f"MATLAB 7.3, {name}")
    return len(given)


def header(path):
    """A CSV file may name its columns in the first line."""
    try:
        [float(cell) for cell in path.read_text().splitlines()[0].split(",")]
    except ValueError:
        return 1
    return 0


main()
