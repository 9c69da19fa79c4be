//! The collector of a run's figures, tables and numbers through the public interface.

use std::{fs, path::Path};

use cupel_report::{Error, HeatMap, LineChart, Report, Table, file_name};

#[derive(Debug, thiserror::Error)]
#[error("no spectrum")]
struct Science;

fn chart(title: &str) -> cupel_report::Result<cupel_report::Figure> {
    LineChart::new(title, "x", "y").line("a", &[0.0, 1.0], &[0.0, 1.0]).figure()
}

fn table() -> Table {
    let mut table = Table::new().text_column("model").number_column("log loss", "", 2);
    table.push(["linear".into(), 0.5.into()]).unwrap();
    table
}

fn files(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> = ["", "figures", "tables"]
        .iter()
        .flat_map(|sub| fs::read_dir(folder.join(sub)).into_iter().flatten().map(move |entry| (sub, entry.unwrap())))
        .filter(|(_, entry)| entry.path().is_file())
        .map(|(sub, entry)| format!("{sub}/{}", entry.file_name().to_str().unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn what_is_registered_is_saved_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let values = [0.0, 1.0];
    let names: Vec<String> = (0..20).map(|index| format!("chart_{}", 19 - index)).collect();
    let mut report = Report::new(folder.path(), "Unmixing of Samson");
    report.summary("Done.");
    report.finding("Found.");
    for name in &names {
        report.figure(name, format!("Caption of {name}."), || chart(name));
    }
    report.figure("map", "A map.", || HeatMap::new("map", &values, 1, 2).figure());
    report
        .animation("film", "A film.", || cupel_report::Animation::new(1, 2).picture(&[0, 255]).picture(&[9, 8]).gif());
    report.pixels("plain", || HeatMap::new("map", &values, 1, 2).pixels());
    report.table("models", "Models.", table());
    report.numbers(&serde_json::json!({"seed": 7})).unwrap();
    report.cite("Nascimento and Bioucas-Dias, 2005", "doi:10.1109/TGRS.2005.844293");
    assert_eq!(report.save().unwrap(), folder.path().join("report.html"));

    let story = fs::read(folder.path().join("report.json")).unwrap();
    let story: serde_json::Value = serde_json::from_slice(&story).unwrap();
    let list = |name: &str| story[name].as_array().unwrap();
    let shown: Vec<&str> = list("figures").iter().map(|figure| figure["file"].as_str().unwrap()).collect();
    let mut wanted: Vec<String> = names.iter().map(|name| format!("figures/{name}.svg")).collect();
    wanted.push("figures/map.png".to_owned());
    wanted.push("figures/film.gif".to_owned());
    assert_eq!(shown, wanted, "maps are shown as PNG, animations as GIF, lines as SVG, pixels not at all");
    assert_eq!((list("summary").len(), list("findings").len(), list("citations").len()), (1, 1, 1));
    assert_eq!(fs::read_to_string(folder.path().join("metrics.json")).unwrap(), "{\n  \"seed\": 7\n}\n");
    let found = files(folder.path());
    for file in ["figures/map.svg", "figures/map.png", "figures/plain.png", "tables/models.csv", "tables/models.tex"] {
        assert!(found.iter().any(|other| other == file), "{file}");
    }
    assert_eq!(found.len(), 2 * 21 + 1 + 1 + 2 + 3);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("width=\"360\" alt=\"A film.\" src=\"data:image/gif;base64,"), "the film is not shown");
}

#[test]
fn a_name_stands_once_and_is_a_file_name() {
    for (first, second) in [("a", "a"), ("a", "A"), ("a", "../b"), ("a", ""), ("a", "b/c"), ("a", ".b"), ("a", "b\n")] {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::new(folder.path(), "t");
        report.figure(first, "", || chart("c"));
        report.pixels(second, || HeatMap::new("map", &[0.0], 1, 1).pixels());
        let error = report.save().unwrap_err();
        assert!(matches!(&error, Error::Name { kind: "figure", name, .. } if name == second), "{error}");

        let mut report = Report::new(folder.path(), "t");
        report.table(first, "", table());
        report.table(second, "", table());
        assert!(matches!(report.save().unwrap_err(), Error::Name { kind: "table", .. }));
        assert_eq!(files(folder.path()), [""; 0], "checked before anything is written");
    }
    let mut report = Report::new("nowhere", "t");
    report.numbers(&1).unwrap();
    report.numbers(&2).unwrap();
    assert!(report.save().unwrap_err().to_string().contains("\"metrics.json\" of the report: the name stands twice"));
    assert_eq!(file_name("Tree #1/Bäume"), "tree__1_b_ume");
}

#[test]
fn a_figure_may_fail_with_the_error_of_its_science() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new(folder.path(), "t");
    report.figure("spectra", "", || Err(Science));
    let error = report.save().unwrap_err();
    assert_eq!(error.to_string(), "cannot draw the figure \"spectra\": no spectrum");
    assert!(std::error::Error::source(&error).unwrap().is::<Science>());

    let mut report = Report::new(folder.path(), "t");
    report.figure("nothing", "", || LineChart::new("c", "", "").figure());
    assert!(matches!(report.save().unwrap_err(), Error::Nothing { .. }), "an error of this crate stays itself");
}
