//! The parts of unmixing and the whole of it, on a scene of the size of Samson (95 x 95 pixels, 156 bands, 3 materials).
//!
//! `cargo bench --bench unmixing`; ids are operation/shape/dtype/device. The scene itself is measured too where
//! `CUPEL_DATA`, or `../shared/data` beside the workspace, holds `unmixing/samson_hu_autoencoders.mat`.

use std::{
    hint::black_box,
    path::{Path, PathBuf},
};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    data::{EnviHeader, Stream, write_envi},
    train::{Advance, Casting, Position, Trainer, device},
    unmixing::{
        AbundancePass, Abundances, Cnnaeu, Convention, Deeptrans, Endmembers, Extraction, ExtractionConfig, Image,
        LargeScene, LinearAutoencoder, Method, Misicnet, Mixture, MixtureConfig, Network, Pixels, Scene, SceneFiles,
        SparseConfig, Start, Survey, Unmixing, UnmixingConfig, Variational, VariationalConfig, mix, patches,
        smooth_endmembers, sparse_regression,
    },
};

const SIDE: usize = 95;
const BANDS: usize = 156;
/// Alternations in one restart of archetypal analysis.
const ALTERNATIONS: u64 = 50;

fn simulated(endmembers: usize) -> (Pixels, Endmembers) {
    let stream = Stream::new(1, "unmixing bench");
    let scene = || {
        let spectra = smooth_endmembers(endmembers, BANDS, stream.child(0))?;
        let abundances = patches(SIDE, SIDE, endmembers, 0.05, stream.child(1))?;
        Ok::<_, cupel::unmixing::Error>((mix(&spectra, &abundances, 30.0, stream.child(2))?, spectra))
    };
    scene().expect("a scene that can be simulated")
}

/// Samson, where there is one.
fn samson() -> Option<Pixels> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from);
    let file = folder.join("unmixing/samson_hu_autoencoders.mat");
    if !file.is_file() {
        eprintln!("SKIPPED: {} is not there; set CUPEL_DATA to the folder that holds unmixing/", file.display());
        return None;
    }
    let scene = Scene::open(&SceneFiles::of(&file)).and_then(|scene| Pixels::of(&scene.cube));
    Some(scene.expect("a scene that can be read"))
}

fn shape(pixels: &Pixels, endmembers: usize) -> String {
    format!("{}x{}x{endmembers}", pixels.count(), pixels.bands())
}

/// Every convention's abundances, by the number of endmembers; throughput counts pixels.
fn abundances(criterion: &mut Criterion) {
    for convention in Convention::OF_ENDMEMBERS {
        let mut group = criterion.benchmark_group(convention.name());
        group.sample_size(20);
        for endmembers in [3, 6, 12] {
            let (pixels, spectra) = simulated(endmembers);
            group.throughput(Throughput::Elements(pixels.count() as u64));
            let id = BenchmarkId::from_parameter(format!("{}/f32/cpu", shape(&pixels, endmembers)));
            group.bench_function(id, |bencher| {
                bencher.iter(|| Abundances::solve(black_box(&pixels), &spectra, convention).expect("equal bands"));
            });
        }
        group.finish();
    }
}

/// One restart without the preparation it shares with others; throughput counts alternations.
fn archetypes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("edaa_restart");
    group.sample_size(20).throughput(Throughput::Elements(ALTERNATIONS));
    for endmembers in [3, 6] {
        let (pixels, _) = simulated(endmembers);
        let config = ExtractionConfig { method: Method::Edaa, endmembers, restarts: 1, seed: 1 };
        group.bench_function(
            BenchmarkId::from_parameter(format!("{}/f32/cpu", shape(&pixels, endmembers))),
            |bencher| {
                bencher.iter_batched(
                    || Extraction::new(&pixels, config).expect("a possible number of endmembers"),
                    |mut extraction| {
                        extraction.complete().expect("archetypes");
                        extraction
                    },
                    BatchSize::LargeInput,
                );
            },
        );
    }
    group.finish();
}

/// From pixels to endmembers, abundances under every convention and errors.
fn end_to_end(criterion: &mut Criterion) {
    let scenes = [("simulated", Some(simulated(3).0)), ("samson", samson())];
    for method in [Method::Vca, Method::Edaa, Method::Auto] {
        let mut group = criterion.benchmark_group(format!("unmix_{}", method.name()));
        group.sample_size(10);
        for (name, pixels) in &scenes {
            let Some(pixels) = pixels else { continue };
            let unmixing = Unmixing::new(UnmixingConfig { method, seed: 1, ..UnmixingConfig::new(3) });
            group.throughput(Throughput::Elements(pixels.count() as u64));
            let id = BenchmarkId::from_parameter(format!("{name}_{}/f32/cpu", shape(pixels, 3)));
            group.bench_function(id, |bencher| {
                bencher.iter(|| unmixing.fit_pixels(black_box(pixels)).expect("a scene of three materials"));
            });
        }
        group.finish();
    }
}

/// One tile, here the whole scene, of each pass over a scene larger than memory; throughput counts pixels.
fn tile_passes(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tile passes");
    std::fs::create_dir_all(&folder).expect("a folder beside the build");
    let (pixels, spectra) = simulated(5);
    let path = folder.join("scene.img");
    let written = write_envi(&path, &EnviHeader::new(SIDE, SIDE, BANDS), |row, values: &mut [u16]| {
        let line = &pixels.values()[row * SIDE * BANDS..(row + 1) * SIDE * BANDS];
        values.iter_mut().zip(line).for_each(|(to, value)| *to = (value * 1e4).clamp(0.0, 65535.0) as u16);
        Ok(())
    });
    written.expect("room for the scene");
    let scene = LargeScene::open_from(&SceneFiles::of(&path), 0)
        .expect("a readable file")
        .expect("an ENVI image")
        .with_tile_rows(SIDE);
    let advance = |work: &mut dyn Advance| work.advance(Position::default()).expect("a tile");
    let mut group = criterion.benchmark_group("tile_pass");
    group.sample_size(20).throughput(Throughput::Elements(pixels.count() as u64));
    let id = |pass: &str| BenchmarkId::new(pass, format!("{}/u16/cpu", shape(&pixels, 5)));
    group.bench_function(id("survey"), |bencher| {
        let survey = || Survey::new(&scene, 1).expect("a readable scene");
        bencher.iter_batched(survey, |mut survey| advance(&mut survey), BatchSize::PerIteration);
    });
    let mut survey = Survey::new(&scene, 1).expect("a readable scene");
    advance(&mut survey);
    let surveyed = survey.finish().expect("usable pixels");
    group.bench_function(id("abundances"), |bencher| {
        bencher.iter_batched(
            || {
                let pass = AbundancePass::new(&scene, &surveyed, &spectra, Convention::Rescaled, &folder);
                pass.expect("bands that agree")
            },
            |mut pass| advance(&mut pass),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// One update of each comparison network, as the loop of training makes it.
fn network_steps(criterion: &mut Criterion) {
    let image = Image::new(simulated(3).0, SIDE, SIDE).expect("an image");
    let possible = "a possible number of endmembers";
    step(criterion, LinearAutoencoder::new(&image, 3, 1).expect(possible));
    step(criterion, Cnnaeu::new(&image, 3, 1).expect(possible));
    step(criterion, Misicnet::new(&image, 3, 1).expect(possible));
    step(criterion, Deeptrans::new(&image, 3, 1).expect(possible));
}

fn step<N: Network>(criterion: &mut Criterion, network: N) {
    let device = device::select("cpu").expect("a CPU").device;
    let (name, model) = (N::METHOD.name(), network.model(&device.clone().autodiff()));
    let config = network.training(1, None);
    let mut trainer = Trainer::new(network, model, config, Casting::f32(), &device).expect("settings that can be");
    let mut group = criterion.benchmark_group("network_step");
    group.sample_size(10);
    group.bench_function(BenchmarkId::from_parameter(format!("{name}_{SIDE}x{SIDE}x{BANDS}x3/f32/cpu")), |bencher| {
        bencher.iter(|| trainer.advance(Position::default()).expect("an update"));
    });
    group.finish();
}

/// Sparse regression of a tenth of the pixels on a library of 60 spectra; throughput counts pixels.
fn sparse(criterion: &mut Criterion) {
    let (pixels, _) = simulated(3);
    let pixels = pixels.sample(SIDE * SIDE / 10, Stream::new(2, "unmixing bench"));
    let library = smooth_endmembers(60, BANDS, Stream::new(3, "unmixing bench")).expect("spectra").unit_norm();
    let mut group = criterion.benchmark_group("sparse_regression");
    group.sample_size(10).throughput(Throughput::Elements(pixels.count() as u64));
    group.bench_function(BenchmarkId::from_parameter(format!("{}/f64/cpu", shape(&pixels, 60))), |bencher| {
        bencher.iter(|| sparse_regression(black_box(&pixels), &library, SparseConfig::new(1e-3)).expect("weights"));
    });
    group.finish();
}

/// One step of the mixture model: in closed form, and of variational inference with all pixels and with 500.
fn mixture_steps(criterion: &mut Criterion) {
    let (pixels, _) = simulated(3);
    let config = ExtractionConfig { method: Method::Vca, endmembers: 3, restarts: 1, seed: 1 };
    let mut extraction = Extraction::new(&pixels, config).expect("a possible number of endmembers");
    extraction.complete().expect("endmembers");
    let extracted = extraction.choose().expect("endmembers");
    let mut group = criterion.benchmark_group("mixture_step");
    group.sample_size(20).throughput(Throughput::Elements(pixels.count() as u64));
    let mut mixture = Mixture::new(&pixels, &extracted, 1).expect("a scene with moments");
    group.bench_function(
        BenchmarkId::from_parameter(format!("closed-form_{}/f64/cpu", shape(&pixels, 3))),
        |bencher| {
            bencher.iter(|| mixture.advance(Position::default()).expect("a step"));
        },
    );
    let device = device::select("cpu").expect("a CPU").device;
    for (name, batch_pixels) in [("all", None), ("500", Some(500))] {
        let abundances = Abundances::solve(&pixels, &extracted.endmembers, Convention::Fcls).expect("equal bands");
        let start = Start {
            endmembers: extracted.endmembers.clone(),
            errors: None,
            wavelengths: None,
            deviations: vec![0.05; abundances.values().len()],
            brightness: Some(vec![1.0; pixels.count()]),
            abundances,
            noise: 0.02,
        };
        let config = VariationalConfig { batch_pixels, ..MixtureConfig::default().variational(None) };
        let fit = Variational::new(&pixels, config, start).expect("settings that can be");
        let (model, training) = (fit.model(&device.clone().autodiff()), fit.training("bench".into(), 1));
        let mut trainer = Trainer::new(fit, model, training, Casting::f32(), &device).expect("settings that can be");
        group.throughput(Throughput::Elements(batch_pixels.unwrap_or(pixels.count()) as u64));
        let id = BenchmarkId::from_parameter(format!("svi-{name}_{}/f32/cpu", shape(&pixels, 3)));
        group.bench_function(id, |bencher| {
            bencher.iter(|| trainer.advance(Position::default()).expect("an update"));
        });
    }
    group.finish();
}

criterion_group!(benches, abundances, archetypes, network_steps, mixture_steps, sparse, end_to_end, tile_passes);
criterion_main!(benches);
