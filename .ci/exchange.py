"""Arrays pass between cupel and NumPy or SciPy in both directions without a changed number, images between it and Spectral
Python, images and skies with their world coordinates between it and astropy, and tables of astropy, images of tifffile, HDF5 of h5py, visibilities among it, and MATLAB 7.3 of hdf5storage are read. What rasterio, which is GDAL, sees of places, missing values and wavelengths is what was written, in both
directions.

  exchange.py CUPEL FOLDER     the binary, and a folder that is emptied first
"""

import json
import pathlib
import shutil
import subprocess
import sys

import h5py
import hdf5storage
import numpy as np
import rasterio
import rasterio.control
import scipy.io
import spectral.io.envi
import tifffile
from astropy import __version__ as astropy_version
from astropy.io import fits
from astropy.wcs import WCS
from rasterio.transform import Affine

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
    versions = f"rasterio {rasterio.__version__} (GDAL {rasterio.__gdal_version__})"
    print(f"{rasters()} images of {versions} are read with equal numbers and masks")
    print(f"{places()} images lie for {versions} and Spectral Python where they lay, with their missing values and wavelengths")
    print(f"{runs()} maps of runs lie for {versions} where their scene lies")
    print(f"{skies()} skies come back to astropy {astropy_version} with equal numbers, world coordinates, units and beams")
    print(f"{tables()} columns of tables of astropy {astropy_version} are read with equal numbers")
    print(f"{hdf5()} data sets of h5py {h5py.__version__} (HDF5 {h5py.version.hdf5_version}) are read with equal numbers")
    print(f"{visibilities()} variables of files of visibilities, with records, booleans and pairs of integers, are what h5py reads")
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
        convert(back, FOLDER / "made.fits", "--force")
        with fits.open(FOLDER / "made.fits", checksum=True) as made:
            made.verify("exception")
            assert made[0].data.dtype.newbyteorder("=") == array.dtype, f"FITS, {kind}: {made[0].data.dtype}"
            np.testing.assert_array_equal(made[0].data, array, err_msg=f"FITS written, {kind}")
        count += 1
    for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"):
        array = image(kind)
        for options in ({}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"}):
            tifffile.imwrite(FOLDER / "x.tif", array, photometric="minisblack", planarconfig="contig", **options)
            convert(FOLDER / "x.tif", back, "--force")
            np.testing.assert_array_equal(np.load(back), array, err_msg=f"TIFF, {kind}, {options}")
            count += 1
    return count


STRAIGHT = Affine(30, 0, 500000, 0, -30, 4000000)
TURNED = Affine(30, 0, 500000, 0, -30, 4000000) * Affine.rotation(20)
DEGREES = Affine(0.01, 0, 10, 0, -0.02, 50)
# Coordinate systems that ENVI has words for, and others.
SYSTEMS = [(32633, STRAIGHT), (32733, STRAIGHT), (26911, STRAIGHT), (25832, STRAIGHT), (32601, TURNED), (4326, DEGREES), (4258, DEGREES)]
WITHOUT_WORDS = [(3035, STRAIGHT), (3857, STRAIGHT)]


def raster(path, array, **options):
    """Bands first, as rasterio has them."""
    shape = {"count": array.shape[2], "height": array.shape[0], "width": array.shape[1]}
    with rasterio.open(path, "w", driver="GTiff", dtype=array.dtype, **shape, **options) as target:
        target.write(array.transpose(2, 0, 1))
        return path


def rasters():
    """What GDAL writes in its many ways is read."""
    count, back = 0, FOLDER / "raster.npy"
    big = random.integers(0, 200, size=(70, 50, 4))
    for kind in ("u1", "i2", "u2", "i4", "u4", "f4", "f8"):
        array = big.astype(kind)
        ways = [{}, {"compress": "deflate"}, {"compress": "lzw"}, {"compress": "packbits"}, {"bigtiff": "YES"}, {"interleave": "pixel"}]
        ways += [{"tiled": True, "blockxsize": 16, "blockysize": 32, "compress": "deflate", "interleave": "pixel"}]
        if np.dtype(kind).itemsize < 8:
            ways += [{"compress": "lzw", "predictor": 2}, {"compress": "deflate", "predictor": 2, "tiled": True, "blockxsize": 16, "blockysize": 16}]
        if np.dtype(kind).kind == "f":
            ways += [{"compress": "deflate", "predictor": 3}]
        for options in ways:
            made = raster(FOLDER / "raster.tif", array, crs="EPSG:32633", transform=STRAIGHT, **options)
            convert(made, back, "--force")
            np.testing.assert_array_equal(np.load(back), array, err_msg=f"{kind}, {options}")
            count += 1
    mask = random.integers(0, 2, size=(70, 50)).astype(bool)
    for options in ({}, {"tiled": True, "blockxsize": 16, "blockysize": 16}):
        made = FOLDER / "masked.tif"
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            raster(made, big.astype("u2"), **options)
            with rasterio.open(made, "r+") as target:
                target.write_mask(mask)
                target.build_overviews([2])
        convert(made, back, "--force")
        np.testing.assert_array_equal(np.load(back), big, err_msg=f"mask, {options}")
        cupel("data", "mask", made, "--mask", f"{made}:mask", "--out", FOLDER / "masked.img", "--force")
        with rasterio.open(FOLDER / "masked.img") as found:
            seen = found.read_masks(1) > 0
            np.testing.assert_array_equal(seen, mask, err_msg=f"mask, {options}")
            np.testing.assert_array_equal(found.read().transpose(1, 2, 0)[mask], big[mask])
        count += 2
    return count


def cupel(*words):
    done = subprocess.run([CUPEL, *words], capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout + done.stderr


def seen(path, epsg, transform, what):
    """CRS and corners by rasterio."""
    with rasterio.open(path) as found:
        assert found.crs is not None and found.crs.to_epsg(confidence_threshold=20) == epsg, f"{what}: {found.crs} is not EPSG:{epsg}"
        for corner in ((0, 0), (found.width, 0), (0, found.height), (found.width, found.height)):
            np.testing.assert_allclose(found.transform * corner, transform * corner, rtol=1e-9, atol=1e-6, err_msg=what)
        return found.nodata, found.descriptions, [found.tags(band) for band in found.indexes], [found.tags(band, ns="IMAGERY") for band in found.indexes]


def places():
    """Images keep their places, missing values, names and wavelengths from TIFF to ENVI and back, and when they are cut."""
    count = 0
    array = random.integers(1, 100, size=(12, 9, 4)).astype("i2")
    array[2, 3] = -9999
    for epsg, transform in SYSTEMS + WITHOUT_WORDS:
        given = raster(FOLDER / "place.tif", array, crs=f"EPSG:{epsg}", transform=transform, nodata=-9999)
        with rasterio.open(given, "r+") as target:
            for band, nm in enumerate(WAVELENGTHS, 1):
                target.update_tags(band, wavelength=str(nm), wavelength_units="Nanometers")
                target.set_band_description(band, f"band {band}")
        made = FOLDER / "place.img"
        told = cupel("data", "convert", given, made, "--force")
        assert ("coordinate system" in told) == ((epsg, transform) in WITHOUT_WORDS), f"EPSG:{epsg}: {told}"
        chain = [("place_again.tif", given, transform)]
        if (epsg, transform) in SYSTEMS:
            seen(made, epsg, transform, f"ENVI, EPSG:{epsg}")
            chain += [("place_back.tif", made, transform)]
        for name, source, transform in chain:
            target = FOLDER / name
            cupel("data", "convert", source, target, "--force")
            nodata, names, tags, imagery = seen(target, epsg, transform, f"{name}, EPSG:{epsg}")
            assert nodata == -9999 and names == ("band 1", "band 2", "band 3", "band 4"), (nodata, names)
            np.testing.assert_allclose([float(tag["wavelength"]) for tag in tags], WAVELENGTHS, rtol=1e-12)
            np.testing.assert_allclose([1000 * float(tag["CENTRAL_WAVELENGTH_UM"]) for tag in imagery], WAVELENGTHS, rtol=1e-9)
            part = FOLDER / "place_part.tif"
            cupel("data", "crop", target, "--roi", "3-7,2-6", "--out", part, "--force")
            seen(part, epsg, transform * Affine.translation(1, 2), f"part of {name}, EPSG:{epsg}")
            with rasterio.open(part) as found:
                np.testing.assert_array_equal(found.read().transpose(1, 2, 0), array[2:7, 1:6])
            count += 2
        opened = spectral.io.envi.open(made.with_suffix(".hdr"), made)
        np.testing.assert_allclose(opened.bands.centers, WAVELENGTHS, rtol=1e-12)
        assert opened.metadata["data ignore value"] == "-9999" and opened.metadata["band names"][3] == "band 4", opened.metadata
        count += 1
    # Ground control points pass, too.
    points = [rasterio.control.GroundControlPoint(row, column, 10 + column / 100, 50 - row / 100) for row in (0, 12) for column in (0, 9)]
    given = FOLDER / "points.tif"
    with rasterio.open(given, "w", driver="GTiff", dtype="int16", count=1, height=12, width=9) as target:
        target.write(array[:, :, :1].transpose(2, 0, 1))
        target.gcps = (points, rasterio.crs.CRS.from_epsg(4326))
    cupel("data", "crop", given, "--roi", "3-12,2-9", "--out", FOLDER / "points_part.tif", "--force")
    with rasterio.open(FOLDER / "points_part.tif") as found:
        got = sorted((point.row + 2, point.col + 1, point.x, point.y) for point in found.gcps[0])
    np.testing.assert_allclose(got, sorted((point.row, point.col, point.x, point.y) for point in points), rtol=1e-12, atol=1e-9)
    return count + 1


def runs():
    """Maps of `unmix run` of a scene in ENVI and of one in GeoTIFF."""
    count = 0
    cupel("unmix", "simulate", "--pixels", "144", "--bands", "30", "--materials", "3", "--seed", "3", "--out", FOLDER / "scene.npz")
    cube = np.load(FOLDER / "scene.npz")["Y"]
    array = np.asarray(cube.reshape(12, 12, 30) if cube.shape[0] == 144 else cube.T.reshape(12, 12, 30), dtype="f4")
    raster(FOLDER / "run.tif", array, crs="EPSG:32633", transform=STRAIGHT)
    cupel("data", "convert", FOLDER / "run.tif", FOLDER / "run.img", "--force")
    for scene in ("run.tif", "run.img"):
        out = FOLDER / f"run_{scene[-3:]}"
        cupel("unmix", "run", FOLDER / scene, "--method", "vca", "--endmembers", "3", "--out", out)
        maps = [path for path in (out / "maps").iterdir() if path.suffix in (".tif", ".img")]
        assert maps, f"no maps in {out}"
        for path in maps:
            seen(path, 32633, STRAIGHT, str(path))
            count += 1
    return count


def skies():
    """What astropy says of a sky is the same after cupel has read and written it."""
    count = 0
    celestial = {"CRVAL1": 83.6, "CRVAL2": -27.3, "CRPIX1": 2.25, "CRPIX2": 1.5, "CDELT1": -0.3, "CDELT2": 0.2}
    spectral = {"CTYPE3": "FREQ", "CRVAL3": 1.1e8, "CRPIX3": 2.0, "CDELT3": 97656.25, "CUNIT3": "Hz"}
    stokes = {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0}
    units = {"BUNIT": "mK", "BMAJ": 0.5, "BMIN": 0.25}
    turned = {"PC1_1": 0.8, "PC1_2": -0.3, "PC2_1": 0.3, "PC2_2": 0.8}
    for projection in ("TAN", "SIN", "CAR", "ZEA", "ARC"):
        for pair in (("RA--", "DEC-"), ("GLON", "GLAT")):
            names = {f"CTYPE{number}": f"{name}-{projection}" for number, name in enumerate(pair, 1)}
            for turn in ({}, turned):
                hdu = fits.PrimaryHDU(random.normal(size=(2, 3, 4, 5)).astype("f4"))
                hdu.header.update(celestial | spectral | stokes | names | turn | units)
                hdu.writeto(FOLDER / "sky.fits", overwrite=True, checksum=True)
                convert(FOLDER / "sky.fits", FOLDER / "sky_made.fits", "--force")
                with fits.open(FOLDER / "sky_made.fits", checksum=True) as made:
                    made.verify("exception")
                    header = made[0].header
                    np.testing.assert_array_equal(made[0].data, hdu.data)
                assert {key: header[key] for key in units} == units, header
                given, made = WCS(hdu.header), WCS(header)
                assert made.world_axis_physical_types == given.world_axis_physical_types, header
                pixels = random.uniform(0, 4, size=(20, 4))
                expected = given.wcs_pix2world(pixels, 0)
                np.testing.assert_allclose(made.wcs_pix2world(pixels, 0), expected, rtol=1e-12, err_msg=f"{names} {turn}")
                count += 1
    return count


def tables():
    """Every column of a table of astropy, and a map on the sphere as healpy lays it out."""
    letters = {"u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D", "c8": "C", "c16": "M", "?": "L"}
    given = {}
    for kind, letter in letters.items():
        for repeat in (1, 7):
            array = image("u1" if kind == "?" else kind).ravel()[: 12 * repeat].reshape(12, repeat)
            array = array > 50 if kind == "?" else array
            given[f"{repeat}{letter}"] = array[:, 0] if repeat == 1 else array
    table = fits.BinTableHDU.from_columns([fits.Column(form, form, array=array) for form, array in given.items()], name="T")
    sphere = random.normal(size=(12, 1024)).astype("f4")
    map_ = fits.BinTableHDU.from_columns([fits.Column("TEMPERATURE", "1024E", array=sphere, unit="K")], name="MAP")
    map_.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 32})
    fits.HDUList([fits.PrimaryHDU(), table, map_]).writeto(FOLDER / "tables.fits", overwrite=True, checksum=True)
    given, back = {f"T.{form}": array for form, array in given.items()} | {"MAP.TEMPERATURE": sphere}, FOLDER / "column.npy"
    for name, array in given.items():
        convert(FOLDER / "tables.fits", back, "--variable", name, "--force")
        np.testing.assert_array_equal(np.load(back), array, err_msg=name)
    return len(given)


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


def visibilities():
    """Files as UVH5 and the archives of other telescopes have them, all arrays at once and all texts."""
    count, shape = 0, (6, 5, 4)
    freq = np.zeros(5, dtype=[("centre", "<f8"), ("width", ">f4"), ("edges", "<f8", (2,))])
    freq["centre"], freq["width"], freq["edges"] = 600 - np.arange(5), 0.39, random.normal(size=(5, 2))
    feeds = np.zeros((3, 2), dtype=[("id", "<u2"), ("serial", "S7"), ("on", "?"), ("gain", "<c8"), ("note", h5py.string_dtype())])
    feeds["id"], feeds["on"], feeds["gain"] = np.arange(6).reshape(3, 2), [[True, False]] * 3, random.normal(size=(3, 2))
    feeds["serial"], feeds["note"] = b"CHF-01", np.array(["λ/4", ""] * 3, dtype=object).reshape(3, 2)
    for version in ("earliest", "latest"):
        file = FOLDER / f"visibilities_{version}.h5"
        with h5py.File(file, "w", libver=version) as target:
            for part, storage in [("i2", {}), ("i4", {"chunks": (4, 3, 2), "compression": "gzip"}), ("f4", {}), ("f8", {"chunks": (2, 5, 4)})]:
                pairs = np.zeros(shape, dtype=[("r", "<" + part), ("i", "<" + part)])
                pairs["r"], pairs["i"] = (100 * random.normal(size=shape)).astype(part), (100 * random.normal(size=shape)).astype(part)
                target.create_dataset(f"Data/visdata_{part}", data=pairs, **storage)
            target.create_dataset("Data/flags", data=random.random(shape) < 0.2, chunks=(2, 5, 4), compression="gzip")
            target.create_dataset("Data/nsamples", data=image("f4")[:, :, :4], chunks=(3, 5, 2), shuffle=True, compression="gzip")
            target["Header/flex_spw"], target["Header/Nblts"], target["Header/vis_units"] = np.False_, np.int64(6), np.bytes_("Jy")
            target["Header/history"], target["Header/antenna_names"] = "made by λ", np.array([b"HH1", b"HH22"])
            target.create_dataset("index_map/freq", data=freq, chunks=(2,), compression="gzip")
            target["index_map/input"] = feeds
        arrays, texts = {}, {}
        with h5py.File(file) as source:
            source.visititems(lambda name, data: spread(name, data[()], arrays, texts) if isinstance(data, h5py.Dataset) else None)
        convert(file, FOLDER / "visibilities.npz", "--force")
        got = np.load(FOLDER / "visibilities.npz")
        assert sorted(got.files) == sorted(arrays), f"{sorted(got.files)} is not {sorted(arrays)}"
        for name, array in arrays.items():
            assert got[name].dtype == array.dtype.newbyteorder("<"), f"{file} {name}: {got[name].dtype} from {array.dtype}"
            np.testing.assert_array_equal(got[name], array, err_msg=f"{file} {name}")
        listing = subprocess.run([CUPEL, "data", "info", file, "--json"], check=True, capture_output=True).stdout
        listed = {row["name"]: row["text"] for row in json.loads(listing)["variables"] if row["text"] is not None}
        assert listed == texts, f"{listed} is not {texts}"
        count += len(arrays) + len(texts)
    return count


def spread(name, value, arrays, texts):
    """Adds what h5py read to the arrays and texts, records field by field, pairs of numbers as the complex numbers that hold them."""
    value = np.asarray(value)
    if value.dtype.names == ("r", "i"):
        wide = value.dtype["r"].itemsize > 2 and value.dtype["r"].kind == "i"
        arrays[name] = (value["r"] + 1j * value["i"]).astype("c16" if wide else "c8")
    elif value.dtype.names:
        for field in value.dtype.names:
            spread(f"{name}.{field}", value[field], arrays, texts)
    elif value.dtype.kind in "SO":
        texts[name] = [line.decode() for line in value.ravel()]
    else:
        arrays[name] = value


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
