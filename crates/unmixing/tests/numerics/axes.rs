//! Scenes of which nothing says how they lie: the usual reading where it is right, a refusal where the numbers speak against it.

use cupel_data::{Array, Stream, Values, write_npy};
use cupel_unmixing::{PixelOrder, Scene, SceneFiles, mix, patches, smooth_endmembers};
use std::path::Path;

/// A scene as `[rows, columns, bands]` of a size and a noise that nobody chose.
fn draw(seed: u64) -> ([usize; 3], Vec<f32>) {
    let stream = Stream::new(seed, "axes");
    let between = |place: u64, low: usize, high: usize| low + (stream.u64(place) % (high - low) as u64) as usize;
    let (rows, columns, bands) = (between(0, 12, 60), between(1, 12, 60), between(2, 20, 120));
    let count = between(3, 2, 6);
    let truth = smooth_endmembers(count, bands, stream.child(0)).unwrap();
    let shares = patches(rows, columns, count, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&truth, &shares, between(4, 20, 50) as f64, stream.child(2)).unwrap();
    ([rows, columns, bands], pixels.values().to_vec())
}

/// The values with their axes in another order.
fn reordered([rows, columns, bands]: [usize; 3], values: &[f32], order: [usize; 3]) -> Array {
    let sides = [rows, columns, bands];
    let shape = order.map(|axis| sides[axis]);
    let mut out = Vec::with_capacity(values.len());
    for i in 0..shape[0] {
        for j in 0..shape[1] {
            for k in 0..shape[2] {
                let mut at = [0; 3];
                (at[order[0]], at[order[1]], at[order[2]]) = (i, j, k);
                out.push(values[(at[0] * columns + at[1]) * bands + at[2]]);
            }
        }
    }
    Array::new(shape.to_vec(), Values::F32(out)).unwrap()
}

fn opened(path: &Path, files: impl FnOnce(SceneFiles) -> SceneFiles) -> Result<Scene, String> {
    Scene::open(&files(SceneFiles::of(path))).map_err(|error| error.to_string())
}

#[test]
fn cubes_that_nobody_describes_are_read_by_custom_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.npy");
    let (mut refused_right, mut accepted_wrong) = (0, 0);
    const SCENES: u64 = 40;
    // What decides was chosen on other families; the first 40 of these had been seen before.
    for seed in 200..200 + SCENES {
        let (size, values) = draw(seed);
        for (order, name) in [([0, 1, 2], ""), ([2, 0, 1], "bands,rows,columns"), ([0, 2, 1], "rows,bands,columns")] {
            write_npy(&path, &reordered(size, &values, order)).unwrap();
            match opened(&path, |files| files) {
                Ok(scene) => {
                    accepted_wrong += u64::from(!name.is_empty());
                    assert!(
                        scene.notes[0].contains("by default") && scene.notes[0].contains("--axes"),
                        "{:?}",
                        scene.notes
                    );
                }
                Err(error) => {
                    refused_right += u64::from(name.is_empty());
                    assert!(error.contains("say --axes"), "{error}");
                }
            }
            // Told, all are the same scene.
            if !name.is_empty() {
                let scene = opened(&path, |files| SceneFiles { axes: name.parse().ok(), ..files }).unwrap();
                assert_eq!(scene.image_size(), (size[0], size[1]));
                let error =
                    scene.cube.values().iter().zip(&values).map(|(a, b)| (f64::from(*a) * scene.scale) as f32 - b);
                assert!(error.map(f32::abs).fold(0.0, f32::max) < 1e-5);
            }
        }
    }
    println!(
        "of {SCENES} scenes {refused_right} were refused that were right, of {} {accepted_wrong} were not",
        2 * SCENES
    );
    assert!(refused_right <= SCENES / 20 && accepted_wrong <= SCENES / 20, "{refused_right}, {accepted_wrong}");
}

#[test]
fn matrices_have_their_pixels_in_the_order_of_their_software_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.npz");
    let (mut refused_right, mut accepted_wrong, mut tried) = (0, 0, 0);
    for seed in 100..140 {
        let ([rows, columns, bands], values) = draw(seed);
        if rows == columns {
            continue;
        }
        tried += 1;
        for (down, order) in [(false, PixelOrder::Row), (true, PixelOrder::Column)] {
            let mut matrix = vec![0.0; values.len()];
            for (n, spectrum) in values.chunks_exact(bands).enumerate() {
                let place = if down { n % columns * rows + n / columns } else { n };
                spectrum.iter().enumerate().for_each(|(band, v)| matrix[band * rows * columns + place] = *v);
            }
            let matrix = Array::new(vec![bands, rows * columns], Values::F32(matrix)).unwrap();
            let number = |n: usize| Array::new(vec![1], Values::F64(vec![n as f64])).unwrap();
            let (lines, cols) = (number(rows), number(columns));
            cupel_data::write_npz(&path, &[("Y", &matrix), ("lines", &lines), ("cols", &cols)]).unwrap();
            match opened(&path, |files| files) {
                Ok(_) => accepted_wrong += usize::from(down),
                Err(error) => {
                    refused_right += usize::from(!down);
                    assert!(error.contains("--pixel-order column"), "{error}");
                }
            }
            let told = opened(&path, |files| SceneFiles { pixel_order: Some(order), ..files }).unwrap();
            let error = told.cube.values().iter().zip(&values).map(|(a, b)| (f64::from(*a) * told.scale) as f32 - b);
            assert!(error.map(f32::abs).fold(0.0, f32::max) < 1e-5);
        }
    }
    println!(
        "of {tried} matrices {refused_right} were refused that were right and {accepted_wrong} taken that were not"
    );
    assert!(refused_right == 0 && accepted_wrong <= tried / 10, "{refused_right}, {accepted_wrong} of {tried}");
}
