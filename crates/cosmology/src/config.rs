//! [`ObservationsConfig`]: where observations for training lie, and how they are loaded, by the names of the original's settings files.
//!
//! [`KEYS`] lists every key of such a file, so that one is read as it was written: `model_params.n_fg`, `training_params.cosmopath`.

use std::path::{Path, PathBuf};

use cupel_data::LoaderConfig;
use cupel_settings::{Kind, Range, Value, settings};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};
#[allow(unused_imports, reason = "links of the documentation")]
use crate::{model::VisibilityTrainConfig, network::NetworkTrainConfig};

/// Most threads that load.
const MOST_WORKERS: f64 = 256.0;
/// Most rows of a batch and most chunks of a sky.
const MOST: f64 = 1e6;

/// How many of several files are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileCount {
    /// All of them; `-1` in older settings files, where it dropped the last one.
    #[default]
    All,
    /// So many, from the first.
    #[serde(untagged)]
    First(usize),
}

impl FileCount {
    /// Of this many.
    pub fn of(self, there: usize) -> usize {
        match self {
            Self::All => there,
            Self::First(count) => count.min(there),
        }
    }
}

impl Value for FileCount {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        match text.trim() {
            "all" | "-1" => Ok(Self::All),
            number => match number.parse() {
                Ok(count) if count > 0 => Ok(Self::First(count)),
                _ => Err("a whole number of at least 1, or all (-1 in older files)".to_owned()),
            },
        }
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::All => "all".to_owned(),
            Self::First(count) => count.to_string(),
        })
    }
}

settings! {
    /// Observations for training: a cosmological signal with a foreground each.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ObservationsConfig in "observations" {
        /// Folder of the files with the cosmological signal, or one file
        pub cosmopath: Option<String> = None, "PATH";
        /// Folder of the files with the foregrounds, or one file
        pub galpath: Option<String> = None, "PATH";
        /// How many of the files with the signal are fitted on, or all
        pub num_train: FileCount = FileCount::All, "N|all";
        /// Share of the files, of signals and of foregrounds, that no fit sees
        pub validation_fraction: f64 = 0.1, in Range::at_least(0.0).below(1.0), "SHARE";
        /// Bins in right ascension that are taken, from the first: the rest of the sky is the plane of the Galaxy
        pub ra_bins: usize = 1024, in Range::at_least(1.0).at_most(MOST), "N";
        /// Chunks in right ascension into which a sky is divided
        pub split: usize = 8, in Range::at_least(1.0).at_most(MOST), "N";
        /// Turn every sky by a random number of bins in right ascension when training
        pub ra_shift_aug: bool = false;
        /// Add noise to the observations
        pub add_noise: bool = false;
        /// Standard deviation of the noise of each part, real and imaginary, in the unit of the files
        pub noiseamp: f64 = 1e-7, in Range::at_least(0.0), "SIGMA";
        /// Foreground modes
        pub n_fg: usize = 7, in Range::at_least(1.0).at_most(MOST), "K";
        /// Folder of the models
        pub model_dir: Option<String> = None, "FOLDER";
        /// Name of the model, which is its folder there
        pub model_name: Option<String> = None, "NAME";
        /// File of the components, where it is not in the folder of the model
        pub pca_components_path: Option<String> = None, "PATH";
        /// Skies in a batch
        pub batch_size: usize = 4, in Range::at_least(1.0).at_most(MOST), "N";
        /// Threads that load, where it is not said for training and validation apart
        pub num_workers: Option<usize> = None, in Range::at_least(0.0).at_most(MOST_WORKERS), "N";
        /// Threads that load for training; 4 unless given
        pub train_num_workers: Option<usize> = None, in Range::at_least(0.0).at_most(MOST_WORKERS), "N";
        /// Threads that load for validation; 2 unless given
        pub val_num_workers: Option<usize> = None, in Range::at_least(0.0).at_most(MOST_WORKERS), "N";
        /// Batches that each of them makes ahead
        pub prefetch_factor: usize = 2, in Range::at_least(1.0).at_most(MOST), "N";
        /// Megabytes of files that are kept in memory; 0 keeps none
        pub cache_mb: u64 = 0, in Range::at_least(0.0).at_most(1e9), "MB";
    }
    beside {
        /// Seed of the split and of all random draws.
        pub seed: u64 = 0;
    }
}

/// Every key of the original's settings files, and the setting that it is here: of the observations, of [`NetworkTrainConfig`], of
/// [`VisibilityTrainConfig`], or the seed and the precision of a run; nothing where there is no counterpart, as for what belongs to its framework
/// (`use_compile`).
pub const KEYS: &[(&str, Option<&str>)] = &[
    ("model_params.filters", Some("filters")),
    ("model_params.noiseamp", Some("noiseamp")),
    ("model_params.n_fg", Some("n-fg")),
    ("model_params.model_path", None),
    ("model_params.model_dir", Some("model-dir")),
    ("model_params.load_dir", None),
    ("model_params.model_name", Some("model-name")),
    ("model_params.act", Some("act")),
    ("model_params.loss", Some("loss")),
    ("model_params.pca_components_path", Some("pca-components-path")),
    ("model_params.model_version", Some("model-version")),
    ("model_params.levels", Some("levels")),
    ("model_params.block", Some("block")),
    ("model_params.n_blocks_per_stage", Some("n-blocks-per-stage")),
    ("model_params.norm", Some("norm")),
    ("model_params.norm_groups", Some("norm-groups")),
    ("model_params.activation", Some("activation")),
    ("model_params.pad_modes", Some("pad-modes")),
    ("model_params.downsample_kind", Some("downsample-kind")),
    ("model_params.upsample_kind", Some("upsample-kind")),
    ("model_params.strides", Some("strides")),
    ("model_params.conv_kernel_size", Some("conv-kernel-size")),
    ("model_params.two_conv_head", Some("two-conv-head")),
    ("model_params.attention_gates", Some("attention-gates")),
    ("model_params.use_se", Some("use-se")),
    ("model_params.factored_convs", Some("factored-convs")),
    ("model_params.film_conditioning", Some("film-conditioning")),
    ("model_params.film_cond_dim", Some("film-cond-dim")),
    ("model_params.freq_pos_encoding", Some("freq-pos-encoding")),
    ("model_params.freq_pos_dim", Some("freq-pos-dim")),
    ("training_params.learning_rate", Some("learning-rate")),
    ("training_params.batch_size", Some("batch-size")),
    ("training_params.epochs", Some("epochs")),
    ("training_params.gradient_clip", Some("gradient-clip")),
    ("training_params.seed", Some("seed")),
    ("training_params.load_model", None),
    ("training_params.add_noise", Some("add-noise")),
    ("training_params.num_train", Some("num-train")),
    ("training_params.cosmopath", Some("cosmopath")),
    ("training_params.galpath", Some("galpath")),
    ("training_params.early_stopping_patience", Some("early-stopping-patience")),
    ("training_params.early_stopping_min_delta", Some("early-stopping-min-delta")),
    ("training_params.train_num_workers", Some("train-num-workers")),
    ("training_params.val_num_workers", Some("val-num-workers")),
    ("training_params.num_workers", Some("num-workers")),
    ("training_params.prefetch_factor", Some("prefetch-factor")),
    ("training_params.mixed_precision", Some("precision")),
    ("training_params.use_compile", None),
    ("training_params.compile_mode", None),
    ("training_params.use_grad_checkpoint", Some("use-grad-checkpoint")),
    ("training_params.grad_accum_steps", Some("grad-accum-steps")),
    ("training_params.target_transform", Some("target-transform")),
    ("training_params.predict_residual", Some("predict-residual")),
    ("training_params.ra_shift_aug", Some("ra-shift-aug")),
    ("training_params.optimizer", Some("optimizer")),
    ("training_params.weight_decay", Some("weight-decay")),
    ("training_params.lr_schedule", Some("lr-schedule")),
    ("training_params.warmup_frac", Some("warmup-frac")),
    ("training_params.ema_decay", Some("ema-decay")),
    ("training_params.use_delay_loss", Some("use-delay-loss")),
    ("training_params.lambda_delay", Some("lambda-delay")),
    ("moment_2_params.model_name", None),
    ("moment_2_params.model_path", None),
    ("moment_2_params.mean_model_checkpoint", None),
    ("moment2_params.model_name", None),
    ("moment2_params.model_path", None),
    ("moment2_params.mean_model_checkpoint", None),
];

impl ObservationsConfig {
    /// The two folders.
    ///
    /// # Errors
    /// [`Error::Missing`] when one is not given.
    pub fn paths(&self) -> Result<(&Path, &Path)> {
        let missing = |setting| Error::Missing { setting, why: "it says where the files are" };
        let cosmologies = self.cosmopath.as_ref().ok_or(missing("cosmopath"))?;
        let foregrounds = self.galpath.as_ref().ok_or(missing("galpath"))?;
        Ok((Path::new(cosmologies), Path::new(foregrounds)))
    }

    /// The file of the components: the one that is named, or `<model_dir>/<model_name>/pca_components_nfg<N>.npz`.
    ///
    /// # Errors
    /// [`Error::Missing`] when neither the file nor folder and name of the model are given.
    pub fn components_path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.pca_components_path {
            return Ok(path.into());
        }
        let missing = |setting| Error::Missing { setting, why: "the components are kept in the folder of the model" };
        let folder = self.model_dir.as_ref().ok_or(missing("model-dir"))?;
        let name = self.model_name.as_ref().ok_or(missing("model-name"))?;
        Ok(Path::new(folder).join(name).join(format!("pca_components_nfg{}.npz", self.n_fg)))
    }

    /// How batches for training are loaded: shuffled, by 4 threads with 2 batches ahead each.
    pub fn training_loader(&self) -> LoaderConfig {
        let workers = self.train_num_workers.or(self.num_workers).unwrap_or(4);
        LoaderConfig { shuffle: true, ..self.loader(workers) }
    }

    /// How batches for validation are loaded: in order, by 2 threads with 2 batches ahead each.
    pub fn validation_loader(&self) -> LoaderConfig {
        self.loader(self.val_num_workers.or(self.num_workers).unwrap_or(2))
    }

    fn loader(&self, workers: usize) -> LoaderConfig {
        LoaderConfig {
            batch_size: self.batch_size,
            workers,
            prefetch: self.prefetch_factor * workers,
            shuffle: false,
            keep_last: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use cupel_settings::Settings;

    use super::*;

    #[test]
    fn every_key_is_a_setting_or_has_no_counterpart_and_none_is_there_twice() {
        let own: Vec<String> = ObservationsConfig::default().list().into_iter().map(|setting| setting.name).collect();
        let beside = NetworkTrainConfig::default().list().into_iter().chain(VisibilityTrainConfig::default().list());
        let beside: Vec<String> = beside.map(|setting| setting.name).collect();
        let of_a_run = ["seed", "precision"];
        for (position, (key, setting)) in KEYS.iter().enumerate() {
            assert!(KEYS[..position].iter().all(|(other, _)| other != key), "{key}");
            if let Some(setting) = setting {
                let known = own.iter().chain(&beside).any(|own| own == setting) || of_a_run.contains(setting);
                assert!(known, "{key} is {setting}");
            }
        }
        // what is new here has no older key
        let new = ["validation-fraction", "ra-bins", "split", "cache-mb"];
        for setting in own {
            let known = KEYS.iter().any(|(_, own)| *own == Some(&setting)) || new.contains(&setting.as_str());
            assert!(known, "{setting}");
        }
    }

    #[test]
    fn components_lie_where_the_original_put_them() {
        let mut config = ObservationsConfig::default();
        assert_eq!(
            config.components_path().unwrap_err().to_string(),
            "model-dir is not given; the components are kept in the folder of the model"
        );
        config.set("model_dir", "models").unwrap();
        config.set("model-name", "unet").unwrap();
        assert_eq!(config.components_path().unwrap(), Path::new("models/unet/pca_components_nfg7.npz"));
        config.set("n_fg", "11").unwrap();
        assert_eq!(config.components_path().unwrap(), Path::new("models/unet/pca_components_nfg11.npz"));
        config.set("pca_components_path", "own.npz").unwrap();
        assert_eq!(config.components_path().unwrap(), Path::new("own.npz"));
    }

    #[test]
    fn minus_one_is_all_of_them_and_not_all_but_one() {
        let mut config = ObservationsConfig::default();
        config.set("num_train", "-1").unwrap();
        assert_eq!((config.num_train, config.num_train.of(7)), (FileCount::All, 7));
        config.set("num-train", "3").unwrap();
        assert_eq!((config.num_train.of(7), config.num_train.of(2)), (3, 2));
        for wrong in ["0", "-2", "1.5", ""] {
            assert!(config.set("num-train", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loaders_have_four_and_two_threads_with_two_batches_ahead_unless_told_otherwise() {
        let mut config = ObservationsConfig::default();
        let (training, validation) = (config.training_loader(), config.validation_loader());
        assert_eq!((training.batch_size, training.workers, training.prefetch, training.shuffle), (4, 4, 8, true));
        assert_eq!((validation.workers, validation.prefetch, validation.shuffle), (2, 4, false));
        config.set("num_workers", "1").unwrap();
        config.set("val_num_workers", "0").unwrap();
        assert_eq!((config.training_loader().workers, config.validation_loader().workers), (1, 0));
    }
}
