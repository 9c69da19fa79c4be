//! A model learned from a table in memory, and asked.
//!
//! `cargo run --release -p cupel-example-table` prints what the model says of a drug and a gene, and fails unless it says "faster".

use cupel::{
    data::{Column, Stream, Table},
    pharmacogenomics::{Examples, Field, Schema, SplitConfig, SplitKind, Target, TrainConfig, Training, question},
    settings::Settings,
    train::{Run, device},
};

const ROWS: usize = 600;
const DRUGS: [&str; 3] = ["warfarin", "Codeine ", "clopidogrel"];
const GENES: [&str; 2] = ["CYP2C9", "cyp2d6"];
const EFFECTS: [&str; 2] = ["slower", "faster"];

fn column(names: &[&str], codes: Vec<u32>) -> Column {
    Column::Category { codes, names: names.iter().map(ToString::to_string).collect() }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // one drug is taken up faster with one of the genes, nine times in ten
    let stream = Stream::new(1, "rows of the table");
    let draw = |row: usize, purpose: u64, below: u64| (stream.child(purpose).u64(row as u64) % below) as u32;
    let drugs: Vec<u32> = (0..ROWS).map(|row| draw(row, 0, 3)).collect();
    let genes: Vec<u32> = (0..ROWS).map(|row| draw(row, 1, 2)).collect();
    let effect = |row: usize| u32::from((drugs[row] == 1 && genes[row] == 1) != (draw(row, 2, 10) == 0));
    let effects = (0..ROWS).map(effect).collect();
    let table = Table::new(vec![
        ("drug".into(), column(&DRUGS, drugs.clone())),
        ("gene".into(), column(&GENES, genes.clone())),
        ("effect".into(), column(&EFFECTS, effects)),
    ])?;
    let schema = Schema {
        group: None,
        weight: None,
        time: None,
        fields: vec![Field::category("drug"), Field::category("gene")],
        targets: vec![Target::classes("effect", 1)],
    };
    let examples = Examples::of_table(schema, table, "rows in memory")?;

    let split = SplitConfig { split: SplitKind::Random, ..SplitConfig::default() };
    let parts = split.parts(&examples)?;
    let mut config = TrainConfig::default();
    config.set("models", "counts,linear-crosses")?;
    let device = device::select("auto")?.device;
    let trained = Training::new(&config, &examples, &parts, split.name(), &device)?.run(&mut Run::in_memory())?;
    println!("{trained}");

    // names are spelt as in a file: case and blanks do not count
    let asked = question(examples.schema(), &[("drug".into(), "codeine".into()), ("gene".into(), "CYP2D6".into())])?;
    let answers = trained.model.answer(&asked, &[0])?;
    let effect = &answers[0].targets["effect"];
    println!("codeine with CYP2D6: {:?}", effect.probabilities);
    if effect.answer != ["faster"] {
        return Err(format!("the rows say faster, the model {:?}", effect.answer).into());
    }
    Ok(())
}
