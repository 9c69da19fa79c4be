//! The file formats through the public API: golden files of other software, round trips, files that lie, and noise.

mod formats {
    mod complex;
    mod delimited;
    mod envi;
    mod fits;
    mod fits_axes;
    mod fits_tables;
    mod fits_written;
    mod hdf5;
    mod hdf5_records;
    mod hostile;
    mod image_tools;
    mod images;
    mod markers;
    mod matlab;
    mod mutants;
    mod numpy;
    mod pictures;
    mod png;
    mod recognition;
    mod round_trip;
    mod samples;
    mod scenes;
    mod zip_archive;
}
