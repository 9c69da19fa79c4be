//! [`normalise`]: one spelling for what people write in several, in one pass and without patterns.
//!
//! | rule | example |
//! |---|---|
//! | white space at the ends goes, and before `*` | ` CYP2C9 *3 ` is `cyp2c9*3` |
//! | letters are lower case | `Warfarin` is `warfarin` |
//! | runs of white space and `_` are one blank | `kidney_transplantation` is `kidney transplantation` |
//! | `;` is a comma, and `,` `/` `+` stand without white space | `A ; B` is `a,b`, `*1 / *2` is `*1/*2` |
//! | every dash is `-`, and stands without white space | `HLA – B` is `hla-b` |
//! | characters that look alike or are drawn as one are one (Unicode's NFKC), in lower case | `µ` (micro) is `μ` (Greek), `ﬂ` is `fl`, `e` with a combining accent is `é` |
//! | what is not seen goes: soft hyphens, joiners, marks of direction and byte order | `inter-feron` with a soft hyphen is `interferon` |
//!
//! A text that is normalised stays as it is. Everything else is kept: `:` and `*` carry meaning in names of alleles.

use unicode_normalization::UnicodeNormalization;

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
    if text.is_ascii() {
        pass(text, out);
    } else {
        pass(&folded(text), out);
    }
}

/// Characters that are not seen: soft hyphen, combining grapheme joiner, zero-width spaces and joiners, marks of direction, word joiner, variation
/// selectors, byte order mark.
fn is_unseen(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Lower case in NFKC without what is not seen, the final sigma as any other, apostrophes and dashes as those of ASCII. Lower case may take characters
/// apart that belong together, so that they are composed again.
fn folded(text: &str) -> String {
    let lower = text.nfkc().filter(|character| !is_unseen(*character)).flat_map(char::to_lowercase).map(|character| {
        match character {
            // hyphen, non-breaking hyphen, figure dash, en dash, em dash, bar, minus
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{2bc}' => '\'',
            'ς' => 'σ',
            character => character,
        }
    });
    lower.nfkc().collect()
}

/// The pass over text that has been [`folded`].
fn pass(text: &str, out: &mut String) {
    let start = out.len();
    let bytes = text.as_bytes();
    let mut blank = false;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match CLASSES[usize::from(byte)] {
            Class::Plain => {
                if std::mem::take(&mut blank) && byte != b'-' {
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
                out.push(character);
                continue;
            }
        }
        at += 1;
    }
}

/// A blank between two words; none at the beginning, after a separator or a dash.
fn separate(out: &mut String, start: usize) {
    let before = out.as_bytes()[start..].last();
    if before.is_some_and(|byte| *byte != b'-' && CLASSES[usize::from(*byte)] != Class::Joint) {
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
            ("\u{b5}-agonist", "\u{3bc}-agonist"),
            ("\u{39c}-Agonist", "\u{3bc}-agonist"),
            ("\u{fb02}uorouracil", "fluorouracil"),
            ("cafe\u{301}ine", "caf\u{e9}ine"),
            ("CAFE\u{301}INE", "caf\u{e9}ine"),
            ("inter\u{ad}feron alfa\u{2011}2a", "interferon alfa-2a"),
            ("\u{feff}\u{3b2}\u{a0}-carotene", "\u{3b2}-carotene"),
            ("5 \u{2013} FU", "5-fu"),
            ("\u{ff23}\u{ff39}\u{ff30}2\u{ff24}6 \u{ff0a}4", "cyp2d6*4"),
            ("3\u{2032}-UTR", "3'-utr"),
            ("\u{3a3}\u{3a3}", "\u{3c3}\u{3c2}"),
            ("- / A", "-/a"),
            ("+ a", "+a"),
        ] {
            assert_eq!(normalised(text), normalised(expected), "{text:?}");
            assert!(expected.ends_with('\u{3c2}') || normalised(expected) == expected, "{text:?}");
        }
    }

    #[test]
    fn every_character_is_folded_in_one_pass() {
        for character in '\u{1}'..=char::MAX {
            for text in [format!("a{character}b"), character.to_string()] {
                let once = normalised(&text);
                assert_eq!(normalised(&once), once, "{text:?} U+{:x}", u32::from(character));
            }
        }
    }

    #[test]
    fn what_is_normalised_stays() {
        let pieces =
            ["a", "B", " ", "_", ",", ";", "/", "*", "\u{2014}", "İ", "\u{3000}", "+", "-", "\u{301}", "\u{ad}"];
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
