//! What a file holds, as a hash: its name, its place and its date do not count.

use crate::{Error, Result, checkpoint::entries};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// A longer file is known by its size and some of its blocks, so that resuming does not read terabytes.
const WHOLE_BYTES: u64 = 256 << 20;
const BLOCKS: u64 = 256;
const BLOCK_BYTES: u64 = 1 << 20;

/// The hash of a file, of an ENVI image with both its files, or of all files in a folder with their names.
pub(crate) fn content_hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    if path.is_dir() {
        add_folder(&mut hasher, path)?;
    } else {
        let mut hashes = vec![file_hash(path, WHOLE_BYTES)?];
        if let Some(partner) = cupel_data::envi_partner(path) {
            hashes.push(file_hash(&partner, WHOLE_BYTES)?);
        }
        // whichever of the two was named
        hashes.sort_unstable_by_key(|hash| *hash.as_bytes());
        for hash in hashes {
            hasher.update(hash.as_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn add_folder(hasher: &mut blake3::Hasher, folder: &Path) -> Result<()> {
    let mut paths = entries(folder)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            add_folder(hasher, &path)?;
        } else if path.is_file() {
            hasher.update(file_hash(&path, WHOLE_BYTES)?.as_bytes());
        }
    }
    Ok(())
}

fn file_hash(path: &Path, whole_bytes: u64) -> Result<blake3::Hash> {
    let read = || -> std::io::Result<blake3::Hash> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes.to_le_bytes());
        if bytes <= whole_bytes {
            return Ok(hasher.update_reader(&mut file)?.finalize());
        }
        for block in 0..BLOCKS {
            file.seek(SeekFrom::Start((bytes - BLOCK_BYTES) / (BLOCKS - 1) * block))?;
            hasher.update_reader((&mut file).take(BLOCK_BYTES))?;
        }
        Ok(hasher.finalize())
    };
    read().map_err(Error::io("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_content_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        };
        let hash = |path: &Path| content_hash(path).unwrap();
        let (a, b, c) = (write("a", b"same"), write("b", b"same"), write("c", b"other"));
        assert_eq!(hash(&a), hash(&b));
        assert_ne!(hash(&a), hash(&c));
        for (tree, second) in [("one", "x"), ("two", "x"), ("three", "y")] {
            write(&format!("{tree}/deep/first"), b"1");
            write(&format!("{tree}/second"), second.as_bytes());
        }
        let [one, two, three] = ["one", "two", "three"].map(|tree| hash(&folder.path().join(tree)));
        assert!(one == two && one != three);
        assert_eq!(hash(&folder.path().join("one")), hash(&folder.path().join("./one/")));
        assert!(matches!(content_hash(&folder.path().join("missing")), Err(Error::Io { .. })));
    }

    #[test]
    fn both_files_of_an_image_count_whichever_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let [header, numbers] = ["scene.hdr", "scene.img"].map(|name| folder.path().join(name));
        fs::write(&header, "ENVI\nsamples = 2").unwrap();
        fs::write(&numbers, [1, 2]).unwrap();
        let before = content_hash(&header).unwrap();
        assert_eq!(content_hash(&numbers).unwrap(), before);
        fs::write(&numbers, [1, 3]).unwrap();
        assert_ne!(content_hash(&header).unwrap(), before);
    }

    #[test]
    fn of_a_long_file_size_start_middle_and_end_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        let bytes = 300 << 20;
        let write = |at: u64| {
            let mut file = File::create(&path).unwrap();
            file.set_len(bytes).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            std::io::Write::write_all(&mut file, &[1]).unwrap();
            file_hash(&path, WHOLE_BYTES).unwrap()
        };
        let middle = (bytes - BLOCK_BYTES) / (BLOCKS - 1) * (BLOCKS / 2);
        let hashes = [0, middle, bytes - 1, bytes].map(write);
        assert!(hashes.iter().enumerate().all(|(n, hash)| !hashes[..n].contains(hash)));
    }
}
