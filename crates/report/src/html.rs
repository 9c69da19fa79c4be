//! The frame of an HTML page that needs nothing but itself, and its tables.

use crate::escape::xml;

const STYLE: &str = include_str!("page.css");

/// What stands on a page with a title before its body, which is HTML, and what stands behind it.
///
/// Void elements are closed, so that the page is well-formed XML too. The policy forbids scripts and every request, so that even a mistake in the body could not make one.
pub(crate) fn frame(title: &str) -> [String; 2] {
    let before = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n",
        title = xml(title),
    );
    let version = env!("CARGO_PKG_VERSION");
    [before, format!("<footer>Made by cupel {version}.</footer>\n</main>\n</body>\n</html>\n")]
}

/// A cell of a table; the text is already HTML.
pub(crate) enum Cell {
    /// What the row is about.
    Name(String),
    Text(String),
    Number(String),
    /// The best number of its row.
    Best(String),
}

/// A table; an empty head takes no room.
pub(crate) fn table(head: Vec<Cell>, rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut out = String::from("<table>\n");
    if !head.is_empty() {
        out += "<thead><tr>";
        for cell in &head {
            match cell {
                Cell::Name(html) | Cell::Text(html) => out += &format!("<th>{html}</th>"),
                Cell::Number(html) | Cell::Best(html) => out += &format!("<th class=\"number\">{html}</th>"),
            }
        }
        out += "</tr></thead>\n";
    }
    out += "<tbody>\n";
    for row in rows {
        out += "<tr>";
        for cell in &row {
            match cell {
                Cell::Name(html) => out += &format!("<th scope=\"row\">{html}</th>"),
                Cell::Text(html) => out += &format!("<td>{html}</td>"),
                Cell::Number(html) => out += &format!("<td class=\"number\">{html}</td>"),
                Cell::Best(html) => out += &format!("<td class=\"number\"><b>{html}</b></td>"),
            }
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table>\n"
}

/// A table of names and values, both already HTML; nothing where there is none.
pub(crate) fn facts(rows: impl Iterator<Item = (String, String)>) -> String {
    let mut rows = rows.map(|(name, value)| vec![Cell::Name(name), Cell::Text(value)]).peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    format!("<div class=\"wide facts\">\n{}</div>\n", table(Vec::new(), rows))
}
