//! Scenes larger than memory, in tiles.

use anyhow::{Result, bail};
use cupel::unmixing::{LargeScene, Truth, UnmixingConfig};

use super::{
    run::{Completed, Printed, Settings, select_device},
    scene::{EndmemberCount, MOST_ENDMEMBERS},
};
use crate::{
    folder::{Opened, close_run, open_run, run_dir, write_json},
    output::Output,
};

/// Unmixes a large scene in a run folder of its own; nothing with `--dry-run`.
///
/// # Errors
/// Options that need the whole scene, a device that is not there, a folder that may not be used, a run that fails.
pub fn run_large(settings: &Settings, scene: &LargeScene, output: Output) -> Result<Option<Completed>> {
    let options = &settings.options;
    if settings.runs > 1 {
        bail!("--runs {}: a scene larger than memory is unmixed once; leave --runs out", settings.runs);
    }
    let (rows, columns) = scene.image_size();
    let bands = scene.band_axis().len();
    let truth = match settings.scene.truth.as_slice() {
        [] => None,
        paths => {
            let truth = Truth::open(paths, rows, columns, bands)?;
            if truth.abundances.is_some() {
                output.note("true abundances are not compared: they are as large as the scene");
            }
            Some(truth.endmembers)
        }
    };
    let known = truth.as_ref().map(|truth| EndmemberCount::Fixed(truth.count()));
    let asked = match settings.scene.endmembers.or(known).unwrap_or(EndmemberCount::Auto) {
        EndmemberCount::Fixed(count) => Some(count),
        EndmemberCount::Auto => None,
    };
    if let (Some(asked), Some(truth)) = (asked, &truth)
        && asked < truth.count()
    {
        bail!("--endmembers {asked}: the truth has {}; ask for at least as many", truth.count());
    }
    let (device, casting) = select_device(settings, rows * columns * bands, output)?;
    let dir = run_dir(options, &settings.scene.file, "unmix")?;
    output.note(format_args!("{rows} x {columns} pixels in {bands} bands, read in {} tiles", scene.tiles()));
    if options.dry_run {
        output.note(format_args!("results would go to {}", dir.display()));
        return Ok(None);
    }
    let mut run = match open_run(&dir, settings, (options, settings.profile), (&device, &casting), output)? {
        Opened::Earlier(earlier) => return Ok(Some(Completed::Earlier(earlier))),
        Opened::Run(run) => run,
    };
    let config = UnmixingConfig {
        method: settings.methods[0].into(),
        abundance: settings.scene.abundance.into(),
        restarts: settings.scene.restarts,
        seed: options.seed,
        ..UnmixingConfig::new(asked.unwrap_or(1))
    };
    let streamed = scene.unmix(config, asked, MOST_ENDMEMBERS, truth.as_ref(), &mut run, &options.saving(), &dir)?;
    write_json(&dir.join("metrics.json"), &streamed.summary)?;
    close_run(&mut run, settings.profile, &streamed.summary, output)?;
    Ok(Some(Completed::Done(Box::new(Printed::of(streamed.summary)))))
}
