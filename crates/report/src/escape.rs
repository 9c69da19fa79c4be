//! Text from outside, made safe for the language it is written into.

use std::fmt::{Display, Formatter, Result, Write};

/// Text for XML and HTML, in content and in quoted attributes; characters that XML 1.0 forbids become U+FFFD.
pub(crate) fn xml(text: &str) -> Xml<'_> {
    Xml(text)
}

/// Text for LaTeX: every special character is typeset as itself.
pub(crate) fn latex(text: &str) -> Latex<'_> {
    Latex(text)
}

pub(crate) struct Xml<'a>(&'a str);

impl Display for Xml<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\t' | '\n' | '\r' => formatter.write_char(character)?,
                '\0'..='\x1f' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                    formatter.write_char(char::REPLACEMENT_CHARACTER)?;
                }
                // Marks that reorder text on screen can make a name read as another.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    formatter.write_char(char::REPLACEMENT_CHARACTER)?;
                }
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

pub(crate) struct Latex<'a>(&'a str);

impl Display for Latex<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            match character {
                '&' | '%' | '$' | '#' | '_' | '{' | '}' => write!(formatter, "\\{character}")?,
                '~' => formatter.write_str("\\textasciitilde{}")?,
                '^' => formatter.write_str("\\textasciicircum{}")?,
                '\\' => formatter.write_str("\\textbackslash{}")?,
                '<' => formatter.write_str("\\textless{}")?,
                '>' => formatter.write_str("\\textgreater{}")?,
                '|' => formatter.write_str("\\textbar{}")?,
                '"' => formatter.write_str("\\textquotedbl{}")?,
                '\u{2212}' => formatter.write_str("$-$")?,
                '±' => formatter.write_str("$\\pm$")?,
                '×' => formatter.write_str("$\\times$")?,
                'µ' | 'μ' => formatter.write_str("$\\mu$")?,
                '²' => formatter.write_str("$^{2}$")?,
                '³' => formatter.write_str("$^{3}$")?,
                '\0'..='\x1f' | '\u{7f}'..='\u{9f}' => formatter.write_char(' ')?,
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            xml("<script>alert('a' & \"b\")</script>\0").to_string(),
            "&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;\u{fffd}"
        );
        assert_eq!(xml("Bäume 漢").to_string(), "Bäume 漢");
        assert_eq!(xml("a\u{202e}b").to_string(), "a\u{fffd}b");
    }

    #[test]
    fn latex_specials_are_typeset_as_themselves() {
        assert_eq!(
            latex("50% of a_b & \\input{x} $y$ #1 ~ ^ <>").to_string(),
            "50\\% of a\\_b \\& \\textbackslash{}input\\{x\\} \\$y\\$ \\#1 \\textasciitilde{} \\textasciicircum{} \\textless{}\\textgreater{}"
        );
        assert_eq!(latex("µW/m²").to_string(), "$\\mu$W/m$^{2}$");
    }
}
