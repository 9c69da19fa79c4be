//! Files made from the definitions: all pairs of alleles with every place read, then with something wrong at each place in turn.
//!
//! What is right is worked out here from the definitions' and phenotypes' own JSON, without the library.

use super::tables::{folder, grch38};
use cupel_pharmacogenomics::{Patient, PatientConfig, Source, Tables};
use rayon::prelude::*;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Cursor,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Genes with their common alleles: 254 pairs.
const COMMON: [(&str, &[&str]); 13] = [
    ("CYP2C19", &["*1", "*2", "*3", "*4", "*6", "*8", "*9", "*10", "*17", "*38"]),
    ("CYP2C9", &["*1", "*2", "*3", "*5", "*6", "*8", "*11"]),
    ("CYP2B6", &["*1", "*4", "*5", "*6", "*9", "*18", "*22"]),
    ("CYP3A5", &["*1", "*3", "*6", "*7"]),
    ("CYP3A4", &["*1", "*20", "*22"]),
    (
        "DPYD",
        &[
            "Reference",
            "c.1905+1G>A (*2A)",
            "c.1679T>G (*13)",
            "c.2846A>T",
            "c.1129-5923C>G, c.1236G>A (HapB3)",
            "c.85T>C (*9A)",
            "c.1627A>G (*5)",
        ],
    ),
    ("TPMT", &["*1", "*2", "*3A", "*3B", "*3C"]),
    ("NUDT15", &["*1", "*2", "*3", "*4", "*5", "*6"]),
    ("SLCO1B1", &["*1", "*5", "*14", "*15", "*20", "*37"]),
    ("UGT1A1", &["*1", "*6", "*28", "*36", "*80+*28", "*80+*37"]),
    ("VKORC1", &["rs9923231 reference (C)", "rs9923231 variant (T)"]),
    ("ABCG2", &["rs2231142 reference (G)", "rs2231142 variant (T)"]),
    (
        "G6PD",
        &[
            "B (reference)",
            "A",
            "A- 202A_376G",
            "Mediterranean, Dallas, Panama, Sassari, Cagliari, Birmingham",
            "Canton, Taiwan-Hakka, Gifu-like, Agrigento-like",
        ],
    ),
];
/// A drug of each gene whose guidelines ask for it.
const DRUGS: [(&str, &[&str]); 13] = [
    ("CYP2C19", &["clopidogrel", "voriconazole", "amitriptyline"]),
    ("CYP2C9", &["warfarin", "celecoxib", "phenytoin"]),
    ("CYP2B6", &["efavirenz"]),
    ("CYP3A5", &["tacrolimus"]),
    ("CYP3A4", &["quetiapine"]),
    ("DPYD", &["fluorouracil", "capecitabine"]),
    ("TPMT", &["azathioprine", "mercaptopurine"]),
    ("NUDT15", &["azathioprine", "mercaptopurine"]),
    ("SLCO1B1", &["simvastatin", "rosuvastatin"]),
    ("UGT1A1", &["atazanavir", "irinotecan"]),
    ("VKORC1", &["warfarin", "acenocoumarol"]),
    ("ABCG2", &["rosuvastatin"]),
    ("G6PD", &["rasburicase"]),
];

struct Place {
    position: u64,
    reference: String,
    alternates: Vec<String>,
}

/// A gene as its files say.
struct Gene {
    chromosome: String,
    places: Vec<Place>,
    names: Vec<String>,
    /// Of each allele the number of the text at each place, 0 for REF.
    numbers: Vec<Vec<usize>>,
}

/// Two alleles by their numbers.
type Pair = [usize; 2];

impl Gene {
    fn read(name: &str) -> Option<Self> {
        let text = fs::read_to_string(folder()?.join(format!("pharmcat/alleles/{name}_translation.json"))).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let own = |value: &Value| value.as_str().unwrap().to_string();
        let place = |variant: &Value| Place {
            position: variant["position"].as_u64().unwrap(),
            reference: own(&variant["ref"]),
            alternates: variant["alts"].as_array().unwrap().iter().map(own).collect(),
        };
        let places: Vec<Place> = file["variants"].as_array().unwrap().iter().map(place).collect();
        let named = file["namedAlleles"].as_array().unwrap();
        let reference = named.iter().find(|allele| allele["reference"] == true).unwrap();
        let number = |place: &Place, text: &str| match text == place.reference {
            true => Some(0),
            false => place.alternates.iter().position(|other| other == text).map(|at| at + 1),
        };
        let numbers = |allele: &Value| -> Vec<usize> {
            let all = allele["alleles"].as_array().unwrap().iter().zip(reference["alleles"].as_array().unwrap());
            // a letter for several bases: the reference is one of them
            let own = |((text, other), place): ((&Value, &Value), &Place)| {
                number(place, text.as_str().or(other.as_str()).unwrap()).unwrap_or(0)
            };
            all.zip(&places).map(own).collect()
        };
        let (names, numbers) = named.iter().map(|allele| (own(&allele["name"]), numbers(allele))).unzip();
        Some(Self { chromosome: own(&file["chromosome"]), places, names, numbers })
    }

    fn index(&self, name: &str) -> usize {
        self.names.iter().position(|own| own == name).unwrap()
    }

    /// The pairs of these alleles.
    fn pairs(&self, alleles: &[&str]) -> Vec<Pair> {
        pairs(&alleles.iter().map(|name| self.index(name)).collect::<Vec<_>>())
    }

    fn name(&self, pair: Pair) -> [&str; 2] {
        pair.map(|allele| self.names[allele].as_str())
    }

    /// The lines of a file with two alleles.
    fn lines(&self, pair: Pair, phased: bool) -> Vec<Vec<String>> {
        let line = |(index, place): (usize, &Place)| {
            let mut numbers = pair.map(|allele| self.numbers[allele][index]);
            if !phased {
                numbers.sort_unstable();
            }
            let genotype = format!("{}{}{}", numbers[0], if phased { '|' } else { '/' }, numbers[1]);
            let position = place.position.to_string();
            let alternates = place.alternates.join(",");
            let own =
                [&self.chromosome, &position, ".", &place.reference, &alternates, ".", "PASS", ".", "GT", &genotype];
            own.map(String::from).to_vec()
        };
        self.places.iter().enumerate().map(line).collect()
    }

    /// The pairs of alleles whose files look like a pair's file, but for one place that is left out.
    fn alike(&self, pair: Pair, skip: Option<usize>, phased: bool) -> Vec<Pair> {
        let places = || (0..self.places.len()).filter(|index| Some(*index) != skip);
        let own = |index: usize| pair.map(|allele| self.numbers[allele][index]);
        let fits = |allele: &usize| places().all(|index| own(index).contains(&self.numbers[*allele][index]));
        let candidates: Vec<usize> = (0..self.names.len()).filter(fits).collect();
        let same = |other: &Pair| {
            let at = |swap: bool| {
                places().all(|index| {
                    let (a, [x, y]) = (own(index), other.map(|allele| self.numbers[allele][index]));
                    a == if swap { [y, x] } else { [x, y] } || !phased && a == [y, x]
                })
            };
            at(false) || at(true)
        };
        pairs(&candidates).into_iter().filter(same).collect()
    }
}

const HEAD: &str = "##fileformat=VCFv4.2\n##contig=<ID=chr10,length=133797422>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\n";

fn patient(tables: &Tables, lines: &[Vec<String>]) -> Result<Patient, String> {
    let body: String = lines.iter().map(|line| line.join("\t") + "\n").collect();
    let stream = Box::new(Cursor::new(format!("{HEAD}{body}")));
    let patients = Patient::from_stream(stream, Path::new("generated.vcf"), tables, &PatientConfig::default());
    patients.map(|mut patients| patients.remove(0)).map_err(|error| error.to_string())
}

fn pairs(alleles: &[usize]) -> Vec<Pair> {
    alleles.iter().enumerate().flat_map(|(i, a)| alleles[i..].iter().map(|b| [*a, *b])).collect()
}

/// The phenotypes of pairs of alleles, by their names in any order, as the tables have them.
struct Truth(BTreeMap<(String, String, String), (String, Option<f64>)>);

impl Truth {
    fn read() -> Option<Self> {
        let mut of = BTreeMap::new();
        let text = fs::read_to_string(folder()?.join("diplotype_phenotype.tsv")).unwrap();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').collect();
            for (a, b) in [(cells[2], cells[3]), (cells[3], cells[2])] {
                of.insert((cells[0].into(), a.into(), b.into()), (cells[9].to_string(), cells[8].parse().ok()));
            }
        }
        let text = fs::read_to_string(folder()?.join("raw/pypgx_diplotype-table.csv")).unwrap();
        for line in text.lines().filter(|line| line.starts_with("G6PD,")) {
            let cells = line.trim_start_matches("G6PD,").trim_matches('"');
            let Some((pair, name)) = cells.rsplit_once(',') else { continue };
            let Some((a, b)) = pair.trim_matches('"').split_once('/') else { continue };
            let name = name.trim_start_matches("G6PD ").to_string();
            for (a, b) in [(a, b), (b, a)] {
                of.insert(("G6PD".into(), a.into(), b.into()), (name.clone(), None));
            }
        }
        Some(Self(of))
    }

    fn of(&self, gene: &str, [a, b]: [&str; 2]) -> Option<&(String, Option<f64>)> {
        self.0.get(&(gene.to_string(), a.to_string(), b.to_string()))
    }
}

#[test]
fn pairs_of_common_alleles_are_called_right_or_rightly_left_open() {
    let (Some(tables), Some(truth)) = (grch38(), Truth::read()) else { return };
    let (mut all, mut open) = (0, Vec::new());
    for (name, alleles) in COMMON {
        let gene = Gene::read(name).unwrap();
        for pair in gene.pairs(alleles) {
            all += 1;
            for phased in [true, false] {
                let names = gene.name(pair);
                let patient = patient(tables, &gene.lines(pair, phased)).unwrap();
                let call = patient.genes.iter().find(|call| call.gene == name).unwrap();
                assert_eq!(call.not_read, 0, "{name} {names:?}: {:?}", call.missing);
                let right = truth.of(name, names).unwrap_or_else(|| panic!("{name} {names:?} has no phenotype"));
                let own = call.phenotype.as_ref().map(|own| (own.name.clone(), own.activity_score));
                if let Some(own) = own {
                    assert_eq!(own, *right, "{name} {names:?} phased {phased}: {:?}", call.diplotypes);
                    continue;
                }
                // left open only where another pair looks the same and does something else
                let same = gene.alike(pair, None, phased);
                let phenotype = |other: Pair| truth.of(name, gene.name(other)).map(|own| own.0.clone());
                let phenotypes: BTreeSet<_> = same.into_iter().map(phenotype).collect();
                let because = &call.unknown_because;
                assert!(phenotypes.len() > 1, "{name} {names:?} phased {phased}: {:?} {because:?}", call.diplotypes);
                assert!(!phased, "{name} {names:?}: phase tells them apart");
                let either = [names.join("/"), [names[1], names[0]].join("/")];
                assert!(
                    call.diplotypes.iter().any(|own| either.contains(own)),
                    "{name} {names:?}: {:?}",
                    call.diplotypes
                );
                open.push(format!("{name} {}", names.join("/")));
            }
        }
    }
    assert!(all >= 253, "{all} pairs");
    println!("{all} pairs, phased and unphased: {} unphased rightly ambiguous: {}", open.len(), open.join(", "));
}

/// What answers say of the drugs of a gene: the recommendations, by id.
fn recommended(tables: &Tables, patient: &Patient, drugs: &[&str]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for drug in drugs {
        let answer = tables.guideline(drug, patient);
        assert!(answer.answered_by != Source::Model);
        ids.extend(answer.recommendations.iter().map(|one| format!("{drug} {} {}", one.id, one.recommendation)));
    }
    ids
}

#[test]
fn no_place_that_is_missing_lets_a_recommendation_stand_that_it_could_contradict() {
    let Some(tables) = grch38() else { return };
    let (files, silent) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for ((name, alleles), (_, drugs)) in COMMON.iter().zip(DRUGS) {
        let gene = Gene::read(name).unwrap();
        let known: Mutex<BTreeMap<Pair, Arc<BTreeSet<String>>>> = Mutex::default();
        let of_pair = |pair: Pair| -> Arc<BTreeSet<String>> {
            if let Some(known) = known.lock().unwrap().get(&pair) {
                return known.clone();
            }
            let said = Arc::new(recommended(tables, &patient(tables, &gene.lines(pair, false)).unwrap(), drugs));
            known.lock().unwrap().entry(pair).or_insert(said).clone()
        };
        let places = 0..gene.places.len();
        let own = gene.pairs(alleles);
        let work: Vec<(Pair, usize)> =
            own.into_iter().flat_map(|pair| places.clone().map(move |at| (pair, at))).collect();
        work.par_iter().for_each(|(pair, place)| {
            let mut lines = gene.lines(*pair, false);
            let could_be = gene.alike(*pair, Some(*place), false);
            let half = pair.map(|allele| gene.numbers[allele][*place]).into_iter().max().unwrap();
            // the line is not there, is not called, is half called
            // one of them here, the next at the next place and with the next pair
            let how = (pair[0] + pair[1] + place) % 3;
            match how {
                0 => drop(lines.remove(*place)),
                1 => lines[*place][9] = "./.".into(),
                _ => lines[*place][9] = format!("./{half}"),
            }
            if lines.is_empty() {
                return;
            }
            let patient = patient(tables, &lines).unwrap();
            files.fetch_add(1, Ordering::Relaxed);
            let said = recommended(tables, &patient, drugs);
            let has_half = |other: &&Pair| how != 2 || other.iter().any(|allele| gene.numbers[*allele][*place] == half);
            for other in could_be.iter().filter(has_half) {
                // a full genotype that leaves the gene open has no recommendation that could contradict
                let full = of_pair(*other);
                let wrong = said.iter().find(|one| !full.is_empty() && !full.contains(*one));
                let (own, other, at) = (gene.name(*pair), gene.name(*other), gene.places[*place].position);
                assert!(wrong.is_none(), "{name} {own:?} without {at}, which {other:?} may be: {wrong:?}");
            }
            if said.is_empty() {
                silent.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (files, silent) = (files.into_inner(), silent.into_inner());
    println!("{files} files, {silent} of them without a recommendation");
    assert!(files > 10_000);
}

#[test]
fn every_exchanged_reference_is_refused() {
    let Some(tables) = grch38() else { return };
    let files = AtomicUsize::new(0);
    for (name, alleles) in COMMON {
        let gene = Gene::read(name).unwrap();
        let places = 0..gene.places.len();
        let own = gene.pairs(alleles);
        let work: Vec<(Pair, usize)> =
            own.into_iter().flat_map(|pair| places.clone().map(move |at| (pair, at))).collect();
        work.par_iter().for_each(|(pair, place)| {
            let mut lines = gene.lines(*pair, false);
            let line = &mut lines[*place];
            let (first, others) = match line[4].split_once(',') {
                Some((first, others)) => (first.to_string(), format!(",{others}")),
                None => (line[4].clone(), String::new()),
            };
            let reference = std::mem::replace(&mut line[3], first);
            line[4] = reference + &others;
            files.fetch_add(1, Ordering::Relaxed);
            let said = patient(tables, &lines).err().unwrap_or_default();
            let pair = gene.name(*pair);
            assert!(said.contains("exchanged"), "{name} {pair:?} at {}: {said:?}", gene.places[*place].position);
        });
    }
    println!("{} files", files.into_inner());
}
