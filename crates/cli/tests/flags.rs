//! Every command with every shared flag that its help shows: each flag has an effect, and the effect is seen.
//!
//! Commands and their flags are read from `--help`, of `cupel` and of the program of `examples/toy.rs`, so that a command that is added
//! without a line in [`CALLS`], or a flag without a proof, fails here.

mod patients;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::SystemTime,
};

use cupel::data::{Array, EnviHeader, Values, write_envi_array, write_npy, write_png};
use serde_json::Value;

/// How each command is called: quickly, and with an effect. `{}` is a place of its own for what a call writes.
const CALLS: &[(&str, &str)] = &[
    ("cosmology clean", "cube.npy --unit mK --side-deg 20 --modes 3 --out {}.npy"),
    ("cosmology evaluate", "--truth signal.npy --estimate cube.npy --unit mK --side-deg 20"),
    ("cosmology null", "--skies skies --model filter --out {}"),
    ("cosmology power", "cube.npy --unit mK --side-deg 20 --out {}"),
    ("cosmology simulate", "--nfreq 8 --nx 8 --skies 3 --out {}"),
    (
        "cosmology train",
        "--skies skies --validation-fraction 0.25 --estimator unet --filters 4 --levels 1 --epochs 2 --out {}",
    ),
    ("data info", "scene.npz"),
    ("data bands", "small.img --drop 2-3 --out {}.img"),
    ("data convert", "scene.npz {}.npz"),
    ("data crop", "small.img --roi 2-3,1-4 --out {}.img"),
    ("data mask", "small.img --ignore-value 0 --out {}.img"),
    ("data resample", "small.img --to 450,550 --out {}.img"),
    ("data stack", "small.img small.img --out {}.img"),
    ("demo", "--out {}"),
    ("doctor", ""),
    ("pca apply", "cube.npy --components components --out {}.npy"),
    ("pca fit", "--cosmopath cosmo --galpath galaxy --ra-bins 16 --num-samples 4 --modes 2 --out {}"),
    (
        "pca validate",
        "--cosmopath cosmo --galpath galaxy --ra-bins 16 --num-samples 1 --components visibilities.npz --plot --out {}",
    ),
    ("pgx audit", "--demo-data --split group"),
    ("pgx encode", "--table rows.tsv --schema schema.toml --out {}"),
    ("pgx evaluate", "--model model --demo-data --bootstrap 20"),
    ("pgx predict", "--model model --query drug=drug01 --out {}.json"),
    ("pgx report", "--vcf patient.vcf --tables tables --model model --out {}"),
    (
        "pgx train",
        "--demo-data --fractions 0.2,0.1,0.7 --models linear,network --epochs 2 --cross-fit 0 --hidden 16 --embedding 4 --out {}",
    ),
    ("pgx tune", "--demo-data --fractions 0.2,0.1,0.7 --models linear --trials 2 --out {}"),
    ("prism evaluate", "found.npy --truth truth.npy"),
    (
        "prism observe",
        "object.png --n-pixels 48 --aperture-radius 5 --samples 8 --pattern adaptive --photons 1e4 --out {}.npz",
    ),
    ("prism plan", "--n-pixels 48 --aperture-radius 5 --samples 8 --pattern random --line-length 3 --line-angle 20"),
    ("prism reconstruct", "exposures.npz --solver decoder --width 4 --steps 2 --init-steps 2 --out {}"),
    ("report", "run other --out {}.html"),
    ("toy fit", "--points 200 --epochs 6 --out {}"),
    ("unmix compare", "scene.mat --methods edaa,linear-ae --restarts 2 --steps 40 --runs 2 --out {}"),
    ("unmix evaluate", "run"),
    ("unmix prove", "--methods vca,linear-ae --steps 2 --families mixed --half choosing --number false --out {}"),
    ("unmix run", "scene.mat --method linear-ae --steps 40 --out {}"),
    ("unmix simulate", "--pixels 100 --bands 20 --out {}.mat"),
];

/// Flags that belong to one command alone, and are tested with it, are all others.
const SHARED: &[&str] = &[
    "checkpoint-every",
    "config",
    "device",
    "dry-run",
    "force",
    "json",
    "matmul-precision",
    "out",
    "precision",
    "print-config",
    "profile",
    "quiet",
    "resume",
    "seed",
    "strict",
    "threads",
    "use-amp",
];

/// A folder with everything that the calls read.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path("schema.toml"), "[[field]]\nname = \"drug\"\n[[target]]\nname = \"effect\"\n").unwrap();
        fs::write(place.path("rows.tsv"), "drug\teffect\nwarfarin\ta\ncodeine\tb\n").unwrap();
        patients::tables(place.0.path());
        patients::vcf(
            place.0.path(),
            "patient.vcf",
            &["chr1 200 . C T . PASS . GT 0|1", "chr1 210 . A G . PASS . GT 0|0"],
        );
        for line in [
            "unmix simulate --pixels 144 --bands 30 --materials 3 --seed 3 --out scene.mat",
            "data convert scene.mat scene.npz --variable Y",
            "unmix run scene.mat --method vca --out run",
            "unmix run scene.mat --method spa --out other",
            "pgx train --demo-data --fractions 0.2,0.1,0.7 --models counts --cross-fit 0 --out model",
            "cosmology simulate --nfreq 8 --nx 8 --skies 8 --visibilities --baselines 6 --times 16 --out skies",
        ] {
            place.succeeds(line);
        }
        for folder in ["cosmo", "galaxy"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        let copy = |from: &str, to: &str| fs::copy(place.path(from), place.path(to)).unwrap();
        for sky in 0..4 {
            copy(&format!("skies/sky_000{sky}/vis_signal.npy"), &format!("cosmo/{sky}.npy"));
            copy(&format!("skies/sky_000{sky}/vis.npy"), &format!("galaxy/{sky}.npy"));
        }
        for (from, to) in [("obs", "cube"), ("signal", "signal"), ("freqs_mhz", "freqs_mhz")] {
            copy(&format!("skies/sky_0000/{from}.npy"), &format!("{to}.npy"));
        }
        let disc = |row: usize, column: usize| (row.abs_diff(9).pow(2) + column.abs_diff(11).pow(2) < 40) as u8;
        let image = (0..24 * 24).map(|place| 40 + 200 * disc(place / 24, place % 24)).collect();
        write_png(&place.path("object.png"), &Array::new(vec![24, 24], Values::U8(image)).unwrap()).unwrap();
        let small = Array::new(vec![3, 4, 5], Values::U16((0..60).collect())).unwrap();
        let wavelengths_nm = (0..5).map(|band| 400.0 + 50.0 * f64::from(band)).collect();
        let header = EnviHeader { wavelengths_nm, ..EnviHeader::new(3, 4, 5) };
        write_envi_array(&place.path("small.img"), &header, &small).unwrap();
        for (name, bright) in [("found", 0.9), ("truth", 1.0)] {
            let values = (0..24 * 24).map(|place| bright * f32::from(disc(place / 24, place % 24))).collect();
            write_npy(&place.path(&format!("{name}.npy")), &Array::new(vec![24, 24], Values::F32(values)).unwrap())
                .unwrap();
        }
        place.succeeds(
            "prism observe object.png --n-pixels 48 --aperture-radius 5 --samples 8 --photons 1e4 --out exposures.npz",
        );
        place.succeeds("cosmology train --skies skies --validation-fraction 0.25 --out filter");
        place.succeeds("pca fit cube.npy --axis 0 --modes 2 --out components");
        place.succeeds("pca fit --cosmopath cosmo --galpath galaxy --ra-bins 16 --modes 2 --out visibilities.npz");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn output(&self, line: &str) -> Output {
        let mut words = line.split_whitespace();
        let mut binary = PathBuf::from(env!("CARGO_BIN_EXE_cupel"));
        if line.starts_with("toy ") {
            binary = binary.with_file_name("examples").join("toy");
            assert!(binary.is_file(), "cargo build --release -p cupel-cli --example toy comes first");
            words.next();
        }
        Command::new(binary).args(words).current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap()
    }

    fn succeeds(&self, line: &str) -> (String, String) {
        let output = self.output(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }

    fn refuses(&self, line: &str, code: i32, words: &str) {
        let output = self.output(line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(code) && stderr.contains(words),
            "{line}: {:?} {stderr}",
            output.status.code()
        );
    }

    fn json(&self, line: &str) -> Value {
        let (stdout, _) = self.succeeds(&format!("{line} --json"));
        let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{line}: {error} in {stdout}"));
        assert!(value.is_object(), "{line}: {stdout}");
        value
    }

    /// Every file with its content and time, but for the locks that whoever looks into a run takes for a moment.
    fn snapshot(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let mut files = BTreeMap::new();
        collect(self.0.path(), &mut files);
        files.retain(|path, _| !path.ends_with("run.lock"));
        files
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, (Vec<u8>, SystemTime)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, facts) = (entry.path(), entry.metadata().unwrap());
        if facts.is_dir() {
            collect(&path, files);
            files.insert(path, (Vec::new(), SystemTime::UNIX_EPOCH));
        } else {
            let content = fs::read(&path).unwrap();
            files.insert(path, (content, facts.modified().unwrap()));
        }
    }
}

/// The commands that the help of `name` lists, down to those that run; `""` is `cupel` itself.
fn commands(place: &Place, name: &str) -> Vec<String> {
    let (help, _) = place.succeeds(&format!("{name} --help"));
    let listed = help.split("\nCommands:\n").nth(1).map(|list| list.split("\n\n").next().unwrap_or(list));
    let Some(listed) = listed else { return vec![name.to_owned()] };
    // a line that goes on with a text is indented further
    let named = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let inner = named.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help");
    inner.flat_map(|word| commands(place, format!("{name} {word}").trim())).collect()
}

/// The flags that the help of a command shows.
fn flags(place: &Place, name: &str) -> BTreeSet<String> {
    let (help, _) = place.succeeds(&format!("{name} --help"));
    let of_line = |line: &str| {
        let flag = line.strip_prefix("      --")?.split_whitespace().next()?;
        Some(flag.split(['=', '[']).next().unwrap_or(flag).to_owned())
    };
    help.lines().filter_map(of_line).collect()
}

/// The numbers of a result without times and places.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let left_out = |name: &str| {
                name.contains("seconds")
                    || name == "speedup"
                    || ["run_dir", "written", "study", "out", "report", "page"].contains(&name)
            };
            fields
                .iter()
                .filter(|(name, _)| !left_out(name))
                .map(|(name, value)| (name.clone(), numbers(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(numbers).collect(),
        other => other.clone(),
    }
}

/// One command on its way through the proofs.
struct Subject<'a> {
    place: &'a Place,
    name: &'a str,
    call: &'a str,
    flags: BTreeSet<String>,
    calls: std::cell::Cell<u32>,
}

impl Subject<'_> {
    /// A call that writes to a new place, and that place without its ending.
    fn fresh(&self) -> (String, PathBuf) {
        self.calls.set(self.calls.get() + 1);
        let out = format!("out-{}-{}", self.name.replace(' ', "-"), self.calls.get());
        (format!("{} {}", self.name, self.call.replace("{}", &out)), self.place.path(&out))
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// The arrays and weights that a call left.
    fn bits(&self, out: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        if out.is_dir() {
            collect(out, &mut files);
        }
        let kept = |path: &Path| path.extension().is_some_and(|ending| ending == "npy" || ending == "safetensors");
        let name = |path: PathBuf| path.strip_prefix(out).unwrap().display().to_string();
        files
            .into_iter()
            .filter(|(path, _)| kept(path) && !path.starts_with(out.join("checkpoints")))
            .map(|(path, (content, _))| (name(path), content))
            .collect()
    }

    fn prove(&self, flag: &str) {
        let (line, out) = self.fresh();
        let place = self.place;
        match flag {
            "json" => drop(place.json(&line)),
            "quiet" => {
                let (stdout, stderr) = place.succeeds(&format!("{line} --quiet"));
                assert_eq!((stdout.as_str(), stderr.as_str()), ("", ""), "{line}");
            }
            "config" => {
                fs::write(place.path("c.toml"), "quiet = true\n").unwrap();
                assert_eq!(place.succeeds(&format!("{line} --config c.toml")), Default::default(), "{line}");
                fs::write(place.path("c.toml"), "# mine\n\nquite = true\n").unwrap();
                place.refuses(
                    &format!("{} --config c.toml", self.fresh().0),
                    1,
                    "c.toml, line 3: unknown setting `quite`; did you mean `quiet`?",
                );
            }
            "print-config" => {
                let before = place.snapshot();
                let (printed, _) = place.succeeds(&format!("{line} --print-config"));
                assert!(place.snapshot() == before, "{line}: printing settings writes nothing");
                printed.parse::<toml::Table>().unwrap();
                fs::write(place.path("printed.toml"), &printed).unwrap();
                let (again, _) = place.succeeds(&format!("{} --config printed.toml --print-config", self.name));
                assert_eq!(again, printed, "{line}");
            }
            "seed" => {
                let of = |seed: u32| {
                    let (line, out) = self.fresh();
                    (
                        numbers(&place.json(&format!("{line} --seed {seed}"))),
                        self.bits(&out),
                        ["mat", "npz"].map(|ending| fs::read(out.with_extension(ending)).ok()),
                    )
                };
                let (one, again, other) = (of(1), of(1), of(2));
                assert!(one == again, "{line}: a seed gives the same bits again");
                assert!(one != other, "{line}: another seed gives other numbers");
            }
            "threads" => {
                let of = |threads: u32| {
                    let (line, out) = self.fresh();
                    (numbers(&place.json(&format!("{line} --threads {threads}"))), self.bits(&out))
                };
                assert!(of(1) == of(2), "{line}: results depend on threads");
                place.refuses(&format!("{line} --threads 1000000"), 2, "at most 1024");
            }
            "device" => {
                place.succeeds(&format!("{line} --device cpu"));
                place.refuses(&format!("{} --device cuda:0", self.fresh().0), 1, "cuda");
            }
            "matmul-precision" => {
                place.succeeds(&format!("{line} --matmul-precision highest"));
                place.refuses(&format!("{line} --matmul-precision low"), 2, "high, highest");
            }
            "precision" | "use-amp" => {
                let environment = |flag: &str| {
                    let (line, out) = self.fresh();
                    place.succeeds(&format!("{line} {flag}"));
                    fs::read_to_string(out.join("environment.json")).unwrap()
                };
                if flag == "precision" {
                    assert!(environment("--precision bf16").contains("\"bf16\""), "{line}");
                    place.refuses(&format!("{line} --precision f8"), 2, "auto, f32, bf16, fp16");
                } else {
                    assert!(environment("--use-amp=false").contains("\"f32\""), "{line}");
                    place.refuses(&format!("{line} --use-amp --precision f32"), 2, "cannot be used with");
                }
            }
            "dry-run" => {
                let before = place.snapshot();
                let (said, _) = place.succeeds(&format!("{line} --dry-run"));
                place.json(&format!("{line} --dry-run"));
                assert!(!said.is_empty(), "{line}: a plan is printed");
                assert!(place.snapshot() == before, "{line}: a dry run writes nothing");
            }
            "out" => {
                let before = place.snapshot();
                place.succeeds(&line);
                let after = place.snapshot();
                let mut new = after.keys().filter(|path| !before.contains_key(*path)).peekable();
                assert!(new.peek().is_some(), "{line}: nothing was written");
                let stem = out.file_name().unwrap().to_str().unwrap();
                let within =
                    |path: &Path| path.strip_prefix(place.0.path()).unwrap().to_str().unwrap().starts_with(stem);
                assert!(new.all(|path| within(path)), "{line}: written elsewhere");
                assert!(
                    before.iter().all(|(path, facts)| after.get(path) == Some(facts)),
                    "{line}: something else changed"
                );
            }
            "force" => {
                place.succeeds(&line);
                let notes = out.join("notes.md");
                if out.is_dir() {
                    fs::create_dir(out.join("mine")).unwrap();
                    fs::write(out.join("mine/kept"), "kept").unwrap();
                    fs::write(&notes, "mine").unwrap();
                }
                let before = place.snapshot();
                if line.contains("out-") {
                    place.refuses(&line, 1, "--force");
                    assert!(place.snapshot() == before, "{line}: what is refused changes nothing");
                }
                place.succeeds(&format!("{line} --force"));
                assert!(
                    !out.is_dir() || notes.is_file() && out.join("mine/kept").is_file(),
                    "{line}: --force took what is not its own"
                );
            }
            "resume" => {
                let (first, _) = place.succeeds(&format!("{line} --resume")); // nothing is there yet: it starts
                let before = place.snapshot();
                let (said, _) = place.succeeds(&format!("{line} --resume"));
                assert!(said.contains("already finished") || said == first, "{line}: {said}");
                // processes that share a study note that they came, and leave its trials alone
                let noted = |path: &Path| {
                    let notes = ["config.toml", "environment.json", "files.txt"];
                    out.join("study.journal").is_file() && notes.iter().any(|name| path.ends_with(name))
                };
                let changed = |files: &BTreeMap<PathBuf, (Vec<u8>, SystemTime)>| -> Vec<PathBuf> {
                    files
                        .iter()
                        .filter(|(path, facts)| !noted(path) && before.get(*path) != Some(facts))
                        .map(|(path, _)| path.clone())
                        .collect()
                };
                assert_eq!(changed(&place.snapshot()), Vec::<PathBuf>::new(), "{line}: a finished run is left alone");
                place.refuses(&format!("{line} --resume --seed 77"), 1, "seed");
                assert_eq!(
                    changed(&place.snapshot()),
                    Vec::<PathBuf>::new(),
                    "{line}: another run is refused before it writes"
                );
                place.refuses(&format!("{line} --resume --force"), 2, "cannot be used with");
            }
            "strict" => {
                place.refuses(&format!("{line} --strict"), 2, "--resume");
                place.succeeds(&line);
                if out.join("study.journal").is_file() {
                    // a study has no checkpoints: strict is that nothing grows
                    let more = line.replace("--trials 2", "--trials 3 --resume");
                    place.refuses(&format!("{more} --strict"), 1, "trials: 2 -> 3");
                    place.succeeds(&more);
                    return;
                }
                fs::remove_file(out.join("finished.json")).unwrap();
                let mut files = BTreeMap::new();
                collect(&out.join("checkpoints"), &mut files);
                let of_set = |path: &PathBuf| {
                    path.is_file() && !path.ends_with("manifest.json") && fs::metadata(path).unwrap().len() > 0
                };
                let entry = files.keys().rfind(|path| of_set(path)).unwrap_or_else(|| panic!("{line}: no checkpoint"));
                let mut bytes = fs::read(entry).unwrap();
                bytes[0] ^= 0x10;
                fs::write(entry, bytes).unwrap();
                place.refuses(&format!("{line} --resume --strict"), 1, "changed after it was written");
            }
            "checkpoint-every" => {
                let sets = |flag: &str| {
                    let (line, out) = self.fresh();
                    place.succeeds(&format!("{line} {flag}"));
                    let mut files = BTreeMap::new();
                    collect(&out.join("checkpoints"), &mut files);
                    files.keys().filter(|path| path.ends_with("manifest.json")).count()
                };
                assert!(sets("--checkpoint-every 1") > sets(""), "{line}: more are kept than the last one");
                place.refuses(&format!("{line} --checkpoint-every 0"), 2, "--checkpoint-every");
            }
            "profile" => {
                place.succeeds(&format!("{line} --profile"));
                assert!(out.join("profile/trace.json").is_file() && out.join("profile/phases.txt").is_file(), "{line}");
            }
            other => panic!("--{other} has no proof"),
        }
    }
}

#[test]
fn every_command_obeys_every_shared_flag_that_it_shows() {
    let place = Place::new();
    let found: Vec<String> = ["", "toy"].iter().flat_map(|program| commands(&place, program)).collect();
    let expected: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    let serve = cfg!(feature = "remote").then_some("serve"); // serves until it is stopped
    let known = |name: &String| expected.contains(&name.as_str()) || serve == Some(name.as_str());
    assert!(
        found.iter().all(known) && expected.iter().all(|name| found.iter().any(|other| other == name)),
        "{found:?}"
    );
    let (mut proofs, mut unproven) = (0, Vec::new());
    for (name, call) in CALLS {
        let flags = flags(&place, name);
        let subject = Subject { place: &place, name, call, flags, calls: std::cell::Cell::default() };
        for flag in ["config", "print-config", "json", "quiet"] {
            assert!(subject.has(flag), "{name} has no --{flag}");
        }
        for flag in SHARED.iter().filter(|flag| subject.has(flag)) {
            let proof = std::panic::AssertUnwindSafe(|| subject.prove(flag));
            if std::panic::catch_unwind(proof).is_err() {
                unproven.push(format!("{name} --{flag}"));
            }
            proofs += 1;
        }
    }
    println!("{} commands, {proofs} pairs of a command and a shared flag", CALLS.len());
    assert!(unproven.is_empty(), "{unproven:#?}");
}
