//! [`normalise`]: one spelling for what people write in several, in one pass and without patterns.
//!
//! | rule | example |
//! |---|---|
//! | white space at the ends goes, and before `*` | ` CYP2C9 *3 ` is `cyp2c9*3` |
//! | letters are lower case | `Warfarin` is `warfarin` |
//! | runs of white space and `_` are one blank | `kidney_transplantation` is `kidney transplantation` |
//! | `;` is a comma, and `,` `/` `+` stand without white space | `A ; B` is `a,b`, `*1 / *2` is `*1/*2` |
//! | every dash is `-` | `HLA–B` is `hla-b` |
//!
//! A text that is normalised stays as it is. Everything else is kept: `:` and `*` carry meaning in names of alleles.

/// What a byte means to the pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Copied, in lower case.
    Plain,
    /// White space and what counts as such.
    Blank,
    /// Stands without white space around it.
    Joint,
    /// Stands without white space before it.
    Star,
    /// Part of a character beyond ASCII.
    Wide,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte = 128;
    while byte < 256 {
        classes[byte] = Class::Wide;
        byte += 1;
    }
    let mut blank = 0;
    while blank <= b' ' as usize {
        classes[blank] = Class::Blank;
        blank += 1;
    }
    classes[b'_' as usize] = Class::Blank;
    classes[b',' as usize] = Class::Joint;
    classes[b';' as usize] = Class::Joint;
    classes[b'/' as usize] = Class::Joint;
    classes[b'+' as usize] = Class::Joint;
    classes[b'*' as usize] = Class::Star;
    classes
};

/// Appends the normalised form of `text` to `out`.
///
/// # Example
/// ```
/// let mut out = String::new();
/// cupel_pharmacogenomics::normalise("  CYP2C19 *1 / *2;CYP3A5*3 ", &mut out);
/// assert_eq!(out, "cyp2c19*1/*2,cyp3a5*3");
/// ```
pub fn normalise(text: &str, out: &mut String) {
    let start = out.len();
    let bytes = text.as_bytes();
    let mut blank = false;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match CLASSES[usize::from(byte)] {
            Class::Plain => {
                if std::mem::take(&mut blank) {
                    separate(out, start);
                }
                // a run of plain bytes is copied at once
                let run = at;
                while at < bytes.len() && CLASSES[usize::from(bytes[at])] == Class::Plain {
                    at += 1;
                }
                let copied = out.len();
                out.push_str(&text[run..at]);
                out[copied..].make_ascii_lowercase();
                continue;
            }
            Class::Blank => blank = true,
            Class::Joint => {
                blank = false;
                out.push(if byte == b';' { ',' } else { char::from(byte) });
            }
            Class::Star => {
                blank = false;
                out.push('*');
            }
            Class::Wide => {
                let Some(character) = text[at..].chars().next() else { break };
                at += character.len_utf8();
                if character.is_whitespace() {
                    blank = true;
                    continue;
                }
                if std::mem::take(&mut blank) {
                    separate(out, start);
                }
                match character {
                    // hyphen, non-breaking hyphen, figure dash, en dash, em dash, bar, minus
                    '\u{2010}'..='\u{2015}' | '\u{2212}' => out.push('-'),
                    _ => out.extend(character.to_lowercase()),
                }
                continue;
            }
        }
        at += 1;
    }
}

/// A blank between two words; none at the beginning or after a separator.
fn separate(out: &mut String, start: usize) {
    let before = out.as_bytes()[start..].last();
    if before.is_some_and(|byte| CLASSES[usize::from(*byte)] != Class::Joint) {
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(text: &str) -> String {
        let mut out = String::new();
        normalise(text, &mut out);
        out
    }

    #[test]
    fn spellings_become_one() {
        for (text, expected) in [
            ("", ""),
            (" \t ", ""),
            ("Warfarin", "warfarin"),
            ("CYP2C9 *1/*1", "cyp2c9*1/*1"),
            ("CYP2C9*1, CYP2C9*3", "cyp2c9*1,cyp2c9*3"),
            ("kidney__transplantation", "kidney transplantation"),
            (" A ;\u{a0}B ", "a,b"),
            ("HLA\u{2013}B *57:01", "hla-b*57:01"),
            ("Größe \u{c4}", "größe ä"),
            ("+ a", "+a"),
        ] {
            assert_eq!(normalised(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_normalised_stays() {
        let pieces = ["a", "B", " ", "_", ",", ";", "/", "*", "\u{2014}", "İ", "\u{3000}", "+"];
        for i in 0..pieces.len().pow(4) {
            let text: String = (0..4).map(|k| pieces[i / pieces.len().pow(k) % pieces.len()]).collect();
            let once = normalised(&text);
            assert_eq!(normalised(&once), once, "{text:?}");
        }
    }

    #[test]
    fn a_second_text_is_appended_as_if_alone() {
        let mut out = String::from("x");
        normalise(" y", &mut out);
        assert_eq!(out, "xy");
    }
}
