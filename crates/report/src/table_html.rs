//! Tables of the report, from the CSV files of a run.

use std::fmt::Write;

use crate::{escape::xml, table::SPREAD};

/// What stands for a value that is not there.
const DASH: &str = "–";
/// Most rows of a table that the report shows.
const SHOWN_ROWS: usize = 2000;

/// An HTML `table` from CSV: numbers are right-aligned, a column and its standard deviation become one.
pub(crate) fn table(csv: &str) -> std::result::Result<String, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(csv.as_bytes());
    let headings: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let rows = reader.records().collect::<std::result::Result<Vec<_>, _>>()?;
    let is_spread = |index: usize| index > 0 && headings[index] == format!("{}{SPREAD}", headings[index - 1]);
    let is_number = |index: usize| rows.iter().all(|row| row[index].is_empty() || row[index].parse::<f64>().is_ok());
    let columns: Vec<(usize, &str)> = (0..headings.len())
        .filter(|&index| !is_spread(index))
        .map(|index| (index, if is_number(index) { " class=\"number\"" } else { "" }))
        .collect();
    let mut out = String::from("<table>\n<thead><tr>");
    for &(index, class) in &columns {
        let _ = write!(out, "<th{class}>{}</th>", xml(&headings[index]));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows.iter().take(SHOWN_ROWS) {
        out.push_str("<tr>");
        for &(index, class) in &columns {
            let value = shown_in_html(&row[index], !class.is_empty());
            let sd = if index + 1 < headings.len() && is_spread(index + 1) { &row[index + 1] } else { "" };
            if sd.is_empty() {
                let _ = write!(out, "<td{class}>{value}</td>");
            } else {
                let _ = write!(out, "<td{class}>{value} ± {}</td>", xml(sd));
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
    if rows.len() > SHOWN_ROWS {
        let _ = writeln!(out, "<p class=\"note\">{} more rows are in the file.</p>", rows.len() - SHOWN_ROWS);
    }
    Ok(out)
}

fn shown_in_html(text: &str, is_number: bool) -> String {
    match text.strip_prefix('-') {
        _ if text.is_empty() => DASH.to_owned(),
        Some(digits) if is_number => format!("\u{2212}{}", xml(digits)),
        _ => xml(text).to_string(),
    }
}
