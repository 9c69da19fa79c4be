//! What is known of a patient as one page of HTML, without script or request, ready to be printed.

use super::{DrugAnswer, Group, NotDetermined, PatientAnswers, calls::GeneCall};
use std::fmt::Write;

/// How the page looks, on a screen and on paper.
const STYLE: &str = "body{font:14px/1.4 sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#111}\
    table{border-collapse:collapse;width:100%}th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top}\
    th{background:#eee}.notice{border:2px solid #b00;padding:.5rem;font-weight:bold}.small{font-size:12px;color:#444}\
    tr,li{break-inside:avoid}h2{break-after:avoid}@media print{body{margin:0;max-width:none}a{color:inherit}}";

/// What the page says of itself.
const NOTICE: &str = "Not a medical device. Not for diagnosis or treatment without the judgement of a clinician. \
    A file of small variants shows no copies of genes, and nothing of places that were not read.";

/// Writes into a text, which cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A text without characters that HTML would read.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

impl PatientAnswers {
    /// The page.
    pub fn to_html(&self) -> String {
        let title = format!("Pharmacogenomics of {}", plain(&self.patient.sample));
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body>\n<h1>{title}</h1>\n<p class=\"notice\">{NOTICE}</p>\n<p>{}; {}.</p>\n",
            self.patient.assembly,
            plain(&self.line())
        );
        self.write_warnings(&mut out);
        self.write_genes(&mut out);
        for (group, heading) in [
            (Group::Change, "Change needed"),
            (Group::NoChange, "No change"),
            (Group::NotDetermined, "Not determined"),
            (Group::NoGuideline, "Without a recommendation"),
        ] {
            let own: Vec<&DrugAnswer> = self.answers.iter().filter(|answer| answer.group() == group).collect();
            if !own.is_empty() {
                put(&mut out, format_args!("<h2>{heading}</h2>\n"));
                own.iter().for_each(|answer| write_drug(&mut out, answer));
            }
        }
        self.write_model(&mut out);
        out.push_str("<h2>Sources</h2>\n<ul class=\"small\">\n");
        let definitions =
            self.patient.genes.iter().filter(|call| call.tested()).filter_map(|call| call.definition.as_ref());
        let mut sources: Vec<_> = self.sources.iter().chain(definitions).collect();
        sources.dedup();
        for source in sources {
            let version = source.version.as_deref().unwrap_or("without version");
            put(&mut out, format_args!("<li>{}, {}, {}</li>\n", plain(&source.file), plain(version), source.hash));
        }
        put(&mut out, format_args!("</ul>\n<p class=\"notice\">{NOTICE}</p>\n</body>\n</html>\n"));
        out
    }

    fn write_warnings(&self, out: &mut String) {
        let of_gene = |call: &GeneCall| -> Vec<String> {
            call.warnings.iter().map(|warning| format!("{}: {warning}", call.gene)).collect()
        };
        let of_genes = self.patient.genes.iter().flat_map(of_gene);
        let all: Vec<String> = self.patient.warnings.iter().cloned().chain(of_genes).collect();
        if !all.is_empty() {
            out.push_str("<h2>Warnings</h2>\n<ul>\n");
            all.iter().for_each(|warning| put(out, format_args!("<li>{}</li>\n", plain(warning))));
            out.push_str("</ul>\n");
        }
    }

    fn write_genes(&self, out: &mut String) {
        out.push_str(
            "<h2>Genes</h2>\n<table>\n<tr><th>Gene</th><th>Diplotype</th><th>Activity</th><th>Phenotype</th><th>Read</th><th>Not read, not told apart</th></tr>\n",
        );
        for call in self.patient.genes.iter().filter(|call| call.tested() || call.outside) {
            let score = call.phenotype.as_ref().and_then(|phenotype| phenotype.activity_score);
            let phenotype = match (&call.phenotype, &call.unknown_because) {
                (Some(phenotype), _) => phenotype.name.clone(),
                (None, Some(because)) => format!("not determined: {because}"),
                (None, None) => "as given".into(),
            };
            let read = match call.outside {
                true => "from outside".into(),
                false => format!("{} of {}", call.places - call.not_read, call.places),
            };
            let apart = call.not_told_apart.iter().map(|allele| format!("allele {allele}"));
            let open: Vec<String> = call.missing.iter().cloned().chain(apart).collect();
            let cells = [
                call.gene.clone(),
                pairs_of(call),
                score.map(|score| score.to_string()).unwrap_or_default(),
                phenotype,
                read,
                open.join("; "),
            ];
            out.push_str("<tr>");
            cells.iter().for_each(|cell| put(out, format_args!("<td>{}</td>", plain(cell))));
            out.push_str("</tr>\n");
        }
        out.push_str("</table>\n");
    }

    fn write_model(&self, out: &mut String) {
        let with: Vec<&DrugAnswer> = self.answers.iter().filter(|answer| !answer.model.is_empty()).collect();
        if with.is_empty() {
            return;
        }
        out.push_str("<h2>What the model says</h2>\n<p>A model that was learned from published associations, not a guideline.</p>\n<ul>\n");
        for answer in with {
            for (gene, said) in &answer.model {
                for (target, own) in &said.targets {
                    let decided = match own.abstains {
                        true => "unknown".to_string(),
                        false => own.answer.join(", "),
                    };
                    let odds = own.probabilities.iter().take(3).map(|(name, p)| format!("{name} {p:.2}"));
                    let odds: Vec<String> = odds.collect();
                    let text = format!(
                        "{} and {gene}, {target}: {decided} ({}); at {:.0} % it is one of: {}",
                        answer.drug,
                        odds.join(", "),
                        100.0 * own.coverage,
                        own.possible.join(", ")
                    );
                    put(out, format_args!("<li>{}</li>\n", plain(&text)));
                }
            }
        }
        out.push_str("</ul>\n");
    }
}

fn write_drug(out: &mut String, answer: &DrugAnswer) {
    put(out, format_args!("<h3>{}</h3>\n", plain(&answer.drug)));
    if let Some(name) = &answer.taken_for {
        put(out, format_args!("<p>It is taken for {}.</p>\n", plain(name)));
    }
    if let Some(name) = &answer.did_you_mean {
        put(out, format_args!("<p>No guideline knows it; did you mean {}?</p>\n", plain(name)));
    }
    out.push_str("<ul>\n");
    for one in &answer.recommendations {
        put(out, format_args!("<li><b>{}</b>", plain(&one.recommendation)));
        let mut about = vec![one.because.join(", "), one.implications.clone()];
        about.extend(one.strength.iter().map(|strength| format!("strength: {strength}")));
        about.extend(one.population.iter().map(|population| format!("for: {population}")));
        about.extend(one.level.iter().map(|level| format!("CPIC level {level}")));
        if !one.not_tested.is_empty() {
            about.push(format!(
                "without {}, which was not tested: its result could change this",
                one.not_tested.join(", ")
            ));
        }
        let version = one.date.as_deref().or(one.version.as_deref()).unwrap_or("no version");
        put(
            out,
            format_args!(
                "<br><span class=\"small\">{}. {}, {}, <a href=\"{}\">{}</a>, recommendation {}",
                plain(&about.join(". ")),
                plain(&one.name),
                plain(version),
                plain(&one.link),
                plain(&one.guideline),
                plain(&one.id)
            ),
        );
        if let Some(page) = &one.page {
            put(out, format_args!(", <a href=\"{0}\">{0}</a>", plain(page)));
        }
        if !one.papers.is_empty() {
            put(out, format_args!(", PMID {}", plain(&one.papers.join(", "))));
        }
        out.push_str("</span></li>\n");
    }
    answer.not_determined.iter().for_each(|own| write_open(out, own));
    out.push_str("</ul>\n");
}

/// The possible pairs, with their odds where they were asked for.
fn pairs_of(call: &GeneCall) -> String {
    if call.odds.is_empty() {
        return call.diplotypes.join(" or ");
    }
    let odds = call.odds.iter().map(|one| format!("{} ({:.1} %)", one.diplotype, 100.0 * one.share));
    odds.collect::<Vec<_>>().join(" or ")
}

fn write_open(out: &mut String, own: &NotDetermined) {
    let mut text = format!("{} ({})", own.name, own.guideline);
    own.population.iter().for_each(|population| text.push_str(&format!(", {population}")));
    let genes = own.genes.iter().map(|gene| match gene.missing.is_empty() {
        true => format!("{}: {}", gene.gene, gene.because),
        false => format!("{}: {} (not read: {})", gene.gene, gene.because, gene.missing.join(", ")),
    });
    let genes: Vec<String> = genes.collect();
    put(out, format_args!("<li>{}: not determined. {}", plain(&text), plain(&genes.join("; "))));
    if !own.possible.is_empty() {
        out.push_str("\n<ul class=\"small\">\n");
        for possible in &own.possible {
            let said = if possible.recommendations.is_empty() {
                "no rule".into()
            } else {
                possible.recommendations.join(" / ")
            };
            put(out, format_args!("<li>if {}: {}</li>\n", plain(&possible.of.join(", ")), plain(&said)));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</li>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_say_is_text_and_never_markup() {
        assert_eq!(plain("<script>\"a\" & 'b'\n"), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39; ");
    }
}
