//! [`HlaType`]: a type of an HLA gene as laboratories write it, and what types say of the results that rules ask for.
//!
//! Names follow the WHO Nomenclature Committee (Marsh et al., Tissue Antigens 75, 291, 2010): fields of digits with colons between, the first two say
//! which protein it is, a letter at the end how it is expressed. The same type is written `HLA-B*57:01`, `B*57:01`, `*57:01` and `57:01`.

/// Letters of groups of types that are one protein, or one sequence where it binds; other letters change the expression.
const GROUPS: [char; 2] = ['G', 'P'];
/// What a type looks like.
pub(crate) const EXPECTED: &str = "a type such as *57:01 or *57:01:01, two of them with a slash between";

/// A type: `*57:01:01` is the fields 57, 01 and 01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HlaType {
    fields: Vec<String>,
    letter: Option<char>,
}

/// What types say of one that a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Same,
    Other,
    Open,
}

impl HlaType {
    /// Reads a type of a gene such as `HLA-B`; `None` where it is none of this gene.
    pub(crate) fn parse(gene: &str, text: &str) -> Option<Self> {
        let locus = gene.strip_prefix("HLA-").unwrap_or(gene);
        let text = text.trim();
        let start = |text: &str, prefix: &str| {
            text.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| prefix.len())
        };
        let rest = start(text, "HLA-").map_or(text, |end| &text[end..]);
        let rest = match rest.split_once('*') {
            Some((front, rest)) if front.is_empty() || front.eq_ignore_ascii_case(locus) => rest,
            Some(_) => return None,
            None => start(rest, locus).map_or(rest, |end| &rest[end..]),
        };
        let letter = rest.chars().last().filter(char::is_ascii_uppercase);
        let digits = letter.map_or(rest, |_| &rest[..rest.len() - 1]);
        let fields: Vec<String> = digits.split(':').map(str::to_string).collect();
        let field = |field: &String| matches!(field.len(), 2..=4) && field.bytes().all(|byte| byte.is_ascii_digit());
        let whole = matches!(fields.len(), 1..=4) && fields.iter().all(field);
        // `*57` is a group of types; `5701` would be read as one, and is none
        let single = fields.len() == 1 && (fields[0].len() > 3 || letter.is_some());
        (whole && !single).then_some(Self { fields, letter })
    }

    /// As rules write it.
    pub(crate) fn name(&self) -> String {
        let letter = self.letter.map(String::from).unwrap_or_default();
        format!("*{}{letter}", self.fields.join(":"))
    }

    /// Whether it is `asked`, another, or could be either: a group of types, one that is not expressed as usual.
    fn known(&self, asked: &Self) -> Known {
        let same = self.fields.iter().zip(&asked.fields).all(|(a, b)| a == b);
        let usual = self.letter.is_none_or(|letter| GROUPS.contains(&letter));
        match (same, usual && self.fields.len() >= asked.fields.len()) {
            (false, _) if self.fields.len() > 1 => Known::Other,
            (true, true) => Known::Same,
            _ => Known::Open,
        }
    }
}

/// A result such as `*57:01 positive`: the type, and whether it is there; `None` where it is no such result.
pub(crate) fn result(gene: &str, text: &str) -> Option<(HlaType, bool)> {
    let (name, result) = text.trim().rsplit_once(char::is_whitespace)?;
    let positive = match result.to_ascii_lowercase().as_str() {
        "positive" => true,
        "negative" => false,
        _ => return None,
    };
    Some((HlaType::parse(gene, name)?, positive))
}

/// Whether types prove a result such as `*57:01 positive`: one that is it proves that it is there, only two others that it is not.
pub(crate) fn proves(gene: &str, types: &[String], asked: &str) -> bool {
    let Some((asked, positive)) = result(gene, asked) else { return false };
    let Some(types) = types.iter().map(|name| HlaType::parse(gene, name)).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let mut known = types.iter().map(|own| own.known(&asked));
    match positive {
        _ if types.len() > 2 => false,
        true => known.any(|known| known == Known::Same),
        false => types.len() == 2 && known.all(|known| known == Known::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name() {
        for text in ["HLA-B*57:01", "B*57:01", "*57:01", "57:01", "hla-b*57:01", " *57:01 ", "B57:01"] {
            assert_eq!(HlaType::parse("HLA-B", text).map(|own| own.name()).as_deref(), Some("*57:01"), "{text}");
        }
        for text in
            ["*57:XX", "*5701", "A*57:01", "HLA-A*57:01", "", "*", "57:01:", "*57:0", "*57:01 or *58:01", "yes", "57N"]
        {
            assert_eq!(HlaType::parse("HLA-B", text), None, "{text}");
        }
    }

    #[test]
    fn only_types_that_are_known_prove() {
        let said = |types: &[&str]| {
            let types: Vec<String> = types.iter().map(|text| (*text).to_string()).collect();
            let [yes, no] = ["*57:01 positive", "*57:01 negative"].map(|asked| proves("HLA-B", &types, asked));
            assert!(!(yes && no));
            if yes {
                "positive"
            } else if no {
                "negative"
            } else {
                "open"
            }
        };
        for (types, right) in [
            (&["*57:01", "*08:01"][..], "positive"),
            (&["*58:01", "*57:01:01"], "positive"),
            (&["*57:01:01G", "*08:01"], "positive"),
            (&["*57:01"], "positive"),
            (&["*08:01"], "open"),
            (&["*08:01", "*58:01"], "negative"),
            (&["*57:03", "*58:01N"], "negative"),
            (&["*57", "*08:01"], "open"),
            (&["*57:01N", "*08:01"], "open"),
            (&["*57:XX", "*08:01"], "open"),
            (&["*08:01", "*58:01", "*57:01"], "open"),
        ] {
            assert_eq!(said(types), right, "{types:?}");
        }
    }
}
