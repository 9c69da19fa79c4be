//! A [`Predictor`] as a folder: weights in safetensors, the rest in `model.json`, a card to read.
//!
//! | file | content |
//! |---|---|
//! | `member-N.safetensors` | the weights of model N, but for a network |
//! | `best/model.safetensors` | the weights of the network |
//! | `evidence.tsv` | the training rows, for the nearest evidence of an answer |
//! | `card.md` | the model card |
//! | `model.json` | schema, names, classes, blend, thresholds, the hash of every other file and its own; written last |
//!
//! The hash of `model.json` is that of its text with an empty hash in the place of its own, so that no byte of the folder's files can change unnoticed.

use crate::{
    classifier::Member,
    encoder::{Encoder, FieldRecord},
    error::{Error, Result},
    evidence::Evidence,
    predictor::{Answering, Predictor},
    schema::Schema,
    targets::Classes,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

const MODEL: &str = "model.json";
/// The best weights of the network, where every training command of this program puts them.
const NETWORK: &str = "best/model.safetensors";
const EVIDENCE: &str = "evidence.tsv";
const CARD: &str = "card.md";
/// The format that is written and read: 2 has the hash of `model.json` itself, 3 decides classes by a scale and a shift of each.
const FORMAT: u32 = 3;
/// How the hash of `model.json` stands in it.
const OWN_HASH: &str = "\n  \"hash\": \"";

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The table.
    pub table: String,
    /// BLAKE3 of the table.
    pub table_hash: String,
    /// The column or kind of the split.
    pub split: String,
    /// Rows of train and validation.
    pub rows: [usize; 2],
    /// Whether the split was known to leak.
    pub leaky: bool,
    /// Every random draw followed from this.
    pub seed: u64,
}

/// What is wrong with a file that was changed.
const CHANGED: &str = "its content is not what was written: its hash is another";

/// What every format has.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    version: String,
    schema: Schema,
    fields: Vec<FieldRecord>,
    classes: Vec<Classes>,
    answering: Vec<Answering>,
    members: Vec<String>,
    origin: Origin,
    /// BLAKE3 of each file beside this one.
    files: BTreeMap<String, String>,
    /// BLAKE3 of this file without these letters.
    hash: String,
}

/// The text of `model.json` without its own hash, that hash, and where it stood.
fn unsealed(text: &str) -> Option<(String, &str, usize)> {
    let start = text.rfind(OWN_HASH)? + OWN_HASH.len();
    let end = start + text[start..].find('"')?;
    Some((format!("{}{}", &text[..start], &text[end..]), &text[start..end], start))
}

/// Puts its hash into the text of `model.json`.
fn sealed(text: &str) -> String {
    let Some((mut bare, _, at)) = unsealed(text) else { return text.to_string() };
    let hash = blake3::hash(bare.as_bytes()).to_hex();
    bare.insert_str(at, &hash);
    bare
}

/// A model from a folder, with what is needed to answer.
#[derive(Clone, Debug)]
pub struct Model {
    /// The models and their calibration.
    pub predictor: Predictor,
    /// The names that training saw.
    pub encoder: Encoder,
    /// The training rows.
    pub evidence: Evidence,
    /// Where it comes from.
    pub origin: Origin,
}

impl Model {
    /// Writes the folder; `card` is the text of the model card.
    ///
    /// # Errors
    /// [`Error::Data`] when a file cannot be written, [`Error::Weights`] and [`Error::Json`] when it cannot be encoded.
    pub fn save(&self, dir: &Path, card: &str) -> Result<()> {
        fs::create_dir_all(dir).map_err(cupel_data::Error::io("create the folder", dir))?;
        let mut files = BTreeMap::new();
        let mut write = |name: &str, bytes: &[u8]| -> Result<()> {
            let folder = dir.join(name);
            let folder = folder.parent().unwrap_or(dir);
            fs::create_dir_all(folder).map_err(cupel_data::Error::io("create the folder", folder))?;
            files.insert(name.to_string(), blake3::hash(bytes).to_hex().to_string());
            write_file(&dir.join(name), bytes)
        };
        let mut members = Vec::new();
        for (index, member) in self.predictor.members.iter().enumerate() {
            let network = matches!(member, Member::Network(_)) && !members.contains(&NETWORK.to_string());
            let name = if network { NETWORK.to_string() } else { format!("member-{index}.safetensors") };
            write(&name, &member.to_bytes(&self.predictor.classes)?)?;
            members.push(name);
        }
        write(EVIDENCE, self.evidence.to_tsv()?.as_bytes())?;
        write(CARD, card.as_bytes())?;
        let content = Content {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            schema: self.predictor.schema.clone(),
            fields: self.encoder.record(),
            classes: self.predictor.classes.clone(),
            answering: self.predictor.answering.clone(),
            members,
            origin: self.origin.clone(),
            files,
            hash: String::new(),
        };
        let text = serde_json::to_string_pretty(&content)
            .map_err(|source| Error::Json { what: format!("encoding {MODEL}"), source })?;
        write_file(&dir.join(MODEL), sealed(&text).as_bytes())
    }

    /// Reads a folder that [`save`](Self::save) wrote; networks compute on `device`; every file is checked against its hash.
    ///
    /// # Errors
    /// [`Error::Model`] with the file and what is wrong with it.
    pub fn open(dir: &Path, device: &Device) -> Result<Self> {
        let path = dir.join(MODEL);
        let fault = |path: &Path, problem: String, fix| Error::Model { path: path.to_path_buf(), problem, fix };
        let damaged = "the folder is damaged or incomplete; copy it again or train anew";
        let text = fs::read_to_string(&path).map_err(|error| {
            fault(&path, error.to_string(), "name the folder of a trained model, the one with model.json")
        })?;
        let Header { format } =
            serde_json::from_str(&text).map_err(|error| fault(&path, error.to_string(), damaged))?;
        if format != FORMAT {
            let problem = format!("its format is {format}, this program reads {FORMAT}");
            return Err(fault(&path, problem, "use the version of cupel that wrote it, or train anew"));
        }
        match unsealed(&text) {
            Some((bare, hash, _)) if blake3::hash(bare.as_bytes()).to_hex().as_str() == hash => {}
            _ => return Err(fault(&path, CHANGED.into(), damaged)),
        }
        let content: Content = serde_json::from_str(&text).map_err(|error| fault(&path, error.to_string(), damaged))?;
        let read = |name: &str| -> Result<Vec<u8>> {
            let path = dir.join(name);
            let bytes = fs::read(&path).map_err(|error| fault(&path, error.to_string(), damaged))?;
            match content.files.get(name) {
                Some(hash) if *hash == blake3::hash(&bytes).to_hex().to_string() => Ok(bytes),
                _ => Err(fault(&path, CHANGED.into(), damaged)),
            }
        };
        // what nothing reads here is a part of the model too
        read(CARD)?;
        let (targets, answers) = (content.schema.targets.len(), content.answering.len());
        if content.classes.len() != targets || answers != targets {
            let problem = format!("{targets} targets, {} classes and {answers} answers", content.classes.len());
            return Err(fault(&path, problem, damaged));
        }
        content.schema.check()?;
        let members = content
            .members
            .iter()
            .map(|name| Member::from_bytes(&read(name)?, &dir.join(name), device))
            .collect::<Result<Vec<_>>>()?;
        for (classes, answering) in content.classes.iter().zip(&content.answering) {
            let weights = if answering.blend.kind == crate::TargetKind::Class {
                members.len()
            } else {
                members.len() * classes.len()
            };
            if answering.blend.weights.len() != weights || answering.blend.shifts.len() != classes.len() {
                return Err(fault(&path, format!("the blend of {} does not fit", classes.target), damaged));
            }
        }
        let encoder = Encoder::of_record(content.schema.clone(), content.fields)?;
        read(EVIDENCE)?;
        let evidence = Evidence::open(&dir.join(EVIDENCE), &content.schema)?;
        let predictor = Predictor {
            schema: content.schema,
            classes: content.classes,
            members,
            answering: content.answering,
            encoder: encoder.clone(),
        };
        Ok(Self { predictor, encoder, evidence, origin: content.origin })
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = |file: &mut dyn std::io::Write| file.write_all(bytes).map_err(cupel_data::Error::io("write", path));
    Ok(cupel_data::write_atomic(path, write)?)
}
