//! The tables and cases, where they are at hand.

use cupel_pharmacogenomics::{Assembly, Tables};
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

fn data() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from)
}

fn there(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds pharmacogenomics/", path.display());
    None
}

/// The folder of tables.
pub fn folder() -> Option<PathBuf> {
    there(data().join("pharmacogenomics/pharmcat")).and_then(|path| path.parent().map(Path::to_path_buf))
}

/// The folder of files with known answers.
pub fn cases() -> Option<PathBuf> {
    there(data().join("../cases/pgx"))
}

/// The tables in GRCh38, read once.
pub fn grch38() -> Option<&'static Tables> {
    static TABLES: OnceLock<Option<Tables>> = OnceLock::new();
    TABLES.get_or_init(|| folder().map(|folder| Tables::open(&folder, Assembly::GRCh38).unwrap())).as_ref()
}

/// The tables in GRCh37, read once.
pub fn grch37() -> Option<&'static Tables> {
    static TABLES: OnceLock<Option<Tables>> = OnceLock::new();
    TABLES.get_or_init(|| folder().map(|folder| Tables::open(&folder, Assembly::GRCh37).unwrap())).as_ref()
}
