//! Charts through the public interface: what a reader of the picture would see.

use cupel_report::{Error, Figure, HeatMap, LineChart, MapPanel};

const HOSTILE: &str = "</text><script>alert('x')</script> & \"Bäume\" 漢字 \u{202e}\0";

fn parsed(figure: &Figure) -> String {
    let svg = figure.to_svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error} in\n{svg}"));
    let allowed = ["svg", "title", "rect", "path", "text", "image"];
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(allowed.contains(&node.tag_name().name()), "{:?}", node.tag_name());
    }
    svg
}

fn texts(figure: &Figure) -> Vec<String> {
    let svg = figure.to_svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")))
        .filter_map(|node| node.last_child().and_then(|child| child.text()).map(str::to_owned))
        .collect()
}

/// The outlines of all lines of a colour.
fn lines(figure: &Figure, color: &str) -> Vec<Vec<[f64; 2]>> {
    let svg = figure.to_svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    document
        .descendants()
        .filter(|node| node.attribute("stroke") == Some(color) && node.attribute("stroke-width") == Some("1.6"))
        .map(|node| {
            let path = node.attribute("d").unwrap();
            path.split(['M', 'L'])
                .filter(|part| !part.is_empty())
                .map(|part| {
                    let (x, y) = part.split_once(' ').unwrap();
                    [x.parse().unwrap(), y.parse().unwrap()]
                })
                .collect()
        })
        .collect()
}

const BLUE: &str = "#0072b2";
const ORANGE: &str = "#d55e00";

#[test]
fn names_of_any_kind_stay_text() {
    let values = [0.0, 0.5, 1.0, f32::NAN];
    let map = HeatMap::new(HOSTILE, &values, 2, 2).label(HOSTILE).horizontal(HOSTILE, 0.0, 1.0);
    let panel = MapPanel::new(HOSTILE.repeat(20), 2, 2).map(HOSTILE, &values).map(HOSTILE.repeat(20), &values);
    let chart = LineChart::new(HOSTILE, HOSTILE, HOSTILE).line(HOSTILE.repeat(20), &[0.0, 1.0], &[0.0, 1.0]);
    for figure in [map.figure(), panel.figure(), chart.figure()] {
        let figure = figure.unwrap();
        let svg = parsed(&figure);
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"));
        assert!(!svg.contains('\0') && !svg.contains('\u{202e}'));
        assert!(figure.to_png().unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn a_chart_shows_its_titles_ticks_and_legend() {
    let x = [400.0, 500.0, 600.0, 700.0];
    let figure = LineChart::new("Endmembers", "wavelength [nm]", "reflectance")
        .line("tree", &x, &[0.0, 0.2, 0.3, 1.0])
        .reference("tree", &x, &[0.0, 0.25, 0.3, 1.0])
        .reference_name("truth")
        .figure()
        .unwrap();
    let texts = texts(&figure);
    for wanted in ["Endmembers", "wavelength [nm]", "reflectance", "tree", "truth", "500", "0.4"] {
        assert!(texts.iter().any(|text| text == wanted), "{wanted} is not in {texts:?}");
    }
    let svg = parsed(&figure);
    assert_eq!(svg.matches("stroke-dasharray").count(), 2, "the reference and its legend entry");
}

#[test]
fn lines_run_through_their_points() {
    let figure = LineChart::new("", "", "")
        .line("a", &[0.0, 1.0, 3.0], &[0.0, 2.0, 1.0])
        .line("b", &[0.0, 3.0], &[1.0, 1.0])
        .figure()
        .unwrap();
    let a = &lines(&figure, BLUE)[0];
    let b = &lines(&figure, ORANGE)[0];
    let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 0.02, "{got} {wanted}");
    // A third of the way from 0 to 3, and values upwards.
    near((a[1][0] - a[0][0]) / (a[2][0] - a[0][0]), 1.0 / 3.0);
    assert!(a[1][1] < a[2][1] && a[2][1] < a[0][1]);
    near(a[2][1], b[0][1]);
    near((a[0][1] + a[1][1]) / 2.0, b[0][1]);
}

#[test]
fn lines_break_at_missing_values_and_at_removed_bands() {
    let x = [1.0, 2.0, 3.0, 4.0, 10.0, 11.0, 12.0];
    let y = [1.0, 1.0, f64::NAN, 1.0, 1.0, 2.0, 1.0];
    let joined = LineChart::new("", "", "").line("a", &x, &y);
    // The point at 4 stands alone between a missing value and a gap and is drawn as a dot.
    let pieces =
        |chart: &LineChart| -> Vec<usize> { lines(&chart.figure().unwrap(), BLUE).iter().map(Vec::len).collect() };
    assert_eq!(pieces(&joined), [2, 4]);
    assert_eq!(pieces(&joined.clone().break_gaps()), [2, 3]);
    let svg = parsed(&joined.break_gaps().figure().unwrap());
    assert_eq!(svg.matches("fill=\"#0072b2\"").count(), 1);
}

#[test]
fn a_logarithmic_axis_spaces_decades_evenly_and_leaves_out_what_is_not_positive() {
    let figure = LineChart::new("", "step", "loss")
        .log_y()
        .line("a", &[0.0, 1.0, 2.0, 3.0, 4.0], &[1.0, 0.1, 0.01, 0.0, -1.0])
        .figure()
        .unwrap();
    let line = &lines(&figure, BLUE)[0];
    assert_eq!(line.len(), 3);
    assert!((line[0][1] + line[2][1] - 2.0 * line[1][1]).abs() < 0.03, "{line:?}");
}

#[test]
fn a_long_log_keeps_its_extremes_in_few_points() {
    let steps: Vec<f64> = (0..200_000).map(f64::from).collect();
    let mut loss = vec![1.0; steps.len()];
    loss[123_457] = 9.0;
    loss[77_777] = -3.0;
    let figure = LineChart::new("", "", "").line("a", &steps, &loss).figure().unwrap();
    let line = &lines(&figure, BLUE)[0];
    assert!(line.len() < 3000, "{}", line.len());
    let (top, bottom) =
        line.iter().fold((f64::MAX, f64::MIN), |(top, bottom), point| (top.min(point[1]), bottom.max(point[1])));
    let level = line[0][1];
    assert!(((level - top) / (bottom - level) - 2.0).abs() < 0.01, "{top} {level} {bottom}");
}

#[test]
fn a_band_is_closed_and_has_the_colour_of_its_line() {
    let x = [0.0, 1.0, 2.0, 3.0];
    let figure = LineChart::new("", "", "")
        .line("mean", &x, &[1.0; 4])
        .band("mean", &x, &[0.5, 0.5, f64::NAN, 0.5], &[1.5; 4])
        .figure()
        .unwrap();
    let svg = parsed(&figure);
    assert_eq!(
        svg.matches("fill=\"#0072b2\" fill-opacity=\"0.2\"").count(),
        2,
        "one on each side of the missing value"
    );
}

#[test]
fn what_cannot_be_drawn_is_a_clear_error() {
    let error = LineChart::new("c", "", "").line("tree", &[1.0, 2.0], &[1.0]).figure().unwrap_err();
    assert_eq!(
        error.to_string(),
        "chart \"c\", line \"tree\": 2 coordinates but 1 values; give one value for each coordinate"
    );
    for chart in [
        LineChart::new("c", "", ""),
        LineChart::new("c", "", "").line("tree", &[1.0], &[f64::NAN]),
        LineChart::new("c", "", "").log_y().line("tree", &[1.0], &[-1.0]),
    ] {
        assert!(matches!(chart.figure(), Err(Error::Nothing { .. })));
    }
    assert!(matches!(MapPanel::new("p", 2, 2).figure(), Err(Error::Nothing { .. })));
}

#[test]
fn extreme_values_do_not_fail() {
    let x = [f64::MIN_POSITIVE, 1.0, 1e300];
    let y = [-1e300, 0.0, 1e300];
    for chart in [
        LineChart::new("", "", "").line("a", &x, &y),
        LineChart::new("", "", "").log_x().line("a", &x, &y),
        LineChart::new("", "", "").log_y().line("a", &x, &x),
        LineChart::new("", "", "").line("a", &[5.0], &[0.0]),
        LineChart::new("", "", "").break_gaps().line("a", &[5.0, 5.0, 5.0], &[1.0, 2.0, 3.0]),
    ] {
        let figure = chart.figure().unwrap();
        parsed(&figure);
        figure.to_png().unwrap();
    }
}

#[test]
fn figures_are_saved_beside_each_other_and_the_ending_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let stem = folder.path().join("figures/abundance_0.5");
    HeatMap::new("tree", &[0.0, 1.0], 1, 2).save(&stem).unwrap();
    assert!(folder.path().join("figures/abundance_0.5.svg").is_file());
    assert!(folder.path().join("figures/abundance_0.5.png").is_file());
    assert_eq!(std::fs::read_dir(folder.path().join("figures")).unwrap().count(), 2);
}
