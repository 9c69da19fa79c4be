//! The proving ground within a run.

use cupel_train::{
    Opening, Policy, Run,
    checks::{CUT_OFF, CutOff},
};
use cupel_unmixing::{Family, Half, Method, Proof, Proving, ProvingConfig, Spatial, Unmixing, UnmixingConfig};

use super::samples::open_run;

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
        let mut cut = CutOff { work: &mut work(), after: stop };
        let error = open_run(&dir, &settings, Opening::Create).drive(&mut cut, &each).unwrap_err();
        assert_eq!(error.to_string(), CUT_OFF);
        let again = work().run(&mut open_run(&dir, &settings, Opening::Resume { strict: true })).unwrap();
        assert!(table(again) == whole, "cut off after {stop}");
        assert!(dir.join("report.html").is_file());
    }
}
