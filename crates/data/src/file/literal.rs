//! [`Literal`]: the few Python literals that the header of an NPY file is written in.

/// How deep lists and tuples may stand in each other; the header of a plain array needs two levels.
const NESTING: usize = 8;

/// A value.
#[derive(Debug, PartialEq)]
pub(crate) enum Literal<'a> {
    Text(&'a str),
    Integer(u64),
    Boolean(bool),
    None,
    /// A list or a tuple.
    Sequence(Vec<Literal<'a>>),
    Dictionary(Vec<(&'a str, Literal<'a>)>),
}

/// Reads one literal with nothing but white space around it; otherwise says at which byte what is wrong.
pub(crate) fn parse(text: &str) -> Result<Literal<'_>, (usize, &'static str)> {
    let mut parser = Parser { text, position: 0 };
    let literal = parser.literal(0)?;
    match parser.peek() {
        None => Ok(literal),
        Some(_) => parser.fail("text after the end"),
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

type Parsed<T> = Result<T, (usize, &'static str)>;

impl<'a> Parser<'a> {
    fn fail<T>(&self, problem: &'static str) -> Parsed<T> {
        Err((self.position, problem))
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.position..];
        self.position += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.position).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    fn literal(&mut self, depth: usize) -> Parsed<Literal<'a>> {
        if depth > NESTING {
            return self.fail("brackets nested too deep");
        }
        match self.peek() {
            Some(b'\'' | b'"') => self.text().map(Literal::Text),
            Some(b'0'..=b'9') => self.integer(),
            Some(b'(') => self.sequence(b')', depth),
            Some(b'[') => self.sequence(b']', depth),
            Some(b'{') => self.dictionary(depth),
            Some(b'A'..=b'Z') => {
                let rest = &self.text[self.position..];
                for (word, literal) in
                    [("True", Literal::Boolean(true)), ("False", Literal::Boolean(false)), ("None", Literal::None)]
                {
                    if rest.starts_with(word) {
                        self.position += word.len();
                        return Ok(literal);
                    }
                }
                self.fail("an unknown word")
            }
            Some(b'-') => self.fail("a negative number"),
            Some(_) => self.fail("an unexpected character"),
            None => self.fail("an early end"),
        }
    }

    fn text(&mut self) -> Parsed<&'a str> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return self.fail("a name without quotes");
        };
        let rest = &self.text[self.position + 1..];
        let Some(len) = rest.bytes().position(|byte| byte == quote || byte == b'\\') else {
            return self.fail("a quote that is not closed");
        };
        if rest.as_bytes()[len] == b'\\' {
            return self.fail("an escaped character in a name");
        }
        self.position += len + 2;
        Ok(&rest[..len])
    }

    fn integer(&mut self) -> Parsed<Literal<'a>> {
        let rest = &self.text[self.position..];
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(value) = rest[..len].parse() else {
            return self.fail("a number beyond 64 bits");
        };
        self.position += len;
        // Python 2 wrote long integers with this suffix.
        if self.text[self.position..].starts_with('L') {
            self.position += 1;
        }
        Ok(Literal::Integer(value))
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Parsed<Literal<'a>> {
        self.position += 1;
        let mut items = Vec::new();
        loop {
            if self.accept(close) {
                return Ok(Literal::Sequence(items));
            }
            items.push(self.literal(depth + 1)?);
            if !self.accept(b',') && self.peek() != Some(close) {
                return self.fail("no comma where one is needed");
            }
        }
    }

    fn dictionary(&mut self, depth: usize) -> Parsed<Literal<'a>> {
        self.position += 1;
        let mut entries = Vec::new();
        loop {
            if self.accept(b'}') {
                return Ok(Literal::Dictionary(entries));
            }
            let key = self.text()?;
            if !self.accept(b':') {
                return self.fail("no colon where one is needed");
            }
            entries.push((key, self.literal(depth + 1)?));
            if !self.accept(b',') && self.peek() != Some(b'}') {
                return self.fail("no comma where one is needed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read() {
        let literal = parse("{'descr': '<f8', \"fortran_order\": False, 'shape': (3, 4L,), } \n").unwrap();
        let expected = Literal::Dictionary(vec![
            ("descr", Literal::Text("<f8")),
            ("fortran_order", Literal::Boolean(false)),
            ("shape", Literal::Sequence(vec![Literal::Integer(3), Literal::Integer(4)])),
        ]);
        assert_eq!(literal, expected);
        assert_eq!(parse("()").unwrap(), Literal::Sequence(Vec::new()));
    }

    #[test]
    fn everything_else_is_an_error_with_its_place() {
        for (text, place, problem) in [
            ("", 0, "an early end"),
            ("{'a': 1} x", 9, "text after the end"),
            ("{'a' 1}", 5, "no colon where one is needed"),
            ("{a: 1}", 1, "a name without quotes"),
            ("(1 2)", 3, "no comma where one is needed"),
            ("(-1,)", 1, "a negative number"),
            ("99999999999999999999", 0, "a number beyond 64 bits"),
            ("'abc", 0, "a quote that is not closed"),
            ("'a\\'b'", 0, "an escaped character in a name"),
            ("Truth", 0, "an unknown word"),
            ("é", 0, "an unexpected character"),
        ] {
            assert_eq!(parse(text).unwrap_err(), (place, problem), "{text}");
        }
        assert_eq!(parse(&"[".repeat(200_000)).unwrap_err().1, "brackets nested too deep");
    }
}
