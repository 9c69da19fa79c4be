//! Parts and stems of names as two more fields of lists, so that a network knows what names have in common.
//!
//! The ids of a field say only whether two names are equal. `cyp2c19*1,cyp2c19*2` and `cyp2c19*2` share an allele, and drugs of
//! one class end alike; what at least two names of the training rows share becomes an id of its own, and a name that training
//! never saw is known by these.

use crate::{
    error::Result,
    examples::Examples,
    names::Names,
    schema::{Field, FieldKind},
    tokens::{parts, stems},
};
use cupel_data::{Column, MISSING};
use std::collections::{BTreeMap, HashMap};

/// The field with the parts of the names of all fields.
pub(crate) const PARTS: &str = "~parts";
/// The field with the stems of the names of drugs.
pub(crate) const STEMS: &str = "~stems";
/// The fields whose names have stems.
pub(crate) const STEM_FIELDS: [&str; 1] = ["drug"];

/// What is known of drugs from elsewhere, such as the levels of their ATC codes.
pub(crate) type Attributes = BTreeMap<String, Vec<String>>;

/// What the name of a field has.
fn texts(field: &Field, index: usize, name: &str, attributes: &Attributes) -> [Vec<String>; 2] {
    let parts = parts(name).into_iter().map(|part| format!("{index} {part}")).collect();
    if !STEM_FIELDS.contains(&field.name.as_str()) {
        return [parts, Vec::new()];
    }
    let known = attributes.get(name).into_iter().flatten().map(|attribute| format!("is {attribute}"));
    [parts, stems(name).into_iter().chain(known).collect()]
}

/// How many names of the training `rows` have each part and stem.
pub(crate) fn shared(examples: &Examples, rows: &[usize], attributes: &Attributes) -> Result<HashMap<String, u32>> {
    let mut names_with = HashMap::new();
    for (index, field) in examples.schema().fields.iter().enumerate() {
        if field.kind != FieldKind::Category {
            continue;
        }
        let (codes, names) = examples.table().category(&field.name)?;
        let mut seen = vec![false; names.len()];
        rows.iter().map(|row| codes[*row]).filter(|code| *code != MISSING).for_each(|code| seen[code as usize] = true);
        for (name, _) in names.iter().zip(seen).filter(|(_, seen)| *seen) {
            for text in texts(field, index, name, attributes).into_iter().flatten() {
                *names_with.entry(text).or_default() += 1;
            }
        }
    }
    Ok(names_with)
}

/// The examples with the two fields; what `keep` refuses is left out.
pub(crate) fn with_parts(
    examples: &Examples,
    attributes: &Attributes,
    keep: impl Fn(&str, &str) -> bool,
) -> Result<Examples> {
    let mut lists = [PARTS, STEMS].map(|name| (name, Names::default(), vec![0_usize], Vec::<u32>::new()));
    // of each field of categories the codes of the rows, and of each code what its name has
    let mut columns = Vec::new();
    for (index, field) in examples.schema().fields.iter().enumerate() {
        if field.kind != FieldKind::Category {
            continue;
        }
        let (codes, names) = examples.table().category(&field.name)?;
        let mut has: Vec<[Vec<u32>; 2]> = Vec::with_capacity(names.len());
        for name in names {
            let texts = texts(field, index, name, attributes);
            let mut own = [Vec::new(), Vec::new()];
            for ((list, texts), own) in lists.iter_mut().zip(texts).zip(&mut own) {
                let kept = texts.iter().filter(|text| keep(list.0, text));
                own.extend(kept.filter_map(|text| list.1.insert(text)));
                own.sort_unstable();
                own.dedup();
            }
            has.push(own);
        }
        columns.push((codes, has));
    }
    for row in 0..examples.len() {
        for (which, (_, _, offsets, all)) in lists.iter_mut().enumerate() {
            for (codes, has) in &columns {
                if let Some(own) = has.get(codes[row] as usize) {
                    all.extend_from_slice(&own[which]);
                }
            }
            offsets.push(all.len());
        }
    }
    let more = lists.map(|(name, names, offsets, codes)| {
        let field = Field { kind: FieldKind::Many, ..Field::category(name) };
        let names = names.iter().map(str::to_string).collect();
        (field, Column::Many { offsets, codes, names })
    });
    examples.with_fields(more.into())
}
