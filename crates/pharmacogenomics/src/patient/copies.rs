//! [`activity_of`]: the activity of alleles that are there in several copies, as `CYP2D6`'s are.
//!
//! `PharmVar` writes `*2x2` for two copies of one allele on one chromosome, `*68+*4` for different ones, `xN` where the number is not known; CPIC has
//! `*1x≥3` for three or more. The activity of a chromosome is the sum over its copies, that of a person the sum over both chromosomes
//! (Gaedigk et al., Clin. Pharmacol. Ther. 83, 234, 2008). Which phenotype a score of `CYP2D6` means is the consensus of CPIC and DPWG: 0 poor, below 1.25
//! intermediate, up to 2.25 normal, above ultrarapid (Caudle et al., Clin. Transl. Sci. 13, 116, 2020).

/// A sum of activities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activity {
    /// This.
    Exactly(f64),
    /// This or more.
    AtLeast(f64),
}

impl Activity {
    /// The number.
    pub(crate) fn least(self) -> f64 {
        match self {
            Self::Exactly(score) | Self::AtLeast(score) => score,
        }
    }

    /// As guidelines write it: `1.0`, `≥3.25`.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Exactly(score) => format!("{score:?}"),
            Self::AtLeast(score) => format!("≥{score:?}"),
        }
    }
}

/// Why alleles have no activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unscored {
    /// The tables do not know this allele.
    NoAllele(String),
    /// The tables know it and say no activity.
    NoActivity(String),
    /// How many copies there are is not said.
    Copies(String),
}

/// One allele name without its sub-allele: `*4` of `*4.024`.
pub(crate) fn without_suballele(name: &str) -> &str {
    match name.split_once('.') {
        Some((main, rest)) if main.starts_with('*') && rest.bytes().all(|byte| byte.is_ascii_digit()) => main,
        _ => name,
    }
}

/// The activity of both chromosomes; `of` gives that of an allele, `Some(None)` where it is known and has none.
pub(crate) fn activity_of(
    chromosomes: &[String],
    of: impl Fn(&str) -> Option<Option<f64>>,
) -> Result<Activity, Unscored> {
    let (mut sum, mut more) = (0.0, false);
    for chromosome in chromosomes {
        for unit in chromosome.split('+').map(str::trim) {
            let (name, copies, at_least) = unit_of(unit).ok_or_else(|| Unscored::Copies(unit.to_string()))?;
            let activity = of(name).ok_or_else(|| Unscored::NoAllele(name.to_string()))?;
            let activity = activity.ok_or_else(|| Unscored::NoActivity(name.to_string()))?;
            sum += activity * f64::from(copies);
            more |= at_least && activity > 0.0;
        }
    }
    Ok(if more { Activity::AtLeast(sum) } else { Activity::Exactly(sum) })
}

/// The allele, its copies, and whether there may be more; `None` where the number of copies is not said.
fn unit_of(unit: &str) -> Option<(&str, u32, bool)> {
    let (name, count) = match unit.split_once('x') {
        Some((name, count)) => (name, count),
        None => match unit.find('≥') {
            Some(at) => unit.split_at(at),
            None => (unit, "1"),
        },
    };
    let (count, at_least) = match count.strip_prefix('≥') {
        Some(count) => (count, true),
        None => (count, false),
    };
    let copies = count.trim().parse().ok().filter(|copies| (1..=100).contains(copies))?;
    Some((without_suballele(name.trim()), copies, at_least))
}

/// The phenotype of a score of `CYP2D6`.
pub(crate) fn cyp2d6(score: Activity) -> Option<&'static str> {
    const INTERMEDIATE: f64 = 1.25;
    const NORMAL: f64 = 2.25;
    match score {
        Activity::AtLeast(score) => (score > NORMAL).then_some("Ultrarapid Metabolizer"),
        Activity::Exactly(score) if score <= 0.0 => Some("Poor Metabolizer"),
        Activity::Exactly(score) if score < INTERMEDIATE => Some("Intermediate Metabolizer"),
        Activity::Exactly(score) if score <= NORMAL => Some("Normal Metabolizer"),
        Activity::Exactly(_) => Some("Ultrarapid Metabolizer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<Option<f64>> {
        match name {
            "*1" | "*2" => Some(Some(1.0)),
            "*10" => Some(Some(0.25)),
            "*41" => Some(Some(0.5)),
            "*4" | "*5" | "*36" | "*68" => Some(Some(0.0)),
            "*22" => Some(None),
            _ => None,
        }
    }

    #[test]
    fn copies_are_summed_as_pharmvar_writes_them() {
        for (pair, score, phenotype) in [
            ("*1/*1", "2.0", "Normal Metabolizer"),
            ("*1/*4.024", "1.0", "Intermediate Metabolizer"),
            ("*4/*5", "0.0", "Poor Metabolizer"),
            ("*10/*41", "0.75", "Intermediate Metabolizer"),
            ("*1/*10", "1.25", "Normal Metabolizer"),
            ("*1x2/*2", "3.0", "Ultrarapid Metabolizer"),
            ("*4x2/*2", "1.0", "Intermediate Metabolizer"),
            ("*68+*4/*41", "0.5", "Intermediate Metabolizer"),
            ("*36+*10/*36+*10", "0.5", "Intermediate Metabolizer"),
            ("*1/*2x≥3", "≥4.0", "Ultrarapid Metabolizer"),
            ("*1≥3/*10", "≥3.25", "Ultrarapid Metabolizer"),
            ("*4x≥3/*1", "1.0", "Intermediate Metabolizer"),
        ] {
            let chromosomes: Vec<String> = pair.split('/').map(String::from).collect();
            let activity = activity_of(&chromosomes, of).unwrap();
            assert_eq!((activity.shown().as_str(), cyp2d6(activity)), (score, Some(phenotype)), "{pair}");
        }
        for (pair, why) in [
            ("*1/*22", Unscored::NoActivity("*22".into())),
            ("*1/*999", Unscored::NoAllele("*999".into())),
            ("*1xN/*1", Unscored::Copies("*1xN".into())),
            ("*1x0/*1", Unscored::Copies("*1x0".into())),
        ] {
            let chromosomes: Vec<String> = pair.split('/').map(String::from).collect();
            assert_eq!(activity_of(&chromosomes, of), Err(why), "{pair}");
        }
    }
}
