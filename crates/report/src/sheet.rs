//! A table of texts, as a CSV file or a list in JSON holds it, and its place on the page.

use crate::{
    escape::xml,
    facts::Value,
    html::{self, Cell},
    table::SPREAD,
};

/// What stands for a value that is not there.
const DASH: &str = "–";
/// Most rows of a table that the page shows.
const SHOWN_ROWS: usize = 2000;
/// A table of more rows than this is folded until a reader opens it.
const UNFOLDED_ROWS: usize = 40;

/// A table of texts; all rows have as many cells as there are headings.
#[derive(Debug)]
pub(crate) struct Sheet {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(crate) fn new(headings: Vec<String>, rows: Vec<Vec<String>>) -> Self {
        Self { headings, rows }
    }

    pub(crate) fn parse(csv: &str) -> std::result::Result<Self, csv::Error> {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(csv.as_bytes());
        let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let headings = texts(reader.headers()?);
        let rows = reader.records().map(|record| record.map(|record| texts(&record))).collect::<Result<_, _>>()?;
        Ok(Self { headings, rows })
    }

    /// A list of objects, a row for each, without the columns that are empty or that a table of the run shows in the row of the same name;
    /// `None` where nothing but names is left.
    pub(crate) fn of_list(objects: &[Value], tables: &[(&str, Self)]) -> Option<Self> {
        let rows: Vec<Vec<(String, &Value)>> = objects.iter().map(Value::facts).collect();
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in rows.iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let value = |row: usize, name: &str| rows[row].iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        let known: Option<Vec<&Vec<String>>> = tables.iter().find_map(|(_, table)| {
            let named = |facts: &Vec<(String, &Value)>| {
                let texts = facts.iter().filter(|(_, value)| matches!(value, Value::Text(_)));
                texts.flat_map(|(_, text)| table.rows.iter().find(|row| row.iter().any(|cell| says(cell, text)))).next()
            };
            rows.iter().map(named).collect()
        });
        names.retain(|name| {
            let empty = (0..rows.len()).all(|row| matches!(value(row, name), None | Some(Value::Nothing)));
            let shown = |(row, cells): (usize, &&Vec<String>)| match value(row, name) {
                None | Some(Value::Nothing) => true,
                Some(Value::Text(_)) => false,
                Some(value) => cells.iter().any(|cell| says(cell, value)),
            };
            !empty && !known.as_ref().is_some_and(|known| known.iter().enumerate().all(shown))
        });
        let only_names = names.iter().all(|name| matches!(value(0, name), Some(Value::Text(_))));
        if names.is_empty() || known.is_some() && only_names {
            return None;
        }
        let mut sheet = Self::new(Vec::new(), vec![Vec::new(); rows.len()]);
        for name in names {
            let spread = (0..rows.len()).any(|row| value(row, name).is_some_and(|value| value.spread().is_some()));
            sheet.headings.push(name.to_owned());
            sheet.headings.extend(spread.then(|| format!("{name}{SPREAD}")));
            for (row, cells) in sheet.rows.iter_mut().enumerate() {
                let value = value(row, name);
                let parts = value.and_then(Value::spread).map_or((value, None), |(mean, sd)| (Some(mean), Some(sd)));
                let text = |part: Option<&Value>| match part {
                    None | Some(Value::Nothing) => String::new(),
                    Some(part) => part.shown(),
                };
                cells.push(text(parts.0));
                cells.extend(spread.then(|| text(parts.1)));
            }
        }
        Some(sheet)
    }

    /// The table on the page: what is long is folded.
    pub(crate) fn section(&self) -> String {
        let table = format!("<div class=\"wide\">\n{}</div>\n", self.html());
        match self.rows.len() {
            0..=UNFOLDED_ROWS => table,
            rows => format!("<details>\n<summary>{rows} rows</summary>\n{table}</details>\n"),
        }
    }

    /// An HTML `table`: numbers are right-aligned, a column and its standard deviation become one.
    pub(crate) fn html(&self) -> String {
        let is_spread = |index: usize| {
            index > 0
                && self.headings.get(index).and_then(|name| name.strip_suffix(SPREAD))
                    == Some(self.headings[index - 1].as_str())
        };
        let columns: Vec<(usize, bool)> = (0..self.headings.len())
            .filter(|&index| !is_spread(index))
            .map(|index| (index, self.rows.iter().all(|row| row[index].is_empty() || is_number(&row[index]))))
            .collect();
        let cell = |html: String, number: bool| if number { Cell::Number(html) } else { Cell::Text(html) };
        let head = columns.iter().map(|&(index, number)| cell(xml(&self.headings[index]).to_string(), number));
        let rows = self.rows.iter().take(SHOWN_ROWS).map(|row| {
            let shown = |&(index, number): &(usize, bool)| {
                let mut value = shown_in_html(&row[index], number);
                if is_spread(index + 1) && !row[index + 1].is_empty() {
                    value = format!("{value} ±\u{a0}{}", xml(&row[index + 1]));
                }
                cell(value, number)
            };
            columns.iter().map(shown).collect()
        });
        let mut out = html::table(head.collect(), rows);
        if self.rows.len() > SHOWN_ROWS {
            out += &format!("<p class=\"note\">{} more rows are in the file.</p>\n", self.rows.len() - SHOWN_ROWS);
        }
        out
    }
}

/// Whether a table shows a number that is no count, or every number of a list, under a name whose words are those of the table, the heading and
/// the texts of the row.
pub(crate) fn repeats(tables: &[(&str, Sheet)], name: &str, value: &Value) -> bool {
    if let Value::List(elements) = value {
        return !elements.is_empty() && elements.iter().all(|element| repeats(tables, name, element));
    }
    if value.number().is_none() || matches!(value, Value::Integer(_)) {
        return false;
    }
    let wanted = words(name);
    tables.iter().any(|(table, sheet)| {
        sheet.rows.iter().any(|row| {
            row.iter().zip(&sheet.headings).filter(|(cell, _)| says(cell, value)).any(|(_, heading)| {
                let texts = row.iter().filter(|cell| !is_number(cell)).flat_map(|cell| words(cell));
                let label: Vec<String> = words(table).into_iter().chain(words(heading)).chain(texts).collect();
                wanted.iter().all(|word| label.contains(word))
            })
        })
    })
}

/// Whether a cell shows a value, as far as its decimals go.
fn says(cell: &str, value: &Value) -> bool {
    if let Value::Text(text) = value {
        return cell == text;
    }
    let (Some(value), Ok(said)) = (value.number(), cell.parse::<f64>()) else { return false };
    let unit = cell.split_once('.').map_or(0.0, |(_, decimals)| 10f64.powi(-(decimals.len() as i32)));
    // Zeros are all that is left of a number that is too small for the decimals.
    value == said || said != 0.0 && (value - said).abs() <= 0.500_001 * unit
}

/// The words of a name; a unit is its symbol.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase);
    words.map(|word| if word == "seconds" { String::from("s") } else { word }).collect()
}

/// Whether a text is a number, as files write it or as the page shows it.
fn is_number(text: &str) -> bool {
    text.split(" × ").next().is_some_and(|digits| digits.replace('\u{2212}', "-").parse::<f64>().is_ok())
}

fn shown_in_html(text: &str, number: bool) -> String {
    match text.strip_prefix('-') {
        _ if text.is_empty() => DASH.to_owned(),
        Some(digits) if number => format!("\u{2212}{}", xml(digits)),
        _ => xml(text).to_string(),
    }
}
