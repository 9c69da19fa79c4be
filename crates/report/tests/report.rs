//! The report and the comparison, made from run folders as a command leaves them.

use std::{fs, path::Path};

use cupel_report::{Cell, Error, HeatMap, LineChart, Table, compare_runs, write_report};

const HOSTILE: &str = "<script>alert('x')</script><img src=x onerror=y> & \"quoted\" Bäume 漢字";

/// A run folder with everything that a run can leave.
fn full_run(folder: &Path, name: &str) {
    fs::write(folder.join("config.toml"), format!("# {name}\nseed = 7\n")).unwrap();
    fs::write(
        folder.join("environment.json"),
        format!(
            r#"{{"cupel": "0.1.0", "device": {}, "seed": 18446744073709551615, "dtype": null, "backends": [],
            "command_line": ["cupel", "unmix", "run", {}], "earlier": [{{"seed": 1, "started": "2026-01-01T00:00:00Z"}}]}}"#,
            serde_json::json!(name),
            serde_json::json!(format!("my {name}.mat")),
        ),
    )
    .unwrap();
    // Written as text, because the order of the fields is part of what is tested.
    let metrics = format!(
        r#"{{"method": {}, "mean_sad_rad": 0.01934, "abundance_rmse": {{"unit_max": 0.0151, "fcls": null}}, "sad_rad": [0.01, 0.02]}}"#,
        serde_json::json!(name)
    );
    fs::write(folder.join("metrics.json"), metrics).unwrap();
    let values = [0.0, 0.25, 0.5, 1.0];
    let map = HeatMap::new(name, &values, 2, 2).range(0.0, 1.0).label("abundance");
    map.save(folder.join("figures/map")).unwrap();
    fs::write(folder.join("figures/map_pixels.png"), map.pixels().unwrap()).unwrap();
    LineChart::new(name, "wavelength [nm]", "reflectance")
        .line(name, &[400.0, 500.0], &[0.1, 0.2])
        .save(folder.join("figures/spectra"))
        .unwrap();
    let mut table = Table::new().text_column("endmember").number_column("angle", "rad", 3);
    table.push([name.into(), Cell::spread(0.0193, 0.0004)]).unwrap();
    table.save(folder.join("tables/angles")).unwrap();
    let exhibit = |file: &str, caption: &str| serde_json::json!({"file": file, "caption": caption});
    let story = serde_json::json!({
        "format": 1,
        "title": format!("Unmixing of {name}"),
        "summary": [format!("Summary of {name}.")],
        "findings": [format!("Finding of {name}.")],
        "figures": [
            exhibit("figures/map.png", &format!("Map of {name}.")),
            exhibit("figures/map_pixels.png", "Pixels."),
            exhibit("figures/spectra.svg", "Spectra."),
            exhibit("figures/never_made.svg", "Missing."),
        ],
        "tables": [exhibit("tables/angles.csv", "Angles.")],
        "citations": [{"text": format!("Author of {name}, 2005"), "locator": "doi:10.1109/TGRS.2005.844293"}],
    });
    fs::write(folder.join("report.json"), story.to_string()).unwrap();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Parses a page as XML and checks that it asks for nothing outside itself and runs nothing.
fn check_page(html: &str) {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document =
        roxmltree::Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("{error} in\n{html}"));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(!["script", "link", "iframe", "object"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && attribute.name() != "href", "{attribute:?}");
            if attribute.name() == "src" {
                assert!(attribute.value().starts_with("data:image/"), "{attribute:?}");
            }
        }
    }
    for request in ["http:", "https:", "url(", "@import", "//"] {
        let outside_data = html.split("base64,").enumerate().any(|(index, part)| {
            let text = if index == 0 { part } else { part.split_once('"').map_or("", |(_, rest)| rest) };
            text.contains(request)
        });
        assert!(!outside_data, "the page contains {request}");
    }
}

#[test]
fn a_report_tells_the_whole_story_in_order() {
    let folder = tempfile::tempdir().unwrap();
    full_run(folder.path(), "Samson");
    let page = write_report(folder.path()).unwrap();
    assert_eq!(page, folder.path().join("report.html"));
    let html = read(&page);
    check_page(&html);
    let mut place = 0;
    for wanted in [
        "<title>Unmixing of Samson</title>",
        "<h1>Unmixing of Samson</h1>",
        "<h2>Summary</h2>",
        "<p>Summary of Samson.</p>",
        "<h2>What was found</h2>",
        "<p>Finding of Samson.</p>",
        "<code>mean_sad_rad</code></th><td>0.01934</td>",
        "<code>abundance_rmse.unit_max</code></th><td>0.0151</td>",
        "<code>abundance_rmse.fcls</code></th><td>–</td>",
        "<code>sad_rad</code></th><td>0.01, 0.02</td>",
        "<h2>Figures</h2>",
        "src=\"data:image/png;base64,",
        "<b>Figure 1.</b> Map of Samson.",
        "<img class=\"samples\" width=\"360\" alt=\"Pixels.\"",
        "src=\"data:image/svg+xml;base64,",
        "<code>figures/never_made.svg</code> is not in the run folder",
        "<h2>Tables</h2>",
        "0.019 ±\u{a0}0.000",
        "<b>Table 1.</b> Angles.",
        "<h2>How it was made</h2>",
        "<td>18446744073709551615</td>",
        "<code>cupel unmix run &#39;my Samson.mat&#39;</code>",
        "earlier starts</th><td>2026-01-01T00:00:00Z</td>",
        "seed = 7",
        "<h2>Citations</h2>",
        "Author of Samson, 2005 <code>doi:10.1109/TGRS.2005.844293</code>",
    ] {
        let found = html[place..].find(wanted).unwrap_or_else(|| panic!("{wanted} is missing or out of order"));
        place += found + wanted.len();
    }
    assert!(!html.contains(">dtype<") && !html.contains(">backends<"), "what is empty is not shown");
}

#[test]
fn hostile_text_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    full_run(folder.path(), HOSTILE);
    let html = read(&write_report(folder.path()).unwrap());
    check_page(&html);
    assert!(html.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;").count() >= 10);
    assert!(html.contains("Bäume 漢字"));
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    full_run(folder.path(), "Samson");
    let first = read(&write_report(folder.path()).unwrap());
    assert_eq!(first, read(&write_report(folder.path()).unwrap()));
}

#[test]
fn each_file_of_a_run_may_be_missing() {
    for file in ["config.toml", "environment.json", "metrics.json", "report.json"] {
        let folder = tempfile::tempdir().unwrap();
        full_run(folder.path(), "Samson");
        fs::remove_file(folder.path().join(file)).unwrap();
        check_page(&read(&write_report(folder.path()).unwrap()));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("environment.json"), "{}").unwrap();
    let html = read(&write_report(folder.path()).unwrap());
    check_page(&html);
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    assert!(html.contains(&format!("<h1>{name}</h1>")), "a run without a story has the name of its folder");
}

#[test]
fn a_folder_that_is_no_run_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let error = write_report(folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, Error::NoFolder { .. }) && error.to_string().contains("nowhere"), "{error}");

    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let error = write_report(folder.path()).unwrap_err();
    assert!(matches!(error, Error::NotARun { .. }), "{error}");
    assert!(matches!(write_report(folder.path().join("notes.txt")), Err(Error::NotARun { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn story_with_figure(folder: &Path, file: &str) {
    let story = serde_json::json!({"format": 1, "title": "t", "figures": [{"file": file, "caption": "c"}]});
    fs::write(folder.join("report.json"), story.to_string()).unwrap();
}

#[test]
fn a_story_cannot_reach_outside_its_folder() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("run");
    fs::create_dir(&folder).unwrap();
    fs::write(outside.path().join("secret.svg"), "<svg/>").unwrap();
    for file in ["../secret.svg", outside.path().join("secret.svg").to_str().unwrap()] {
        story_with_figure(&folder, file);
        assert!(matches!(write_report(&folder), Err(Error::OutsideRun { .. })), "{file}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret.svg", folder.join("link.svg")).unwrap();
        story_with_figure(&folder, "link.svg");
        assert!(matches!(write_report(&folder), Err(Error::OutsideRun { .. })));
    }
    assert!(!folder.join("report.html").exists());
}

#[test]
fn damaged_files_are_errors_that_name_them() {
    let folder = tempfile::tempdir().unwrap();
    full_run(folder.path(), "Samson");
    let complete = fs::read(folder.path().join("figures/map.png")).unwrap();
    let damage: [(&str, &[u8]); 7] = [
        ("figures/map.png", &complete[..20]),
        ("figures/map.png", b"GIF89a"),
        ("figures/spectra.svg", b""),
        ("tables/angles.csv", b"a,b\n1\n"),
        ("tables/angles.csv", b"a\n\xff\n"),
        ("metrics.json", b"{\"a\": "),
        ("environment.json", b"[[[[" as &[u8]),
    ];
    for (file, bytes) in damage {
        let path = folder.path().join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = write_report(folder.path()).unwrap_err().to_string();
        assert!(error.contains(file), "{file}: {error}");
        fs::write(&path, before).unwrap();
    }
    write_report(folder.path()).unwrap();
}

/// A run folder with these files.
fn run(folder: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(folder).unwrap();
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The page of a run with these files.
fn page(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), files);
    let html = read(&write_report(folder.path()).unwrap());
    check_page(&html);
    html
}

const LIST: &str = r#"{"rows": [
    {"method": "vca", "runs": 2, "mean_sad_rad": {"mean": 0.0129, "sd": 0.0002}, "seconds": {"mean": 0.5, "sd": null}, "coverage_90": null},
    {"method": "spa", "runs": 2, "mean_sad_rad": {"mean": 0.0409, "sd": 1e-9}, "seconds": {"mean": 1.5, "sd": null}, "coverage_90": null}],
    "run_dir": "c"}"#;

#[test]
fn a_list_of_objects_is_a_table() {
    let html = page(&[("metrics.json", LIST)]);
    for wanted in [
        "<p><code>rows</code></p>",
        "<th>method</th><th class=\"number\">runs</th><th class=\"number\">mean_sad_rad</th><th class=\"number\">seconds</th>",
        "<td>vca</td><td class=\"number\">2</td><td class=\"number\">0.0129 ±\u{a0}0.0002</td><td class=\"number\">0.5</td>",
        "<td class=\"number\">0.0409 ±\u{a0}1 × 10⁻⁹</td>",
    ] {
        assert!(html.contains(wanted), "{wanted} in\n{html}");
    }
    assert!(!html.contains("coverage_90") && !html.contains("method: vca") && !html.contains("run_dir"), "{html}");
}

#[test]
fn numbers_that_a_table_shows_are_not_said_again() {
    let story =
        |table: &str| format!(r#"{{"format": 1, "title": "t", "tables": [{{"file": "{table}", "caption": "c"}}]}}"#);
    let comparison =
        "method,runs,mean SAD [rad],mean SAD [rad] sd,time [s]\nspa,2,0.041,0.000,1.50\nvca,2,0.013,0.000,0.50\n";
    let html = page(&[
        ("metrics.json", LIST),
        ("report.json", &story("tables/comparison.csv")),
        ("tables/comparison.csv", comparison),
    ]);
    assert!(!html.contains("<code>rows</code>") && html.contains("0.013 ±\u{a0}0.000"), "{html}");
    // One number less in the table, and that one is said with the names it belongs to.
    let short = "method,runs,mean SAD [rad]\nspa,2,0.041\nvca,2,0.013\n";
    let html = page(&[
        ("metrics.json", LIST),
        ("report.json", &story("tables/comparison.csv")),
        ("tables/comparison.csv", short),
    ]);
    assert!(html.contains("<th>method</th><th class=\"number\">seconds</th></tr>"), "{html}");

    let numbers = r#"{"reply": {"log_loss": 0.39440, "auroc": 0.9, "ece": 0.011}, "models": 3, "sad": [0.5, 0.25], "seconds": 2.5}"#;
    let table = "model,log loss,auroc,SAD,time [s]\none,0.60,0.80,0.5,2.5\ntogether,0.39,0.70,0.25,\nthree,3,3,3,3\n";
    let html =
        page(&[("metrics.json", numbers), ("report.json", &story("tables/reply.csv")), ("tables/reply.csv", table)]);
    for (name, stays) in [
        ("reply.log_loss", false),
        ("reply.auroc", true),
        ("reply.ece", true),
        ("models", true),
        ("sad", false),
        ("seconds", false),
    ] {
        assert_eq!(html.contains(&format!("<code>{name}</code>")), stays, "{name} in\n{html}");
    }
}

#[test]
fn a_long_table_is_folded() {
    let long: String = (0..41).map(|row| format!("{row}\n")).collect();
    let story = r#"{"format": 1, "title": "t", "tables": [{"file": "long.csv", "caption": "c"}]}"#;
    let html = page(&[("report.json", story), ("long.csv", &format!("x\n{long}"))]);
    assert!(html.contains("<details>\n<summary>41 rows</summary>"), "{html}");
}

fn log(lines: &[(&str, usize, &str, &str)]) -> String {
    let mut text = String::from("work,step,elapsed_seconds,metric,value\n");
    for (work, step, metric, value) in lines {
        text += &format!("{work},{step},0.5,{metric},{value}\n");
    }
    text
}

#[test]
fn losses_are_shown_over_the_steps() {
    let mut lines = vec![("vca", 1, "candidates", "8"), ("one", 1, "loss", "0.5"), ("", 3, "torn", "x")];
    for (step, loss, validation) in [(10, "4.0", "3.5"), (20, "2.0", "2.25"), (30, "1.0", "2.5"), (40, "NaN", "3")] {
        lines.push(("network", step, "loss", loss));
        lines.push(("network", step, "validation_loss", validation));
        lines.push(("network", step, "reply_log_loss", loss));
        lines.push(("network", step, "learning_rate", "0.1"));
    }
    let html = page(&[("metrics.json", "{}"), ("metrics.csv", &(log(&lines) + "network,50,0.5,lo"))]);
    assert_eq!(html.matches("<img").count(), 1, "one work has a curve");
    assert!(html.contains("<h2>How it learned</h2>"), "{html}");
    assert!(html.contains(
        "<b>Figure 1.</b> Learning curve of <code>network</code>. <code>loss</code>: NaN at the end, lowest 1 at step 30. \
         <code>validation_loss</code>: 3 at the end, lowest 2.25 at step 20.</figcaption>"
    ), "{html}");
    assert!(!html.contains("last value"), "there are final numbers");

    let apart = [
        ("net", 1, "loss", "900"),
        ("net", 2, "loss", "800"),
        ("net", 1, "validation_loss", "2"),
        ("net", 2, "validation_loss", "1"),
    ];
    let html = page(&[("metrics.json", "{}"), ("metrics.csv", &log(&apart))]);
    assert_eq!(html.matches("<img").count(), 2, "losses on different scales have a chart each");
    let html = page(&[("metrics.json", "{}"), ("metrics.csv", &log(&lines[..3]))]);
    assert!(!html.contains("<img") && !html.contains("How it learned"), "no curve, no section");
    let names: Vec<String> = (0..9).map(|index| format!("net{index}")).collect();
    let many: Vec<_> =
        names.iter().flat_map(|name| [(name.as_str(), 1, "loss", "2"), (name, 2, "loss", "1")]).collect();
    let html = page(&[("metrics.json", "{}"), ("metrics.csv", &log(&many))]);
    assert_eq!(html.matches("<img").count(), 6);
    assert!(html.contains("The losses of 3 more are in <code>metrics.csv</code>"));
}

#[test]
fn a_run_of_a_user_shows_its_numbers_and_curves() {
    let log = log(&[("mine", 1, "loss", "2.0"), ("mine", 2, "loss", "1.5"), ("mine", 2, "rate", "1e-9")]);
    let html = page(&[("metrics.csv", &log)]);
    assert!(html.contains("<td>mine</td><td>loss</td><td class=\"number\">1.5</td>"), "{html}");
    assert!(html.contains("<td>rate</td><td class=\"number\">1 × 10⁻⁹</td>") && html.contains("<img"), "{html}");
    let finished = r#"{"finished": "2026-01-01", "summary": {"slope": 1.9999}, "warnings": []}"#;
    let html = page(&[("metrics.csv", &log), ("finished.json", finished)]);
    assert!(html.contains("<code>slope</code></th><td>1.9999</td>") && !html.contains("last value"), "{html}");
    let html = page(&[("finished.json", finished), ("metrics.json", r#"{"slope": 2.0}"#)]);
    assert!(html.contains("<code>slope</code></th><td>2</td>"), "{html}");
}

#[test]
fn figures_scroll_and_tables_take_the_room_there_is() {
    let folder = tempfile::tempdir().unwrap();
    full_run(folder.path(), "Samson");
    let html = read(&write_report(folder.path()).unwrap());
    assert!(html.contains("<figure>\n<div class=\"wide\">\n<img "), "{html}");
    for wanted in [
        ".wide { width: max-content; min-width: 100%; max-width: calc(50% + 50vw - 1.25rem); overflow-x: auto; }",
        "figure img { display: block; max-width: max(100%, 48rem);",
        "td, tbody th { max-width: 36rem; overflow-wrap: break-word; }",
    ] {
        assert!(html.contains(wanted), "{wanted}");
    }
}

#[test]
fn runs_are_compared_by_the_numbers_they_share() {
    let root = tempfile::tempdir().unwrap();
    let dirs = ["first", "second"].map(|name| root.path().join(name));
    for (dir, metrics) in dirs.iter().zip([
        serde_json::json!({"method": "vca", "mean_sad_rad": 0.065, "only": 1, "endmembers": 3, "sad_rad": [1.0, 2.0]}),
        serde_json::json!({"endmembers": 3, "mean_sad_rad": 0.019, "method": HOSTILE, "sad_rad": [1.0]}),
    ]) {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("metrics.json"), metrics.to_string()).unwrap();
    }
    let page = compare_runs(&dirs, root.path().join("comparison.html")).unwrap();
    let html = read(&page);
    check_page(&html);
    assert!(html.contains("<th class=\"number\">1.\u{a0}first</th><th class=\"number\">2.\u{a0}second</th>"));
    assert!(html.contains(
        "<code>mean_sad_rad</code></th><td class=\"number\">0.065</td><td class=\"number\"><b>0.019</b></td>"
    ));
    assert!(html.contains("<code>endmembers</code></th><td class=\"number\">3</td><td class=\"number\">3</td>"));
    assert!(!html.contains("only") && !html.contains("sad_rad</code></th><td>"), "not in both, or not a single number");

    assert!(matches!(compare_runs(&dirs[..1], root.path().join("x.html")), Err(Error::TooFewRuns { got: 1 })));
    fs::rename(dirs[1].join("metrics.json"), dirs[1].join("environment.json")).unwrap();
    let error = compare_runs(&dirs, root.path().join("x.html")).unwrap_err().to_string();
    assert!(error.contains("no final numbers yet"), "{error}");
    assert!(!root.path().join("x.html").exists());
}

#[test]
fn the_best_of_a_row_is_marked_where_its_name_says_what_is_better() {
    let root = tempfile::tempdir().unwrap();
    let dirs = ["a", "b"].map(|name| root.path().join(name));
    let first = r#"{"loss": 1.0, "macro_f1": 0.5, "coverage_90": 0.8, "seed": 1, "ece": 0.1, "error_accuracy": 1, "rmse": {"mean": 2.0, "sd": 0.1}, "none": null}"#;
    let second = r#"{"loss": 2.0, "macro_f1": 0.75, "coverage_90": 0.9, "seed": 2, "ece": 0.1, "error_accuracy": 2, "rmse": {"mean": 1.0, "sd": 0.5}, "none": null}"#;
    run(&dirs[0], &[("metrics.json", first)]);
    run(&dirs[1], &[("metrics.json", second)]);
    let html = read(&compare_runs(&dirs, root.path().join("page.html")).unwrap());
    check_page(&html);
    let row = |name: &str| {
        let row = html.lines().find(|line| line.contains(&format!("<code>{name}</code>"))).unwrap_or_default();
        let cells = row.split("<td class=\"number\">").skip(1).map(|cell| cell.split("</td>").next().unwrap());
        cells.collect::<Vec<_>>().join(" | ")
    };
    for (name, wanted) in [
        ("loss", "<b>1</b> | 2"),
        ("macro_f1", "0.5 | <b>0.75</b>"),
        ("coverage_90", "0.8 | 0.9"),
        ("seed", "1 | 2"),
        ("ece", "0.1 | 0.1"),
        ("error_accuracy", "1 | 2"),
        ("rmse", "2 ±\u{a0}0.1 | <b>1 ±\u{a0}0.5</b>"),
        ("none", ""),
    ] {
        assert_eq!(row(name), wanted, "{name}");
    }
}

#[test]
fn a_comparison_says_which_settings_and_data_differ() {
    let root = tempfile::tempdir().unwrap();
    let dirs = ["a", "b", "c"].map(|name| root.path().join(name));
    let inputs = |hash: &str| {
        format!(r#"{{"scene": {{"path": "<scene>.mat", "blake3": "{hash}"}}, "library": {{"blake3": "1"}}}}"#)
    };
    let config = |seed: usize, more: &str| {
        format!("threads = 2\n{more}[options]\nseed = {seed}\nout = \"run{seed}\"\nlist = [1,\n 2]\n")
    };
    let numbers = ["0.5", "0.25", "0.125"].map(|loss| format!("{{\"loss\": {loss}}}"));
    for (index, dir) in dirs.iter().enumerate() {
        let hash = if index == 2 { "0123456789abcdef" } else { "fedcba9876543210" };
        let more = if index == 1 { "method = \"vca\"\n" } else { "" };
        run(
            dir,
            &[("metrics.json", &numbers[index]), ("inputs.json", &inputs(hash)), ("config.toml", &config(index, more))],
        );
    }
    let compared = |dirs: &[std::path::PathBuf]| {
        let html = read(&compare_runs(dirs, root.path().join("page.html")).unwrap());
        check_page(&html);
        html
    };
    let same = compared(&dirs[..2]);
    assert!(same.contains("<p>All runs saw the same data.</p>") && same.contains("<b>0.25</b>"), "{same}");
    assert!(same.contains("<code>options.seed</code></th><td>0</td><td>1</td>"), "{same}");
    assert!(same.contains("<code>method</code></th><td>–</td><td>vca</td>"), "{same}");
    for not in ["threads", "options.out", "options.list", "<p class=\"warning\">"] {
        assert!(!same.contains(not), "{not} in\n{same}");
    }
    let other = compared(&dirs);
    assert!(other.contains("<p class=\"warning\"><b>The runs saw different data:</b> <code>scene</code>."), "{other}");
    assert!(
        other.contains("<td>&lt;scene&gt;.mat <code>0123456789ab</code></td>") && !other.contains("library"),
        "{other}"
    );
    assert!(!other.contains("<b>0.125</b>"), "nothing is the best of what measures different things");

    fs::remove_file(dirs[1].join("inputs.json")).unwrap();
    assert!(compared(&dirs[..2]).contains("Which data were seen is not said by <code>b</code>."));
    fs::write(dirs[1].join("config.toml"), "seed = ").unwrap();
    let error = compare_runs(&dirs, root.path().join("page.html")).unwrap_err().to_string();
    assert!(error.contains("config.toml: it is not TOML"), "{error}");
}
