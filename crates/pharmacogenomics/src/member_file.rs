//! A fitted [`Member`] as bytes: safetensors with the settings as JSON in the header, nothing that could run.

use crate::{
    boosting::{Boosting, BoostingConfig},
    classifier::{Majority, Member},
    counting::Counting,
    counts::{CountTable, Counts, CountsConfig},
    encoder::{Encoder, FieldRecord},
    error::{Error, Result},
    forest::{Forest, NODE_WORDS},
    linear::{Head, Linear, LinearConfig},
    neighbours::{NeighbourTarget, Neighbours, NeighboursConfig},
    network::{Network, NetworkConfig, widths},
    schema::{FieldKind, Schema},
    target_statistics::Recipe,
    targets::Classes,
    tokens::Tokens,
};
use burn::tensor::Device;
use cupel_train::{export_safetensors_bytes, import_safetensors_bytes};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, path::Path};

/// The entry of the header that holds the settings.
const SETTINGS: &str = "cupel.pharmacogenomics";

/// What the tensors belong to.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Settings {
    Majority(Majority),
    Counts {
        config: CountsConfig,
        tables: Vec<(Classes, Vec<f64>)>,
    },
    Linear {
        config: LinearConfig,
        schema: Schema,
        targets: Vec<Classes>,
    },
    Neighbours {
        config: NeighboursConfig,
        schema: Schema,
        targets: Vec<(Classes, Vec<f64>)>,
    },
    Boosting {
        config: BoostingConfig,
        schema: Schema,
        recipe: Recipe,
        tables: Vec<(Classes, Vec<f64>)>,
    },
    Network {
        config: Box<NetworkConfig>,
        schema: Schema,
        fields: Vec<FieldRecord>,
        targets: Vec<Classes>,
        /// What shares are told of, with the prior of each target.
        counted: Option<(Recipe, Vec<Vec<f64>>)>,
    },
}

/// What names the tensors of counts.
const KEYS: &str = "keys.";
const CELLS: &str = "cells.";
/// Wider layers than this are a damaged file: a net is made before its weights are read.
const LARGEST_LAYER: usize = 1 << 16;

/// What is wrong with counts that cannot be of the schema beside them.
const LEVELS: &str = "its levels and classes are not those of a schema";

struct Raw {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Raw {
    fn keys(name: String, keys: &[u64]) -> Self {
        let bytes = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        Self { name, dtype: Dtype::U64, shape: vec![keys.len()], bytes }
    }

    fn numbers<'a>(name: String, rows: usize, numbers: impl Iterator<Item = &'a f32>) -> Self {
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        let columns = (bytes.len() / 4).checked_div(rows).unwrap_or(0);
        Self { name, dtype: Dtype::F32, shape: vec![rows, columns], bytes }
    }
}

impl Member {
    /// The model as the bytes of a safetensors file.
    ///
    /// # Errors
    /// [`Error::Json`] and [`Error::Weights`] when it cannot be encoded.
    pub fn to_bytes(&self, targets: &[Classes]) -> Result<Vec<u8>> {
        let mut raw = Vec::new();
        let settings = match self {
            Self::Majority(model) => Settings::Majority(model.clone()),
            Self::Counts(model) => {
                raw.extend(raw_counts(model));
                Settings::Counts { config: model.config.clone(), tables: priors(model) }
            }
            Self::Linear(model) => {
                raw.push(Raw::keys("keys".into(), &model.tokens.keys()));
                for (target, head) in model.heads.iter().enumerate() {
                    raw.push(Raw::numbers(format!("weights.{target}"), model.tokens.len() + 1, head.weights.iter()));
                }
                let (config, schema) = (model.config.clone(), model.tokens.schema().clone());
                Settings::Linear { config, schema, targets: targets.to_vec() }
            }
            Self::Neighbours(model) => {
                raw.push(Raw::keys("keys".into(), &model.keys));
                for (index, target) in model.targets.iter().enumerate() {
                    let rows = target.weights.len();
                    raw.push(Raw::numbers(format!("truths.{index}"), rows, target.truths.iter()));
                    raw.push(Raw::numbers(format!("weights.{index}"), rows, target.weights.iter()));
                }
                let targets = model.targets.iter().map(|target| (target.classes.clone(), target.prior.clone()));
                let (config, schema) = (model.config.clone(), model.schema.clone());
                Settings::Neighbours { config, schema, targets: targets.collect() }
            }
            Self::Boosting(model) => {
                raw.extend(raw_counts(&model.counts));
                for (target, forest) in model.forests.iter().enumerate() {
                    let (base, roots, nodes) = forest.as_ref().map(Forest::words).unwrap_or_default();
                    // of no forest there is no base
                    let base = if forest.is_some() { base.to_vec() } else { Vec::new() };
                    for (name, words) in [("forest", base), ("roots", roots), ("nodes", nodes)] {
                        raw.push(Raw::keys(format!("{name}.{target}"), &words));
                    }
                }
                let (config, schema, recipe) = (model.config.clone(), model.schema.clone(), model.recipe.clone());
                Settings::Boosting { config, schema, recipe, tables: priors(&model.counts) }
            }
            Self::Network(model) => {
                let bytes = export_safetensors_bytes(&model.net)?;
                let weights = |source| Error::Weights { what: "encoding a network", source };
                for (name, view) in SafeTensors::deserialize(&bytes).map_err(weights)?.iter() {
                    let (dtype, shape, bytes) = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
                    raw.push(Raw { name: name.to_string(), dtype, shape, bytes });
                }
                let counting = model.counting.as_ref();
                raw.extend(counting.iter().flat_map(|counting| raw_counts(&counting.counts)));
                let priors = |counts: &Counts| counts.tables.iter().map(|table| table.prior.clone()).collect();
                Settings::Network {
                    counted: counting.map(|counting| (counting.recipe.clone(), priors(&counting.counts))),
                    config: Box::new(model.config.clone()),
                    schema: model.encoder.schema().clone(),
                    fields: model.encoder.record(),
                    targets: targets.to_vec(),
                }
            }
        };
        let weights = |source| Error::Weights { what: "encoding a model", source };
        let settings = serde_json::to_string(&settings).map_err(json("encoding a model"))?;
        let views = raw
            .iter()
            .map(|raw| Ok((raw.name.as_str(), TensorView::new(raw.dtype, raw.shape.clone(), &raw.bytes)?)))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(weights)?;
        safetensors::serialize(views, Some(HashMap::from([(SETTINGS.to_string(), settings)]))).map_err(weights)
    }

    /// The model that [`to_bytes`](Self::to_bytes) wrote, a network on `device`; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Model`] with what is wrong.
    pub fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Self> {
        let fault = |problem: String| Error::Model {
            path: path.to_path_buf(),
            problem,
            fix: "the file is damaged or not of this program; train the model again",
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| fault(error.to_string()))?;
        let settings = header.metadata().as_ref().and_then(|entries| entries.get(SETTINGS));
        let settings = settings.ok_or_else(|| fault("it holds no model of pharmacogenomics".into()))?;
        let settings: Settings = serde_json::from_str(settings).map_err(|error| fault(error.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| fault(error.to_string()))?;
        let keys = |name: &str| -> Result<Vec<u64>> {
            let view = file.tensor(name).map_err(|error| fault(format!("{name}: {error}")))?;
            if view.dtype() != Dtype::U64 {
                return Err(fault(format!("{name} is {:?}, expected U64", view.dtype())));
            }
            Ok(view.data().chunks_exact(8).map(|eight| u64::from_le_bytes(array(eight))).collect())
        };
        let numbers = |name: &str, expected: [usize; 2]| -> Result<Vec<f32>> {
            let view = file.tensor(name).map_err(|error| fault(format!("{name}: {error}")))?;
            if view.dtype() != Dtype::F32 || view.shape() != expected && expected[0] > 0 {
                let (dtype, shape) = (view.dtype(), view.shape());
                return Err(fault(format!("{name} is {dtype:?} {shape:?}, expected F32 {expected:?}")));
            }
            let numbers: Vec<f32> = view.data().chunks_exact(4).map(|four| f32::from_le_bytes(array(four))).collect();
            match numbers.iter().all(|number| number.is_finite()) {
                true => Ok(numbers),
                false => Err(fault(format!("{name} holds a number that is not finite"))),
            }
        };
        let count_tables = |tables: Vec<(Classes, Vec<f64>)>| -> Result<Vec<CountTable>> {
            let mut counts = Vec::new();
            for (target, (classes, prior)) in tables.into_iter().enumerate() {
                let keys = keys(&format!("{KEYS}{target}"))?;
                let width = classes.len() + 1;
                let cells = numbers(&format!("{CELLS}{target}"), [keys.len(), width])?;
                if prior.len() + 1 != width {
                    return Err(fault(format!("target {target} has {} classes and {} priors", width - 1, prior.len())));
                }
                let cells = keys.into_iter().zip(cells.chunks_exact(width).map(<[f32]>::to_vec)).collect();
                counts.push(CountTable { classes, prior, cells });
            }
            Ok(counts)
        };
        Ok(match settings {
            Settings::Majority(model) => Self::Majority(model),
            Settings::Counts { config, tables } => Self::Counts(Counts { config, tables: count_tables(tables)? }),
            Settings::Linear { config, schema, targets } => {
                schema.check().map_err(|error| fault(error.to_string()))?;
                let keys = keys("keys")?;
                let mut heads = Vec::new();
                for (target, classes) in targets.iter().enumerate() {
                    let (kind, width) = (classes.kind, classes.len());
                    let weights = numbers(&format!("weights.{target}"), [keys.len() + 1, width])?;
                    heads.push(Head { kind, width, weights });
                }
                let tokens = Tokens::of_keys(config.tokens.clone(), schema, &keys);
                if tokens.len() != keys.len() {
                    return Err(fault("a key stands there twice".into()));
                }
                Self::Linear(Box::new(Linear { config, tokens, heads }))
            }
            Settings::Neighbours { config, schema, targets } => {
                schema.check().map_err(|error| fault(error.to_string()))?;
                let keys = keys("keys")?;
                let fields = schema.fields.iter().filter(|field| field.kind == FieldKind::Category).count();
                if fields == 0 || keys.len() % fields != 0 {
                    return Err(fault(format!("{} keys for {fields} fields", keys.len())));
                }
                let rows = keys.len() / fields;
                let mut read = Vec::new();
                for (index, (classes, prior)) in targets.into_iter().enumerate() {
                    let truths = numbers(&format!("truths.{index}"), [rows, classes.len()])?;
                    let weights = numbers(&format!("weights.{index}"), [rows, 1])?;
                    if prior.len() != classes.len() || truths.len() != rows * classes.len() || weights.len() != rows {
                        return Err(fault(format!("target {index} does not fit its {rows} rows")));
                    }
                    read.push(NeighbourTarget { classes, prior, truths, weights });
                }
                Self::Neighbours(Box::new(Neighbours::new(config, schema, keys, read)))
            }
            Settings::Boosting { config, schema, recipe, tables } => {
                schema.check().map_err(|error| fault(error.to_string()))?;
                if !recipe.fits(&schema) || tables.iter().any(|(classes, _)| classes.is_empty()) {
                    return Err(fault(LEVELS.into()));
                }
                let mut forests = Vec::new();
                for target in 0..tables.len() {
                    let words = ["forest", "roots", "nodes"].map(|name| keys(&format!("{name}.{target}")));
                    let [base, roots, nodes] = words;
                    let read = read_forest(&base?, &roots?, &nodes?, recipe.width());
                    forests.push(read.ok_or_else(|| fault(format!("target {target} has no whole forest")))?);
                }
                let counts = Counts { config: recipe.counts(), tables: count_tables(tables)? };
                Self::Boosting(Box::new(Boosting { config, schema, recipe, counts, forests }))
            }
            Settings::Network { config, schema, fields, targets, counted } => {
                schema.check().map_err(|error| fault(error.to_string()))?;
                if config.net.embedding == 0
                    || [config.net.embedding, config.net.hidden, config.net.counted]
                        .iter()
                        .any(|width| *width > LARGEST_LAYER)
                {
                    return Err(fault(format!("a network of {} x {}", config.net.embedding, config.net.hidden)));
                }
                let encoder = Encoder::of_record(schema, fields).map_err(|error| fault(error.to_string()))?;
                let counting = match counted {
                    Some((recipe, priors)) => {
                        if !recipe.fits(encoder.schema()) || recipe.levels.is_empty() || priors.len() != targets.len() {
                            return Err(fault(LEVELS.into()));
                        }
                        let tables = count_tables(targets.iter().cloned().zip(priors).collect())?;
                        Some(Counting { counts: Counts { config: recipe.counts(), tables }, recipe })
                    }
                    None => None,
                };
                let widths = widths(&encoder, &targets, counting.as_ref());
                let net = config.net.init(&widths, device);
                let net = import_safetensors_bytes(&weights_alone(&file)?, net, &path.display().to_string())
                    .map_err(|error| fault(error.to_string()))?;
                let heads = targets.iter().map(|classes| (classes.kind, classes.len())).collect();
                let (config, device) = (*config, device.clone());
                Self::Network(Box::new(Network { config, encoder, counting, widths, heads, net, device }))
            }
        })
    }
}

/// The file without the counts, which are no weights of a net.
fn weights_alone(file: &SafeTensors<'_>) -> Result<Vec<u8>> {
    let counts = |name: &str| name.starts_with(KEYS) || name.starts_with(CELLS);
    let weights = file.iter().filter(|(name, _)| !counts(name));
    safetensors::serialize(weights, None).map_err(|source| Error::Weights { what: "reading a network", source })
}

fn priors(counts: &Counts) -> Vec<(Classes, Vec<f64>)> {
    counts.tables.iter().map(|table| (table.classes.clone(), table.prior.clone())).collect()
}

fn raw_counts(counts: &Counts) -> Vec<Raw> {
    let mut raw = Vec::new();
    for (target, table) in counts.tables.iter().enumerate() {
        let mut keys: Vec<u64> = table.cells.keys().copied().collect();
        keys.sort_unstable();
        let cells = keys.iter().flat_map(|key| &table.cells[key]);
        raw.push(Raw::numbers(format!("{CELLS}{target}"), keys.len(), cells));
        raw.push(Raw::keys(format!("{KEYS}{target}"), &keys));
    }
    raw
}

/// The forest of a target, or that there is none; `None` where the words make none.
#[expect(clippy::option_option, reason = "there may be no forest, and words that should make one may not")]
fn read_forest(head: &[u64], roots: &[u64], nodes: &[u64], features: usize) -> Option<Option<Forest>> {
    match head {
        [] => (roots.is_empty() && nodes.is_empty()).then_some(None),
        [base, trees, count] => {
            let whole =
                *trees == roots.len() as u64 && count.checked_mul(NODE_WORDS as u64) == Some(nodes.len() as u64);
            whole.then(|| Forest::of_words(*base, roots, nodes, features)).flatten().map(Some)
        }
        _ => None,
    }
}

/// As many bytes as there are: the caller cuts chunks of exactly that length.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

fn json(what: &str) -> impl FnOnce(serde_json::Error) -> Error {
    let what = what.to_string();
    move |source| Error::Json { what, source }
}
