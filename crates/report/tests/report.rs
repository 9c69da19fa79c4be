//! The report and the comparison, made from run folders as a command leaves them.

use std::{fs, path::Path};

use cupel_report::{Cell, Error, HeatMap, LineChart, Story, Table, compare_runs, write_report};

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
    map.save_pixels(folder.join("figures/map_pixels.png")).unwrap();
    LineChart::new(name, "wavelength [nm]", "reflectance")
        .line(name, &[400.0, 500.0], &[0.1, 0.2])
        .save(folder.join("figures/spectra"))
        .unwrap();
    let mut table = Table::new().text_column("endmember").number_column("angle", "rad", 3);
    table.push([name.into(), Cell::spread(0.0193, 0.0004)]).unwrap();
    table.save(folder.join("tables/angles")).unwrap();
    Story::new(format!("Unmixing of {name}"))
        .summary(format!("Summary of {name}."))
        .finding(format!("Finding of {name}."))
        .figure("figures/map.png", format!("Map of {name}."))
        .figure("figures/map_pixels.png", "Pixels.")
        .figure("figures/spectra.svg", "Spectra.")
        .figure("figures/never_made.svg", "Missing.")
        .table("tables/angles.csv", "Angles.")
        .citation(format!("Author of {name}, 2005"), "doi:10.1109/TGRS.2005.844293")
        .save(folder)
        .unwrap();
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
        "0.019 ± 0.000",
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
    assert!(html.contains("<th class=\"number\">1. first</th><th class=\"number\">2. second</th>"));
    assert!(html.contains(
        "<code>mean_sad_rad</code></th><td class=\"number\"><b>0.065</b></td><td class=\"number\"><b>0.019</b></td>"
    ));
    assert!(html.contains("<code>endmembers</code></th><td class=\"number\">3</td><td class=\"number\">3</td>"));
    assert!(!html.contains("only") && !html.contains("sad_rad</code></th><td>"), "not in both, or not a single number");

    assert!(matches!(compare_runs(&dirs[..1], root.path().join("x.html")), Err(Error::TooFewRuns { got: 1 })));
    fs::rename(dirs[1].join("metrics.json"), dirs[1].join("environment.json")).unwrap();
    let error = compare_runs(&dirs, root.path().join("x.html")).unwrap_err().to_string();
    assert!(error.contains("no final numbers yet"), "{error}");
    assert!(!root.path().join("x.html").exists());
}
