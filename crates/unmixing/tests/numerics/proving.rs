//! The proving ground within a run.

use cupel_train::{Advance, Opening, Policy, Position, Progress, Run, SetReader, SetWriter};
use cupel_unmixing::{Family, Half, Method, Proof, Proving, ProvingConfig, Spatial, Unmixing, UnmixingConfig};

use super::samples::open_run;

const CUT_OFF: &str = "cut off";

/// A proving that is cut off, as by a power cut right after a checkpoint.
struct Until(Proving, u64);

impl Advance for Until {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        if at.update >= self.1 { Err(cupel_train::Error::work(CUT_OFF)) } else { self.0.advance(at) }
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        self.0.save(set)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.0.load(set)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        self.0.fingerprint()
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

/// All that came of it, but for the time it took and the place it lies in.
fn table(mut proof: Proof) -> serde_json::Value {
    proof.fits.iter_mut().for_each(|fit| fit.seconds = 0.0);
    proof.standings.iter_mut().for_each(|standing| standing.seconds = 0.0);
    proof.run_dir = None;
    serde_json::to_value(&proof).unwrap()
}

#[test]
fn one_that_is_cut_off_between_scenes_or_methods_ends_with_the_same_table() {
    let config = ProvingConfig {
        methods: vec![Method::Vca, Method::Spa],
        families: vec![Family::Mixed],
        half: Some(Half::Choosing),
        spatial: Spatial::Tv,
        spatial_weight: Some(0.01),
        number: false,
        ..ProvingConfig::default()
    };
    let settings = UnmixingConfig::default();
    let work = || Proving::new(Unmixing::new(settings), config.clone(), Vec::new()).unwrap();
    let whole = table(work().run(&mut Run::in_memory()).unwrap());
    assert_eq!(whole["fits"].as_array().unwrap().len(), 2 * 6);
    for stop in [1, 4] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let each = Policy { save_every: Some(1), ..Policy::default() };
        let error = open_run(&dir, &settings, Opening::Create).drive(&mut Until(work(), stop), &each).unwrap_err();
        assert_eq!(error.to_string(), CUT_OFF);
        let again = work().run(&mut open_run(&dir, &settings, Opening::Resume { strict: true })).unwrap();
        assert!(table(again) == whole, "cut off after {stop}");
        assert!(dir.join("report.html").is_file());
    }
}
