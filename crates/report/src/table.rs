//! Tables of results: the same numbers as CSV for programs, LaTeX for papers and HTML for the report.
//!
//! A column has a unit and a number of decimals; a cell may be a mean with its standard deviation, which CSV holds as two columns,
//! `mean SAD [rad]` and `mean SAD [rad] sd`.

use std::{fmt::Write, path::Path};

use crate::{
    error::{Error, Result},
    escape::latex,
    sheet::Sheet,
};

/// Ending of the name of a CSV column that holds standard deviations.
pub(crate) const SPREAD: &str = " sd";

/// A table with named columns.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// use cupel_report::{Cell, Table};
/// let mut table = Table::new().text_column("method").number_column("mean SAD", "rad", 3);
/// table.push(["VCA".into(), Cell::spread(0.0651, 0.0124)])?;
/// table.push(["oracle".into(), Cell::Missing])?;
/// assert_eq!(
///     table.to_csv(),
///     "method,mean SAD [rad],mean SAD [rad] sd\nVCA,0.065,0.012\noracle,,\n"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cell {
    /// Nothing; shown as a dash.
    Missing,
    /// A text.
    Text(String),
    /// A number, shown with the decimals of its column; NaN counts as missing.
    Number(f64),
    /// A mean with its standard deviation.
    Spread {
        /// The mean.
        mean: f64,
        /// The standard deviation; NaN where a single run has none.
        sd: f64,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Column {
    heading: String,
    /// `None` for a column of texts.
    decimals: Option<usize>,
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of texts.
    #[must_use]
    pub fn text_column(mut self, name: impl Into<String>) -> Self {
        self.columns.push(Column { heading: name.into(), decimals: None });
        self
    }

    /// Adds a column of numbers; an empty unit is not shown.
    #[must_use]
    pub fn number_column(mut self, name: impl Into<String>, unit: &str, decimals: usize) -> Self {
        let mut heading = name.into();
        if !unit.is_empty() {
            let _ = write!(heading, " [{unit}]");
        }
        self.columns.push(Column { heading, decimals: Some(decimals) });
        self
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the row has not one cell for each column.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) -> Result<()> {
        let row: Vec<Cell> = row.into_iter().collect();
        if row.len() != self.columns.len() {
            return Err(Error::RowLength { row: self.rows.len() + 1, got: row.len(), expected: self.columns.len() });
        }
        self.rows.push(row);
        Ok(())
    }

    /// The table as CSV (RFC 4180 with line feeds); missing values are empty.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let spread: Vec<bool> = (0..self.columns.len()).map(|index| self.has_spread(index)).collect();
        let mut lines = vec![Vec::new()];
        for (column, &spread) in self.columns.iter().zip(&spread) {
            lines[0].push(column.heading.clone());
            if spread {
                lines[0].push(format!("{}{SPREAD}", column.heading));
            }
        }
        for row in &self.rows {
            let mut line = Vec::new();
            for ((cell, column), &spread) in row.iter().zip(&self.columns).zip(&spread) {
                let (value, sd) = column.shown(cell);
                line.push(value);
                if spread {
                    line.push(sd);
                }
            }
            lines.push(line);
        }
        let mut out = String::new();
        for line in lines {
            // A line with one empty field would be an empty line, which readers skip.
            if let [only] = line.as_slice()
                && only.is_empty()
            {
                out.push_str("\"\"\n");
                continue;
            }
            for (index, field) in line.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_field(&mut out, field);
            }
            out.push('\n');
        }
        out
    }

    /// The table as a LaTeX `tabular` with the rules of the package `booktabs`.
    #[must_use]
    pub fn to_latex(&self) -> String {
        let alignment: String =
            self.columns.iter().map(|column| if column.decimals.is_some() { 'r' } else { 'l' }).collect();
        let mut out = format!("% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{alignment}}}\n\\toprule\n");
        let headings: Vec<String> = self.columns.iter().map(|column| latex(&column.heading).to_string()).collect();
        write_latex_row(&mut out, &headings);
        out.push_str("\\midrule\n");
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&self.columns)
                .map(|(cell, column)| match column.shown(cell) {
                    (value, _) if value.is_empty() => String::from("--"),
                    (value, _) if column.decimals.is_none() => latex(&value).to_string(),
                    (value, sd) if sd.is_empty() => latex_number(&value),
                    (value, sd) => format!("{} $\\pm$ {}", latex_number(&value), latex_number(&sd)),
                })
                .collect();
            write_latex_row(&mut out, &cells);
        }
        out.push_str("\\bottomrule\n\\end{tabular}\n");
        out
    }

    /// The table as an HTML `table` element.
    #[must_use]
    pub fn to_html(&self) -> String {
        // What this writes, the reader of the same crate understands.
        Sheet::parse(&self.to_csv()).map(|sheet| sheet.html()).unwrap_or_default()
    }

    /// Writes `stem.csv` and `stem.tex`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        let stem = stem.as_ref();
        crate::write(&crate::with_ending(stem, "csv"), self.to_csv().as_bytes())?;
        crate::write(&crate::with_ending(stem, "tex"), self.to_latex().as_bytes())
    }

    fn has_spread(&self, index: usize) -> bool {
        self.rows.iter().any(|row| matches!(row[index], Cell::Spread { .. }))
    }
}

impl Cell {
    /// A mean with its standard deviation.
    #[must_use]
    pub fn spread(mean: f64, sd: f64) -> Self {
        Self::Spread { mean, sd }
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Number)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl Column {
    /// The value and the standard deviation of a cell as plain text; empty where there is none.
    fn shown(&self, cell: &Cell) -> (String, String) {
        let number = |value: f64| {
            if value.is_nan() {
                return String::new();
            }
            let text = format!("{value:.*}", self.decimals.unwrap_or(6));
            // No negative zero: it says nothing that a reader could use.
            match text.strip_prefix('-') {
                Some(digits) if digits.bytes().all(|byte| byte == b'0' || byte == b'.') => digits.to_owned(),
                _ => text,
            }
        };
        match cell {
            Cell::Missing => (String::new(), String::new()),
            Cell::Text(text) => (text.clone(), String::new()),
            Cell::Number(value) => (number(*value), String::new()),
            Cell::Spread { mean, .. } if mean.is_nan() => (String::new(), String::new()),
            Cell::Spread { mean, sd } => (number(*mean), number(*sd)),
        }
    }
}

fn write_field(out: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') || field.ends_with(' ') {
        out.push('"');
        out.push_str(&field.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(field);
    }
}

fn write_latex_row(out: &mut String, cells: &[String]) {
    let row = cells.join(" & ");
    // After a line break LaTeX takes `[` and `*` as arguments of the break.
    if row.starts_with(['[', '*']) {
        out.push_str("{}");
    }
    out.push_str(&row);
    out.push_str(" \\\\\n");
}

fn latex_number(text: &str) -> String {
    match text {
        "inf" => String::from("$\\infty$"),
        "-inf" => String::from("$-\\infty$"),
        _ => match text.strip_prefix('-') {
            Some(digits) => format!("$-${digits}"),
            None => text.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Table {
        let mut table =
            Table::new().text_column("method").number_column("mean SAD", "rad", 3).number_column("steps", "", 0);
        table.push(["VCA + FCLS".into(), Cell::spread(0.06512, 0.0124), 50.0.into()]).unwrap();
        table.push(["EDAA".into(), Cell::spread(-0.0001, f64::NAN), f64::NAN.into()]).unwrap();
        table.push(["none".into(), Cell::Missing, Cell::Number(-3.0)]).unwrap();
        table
    }

    fn hostile() -> Table {
        let mut table = Table::new().text_column("a & b, \"c\"").number_column("x_1", "%", 1);
        table.push(["<script>alert(1)</script>".into(), 1.0.into()]).unwrap();
        table.push(["\\input{/etc/passwd} $x$ #1".into(), f64::INFINITY.into()]).unwrap();
        table.push(["[two\nlines], Bäume 漢".into(), Cell::Missing]).unwrap();
        table
    }

    #[test]
    fn csv_is_exact() {
        assert_eq!(
            example().to_csv(),
            "method,mean SAD [rad],mean SAD [rad] sd,steps\nVCA + FCLS,0.065,0.012,50\nEDAA,0.000,,\nnone,,,-3\n"
        );
        assert_eq!(
            hostile().to_csv(),
            "\"a & b, \"\"c\"\"\",x_1 [%]\n<script>alert(1)</script>,1.0\n\\input{/etc/passwd} $x$ #1,inf\n\"[two\nlines], Bäume 漢\",\n"
        );
    }

    #[test]
    fn latex_is_exact() {
        assert_eq!(
            example().to_latex(),
            "% needs \\usepackage{booktabs}\n\\begin{tabular}{lrr}\n\\toprule\nmethod & mean SAD [rad] & steps \\\\\n\\midrule\n\
             VCA + FCLS & 0.065 $\\pm$ 0.012 & 50 \\\\\nEDAA & 0.000 & -- \\\\\nnone & -- & $-$3 \\\\\n\\bottomrule\n\\end{tabular}\n"
        );
        assert_eq!(
            hostile().to_latex(),
            "% needs \\usepackage{booktabs}\n\\begin{tabular}{lr}\n\\toprule\n\
             a \\& b, \\textquotedbl{}c\\textquotedbl{} & x\\_1 [\\%] \\\\\n\\midrule\n\
             \\textless{}script\\textgreater{}alert(1)\\textless{}/script\\textgreater{} & 1.0 \\\\\n\
             \\textbackslash{}input\\{/etc/passwd\\} \\$x\\$ \\#1 & $\\infty$ \\\\\n\
             {}[two lines], Bäume 漢 & -- \\\\\n\\bottomrule\n\\end{tabular}\n"
        );
    }

    #[test]
    fn html_joins_mean_and_standard_deviation_and_escapes_names() {
        let text = example().to_html();
        assert!(text.contains("<td class=\"number\">0.065 ±\u{a0}0.012</td>"), "{text}");
        assert!(text.contains("<th class=\"number\">mean SAD [rad]</th>") && !text.contains(" sd<"), "{text}");
        assert!(text.contains("<td class=\"number\">–</td>") && text.contains("\u{2212}3"), "{text}");
        let text = hostile().to_html();
        assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
    }

    #[test]
    fn a_row_needs_one_cell_for_each_column() {
        let mut table = example();
        let error = table.push([Cell::Missing]).unwrap_err();
        assert_eq!(error.to_string(), "table row 4: 1 cells for 3 columns; give one cell for each column");
        assert_eq!(table.to_csv(), example().to_csv());
    }

    #[test]
    fn a_ragged_file_is_an_error_with_its_line() {
        let error = Sheet::parse("a,b\n1,2\n1,2,3\n").unwrap_err();
        assert!(error.to_string().contains("line: 3"), "{error}");
    }

    #[test]
    fn a_column_of_missing_values_survives_csv() {
        let mut table = Table::new().number_column("x", "", 1);
        table.push([Cell::Missing]).unwrap();
        table.push([Cell::Number(2.0)]).unwrap();
        assert_eq!(table.to_csv(), "x\n\"\"\n2.0\n");
        assert_eq!(table.to_html().matches("<td").count(), 2);
    }
}
