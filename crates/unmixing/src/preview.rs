//! [`Preview`]: which bands show a scene in colours.

use cupel_data::Axis;

/// Centres of red, green and blue light in nanometres, and how far from them a band may lie.
const VISIBLE_NM: [f64; 3] = [640.0, 550.0, 460.0];
const NEAR_NM: f64 = 40.0;
/// Where between the first and the last band others are taken from, for false colours.
const FALSE: [f64; 3] = [0.8, 0.5, 0.2];

/// Three bands as red, green and blue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preview {
    /// Their places among the bands that are used.
    pub(crate) bands: [usize; 3],
    /// What is shown, as a sentence.
    pub(crate) caption: String,
}

impl Preview {
    /// The bands nearest to red, green and blue, or false colours where the scene has no such band or does not say where its bands lie.
    pub(crate) fn of(axis: &Axis, numbers: &[usize]) -> Self {
        let centres = axis.coordinates_in("nm").ok();
        let nearest = |nm: f64, centres: &[f64]| {
            (0..centres.len()).min_by(|&a, &b| (centres[a] - nm).abs().total_cmp(&(centres[b] - nm).abs())).unwrap_or(0)
        };
        let visible = centres.and_then(|centres| {
            let bands = VISIBLE_NM.map(|nm| nearest(nm, centres));
            let near = |(&band, nm): (&usize, f64)| (centres[band] - nm).abs() <= NEAR_NM;
            let distinct = bands[0] != bands[1] && bands[1] != bands[2];
            (distinct && bands.iter().zip(VISIBLE_NM).all(near)).then_some(bands)
        });
        let bands = visible.unwrap_or_else(|| {
            // Where centres are known colours follow them, whichever way the bands go.
            let mut order: Vec<usize> = (0..axis.len()).collect();
            if let Some(centres) = centres {
                order.sort_by(|&a, &b| centres[a].total_cmp(&centres[b]));
            }
            FALSE.map(|part| order[(part * (axis.len() - 1) as f64).round() as usize])
        });
        let name = |band: usize| {
            let number = numbers.get(band).map_or(band, |&number| number) + 1;
            centres.map_or_else(|| format!("{number}"), |nm| format!("{number} ({:.0} nm)", nm[band]))
        };
        let [red, green, blue] = bands.map(name);
        let kind = match (visible, centres) {
            (Some(_), _) => "The scene",
            (None, Some(_)) => "The scene in false colours, since it has no bands of visible red, green and blue",
            (None, None) => "The scene in false colours, since nothing says where its bands lie",
        };
        let caption = format!(
            "{kind}: bands {red}, {green} and {blue} as red, green and blue, each from its 2nd to its 98th percentile. Pixels that are \
             left out are transparent."
        );
        Self { bands, caption }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::AxisKind;

    fn preview(centres: &[f64]) -> Preview {
        let axis = Axis::new(AxisKind::Wavelength, centres.len()).with_coordinates(centres.to_vec(), "nm").unwrap();
        Preview::of(&axis, &(0..centres.len()).collect::<Vec<_>>())
    }

    #[test]
    fn visible_bands_are_taken_in_any_order_and_others_are_said_to_be_false() {
        let up: Vec<f64> = (0..60).map(|band| 400.0 + 10.0 * f64::from(band)).collect();
        let down: Vec<f64> = up.iter().rev().copied().collect();
        assert_eq!(preview(&up).bands.map(|band| up[band]), VISIBLE_NM);
        assert_eq!(preview(&down).bands.map(|band| down[band]), VISIBLE_NM);
        assert!(preview(&up).caption.starts_with("The scene: bands 25 (640 nm), 16 (550 nm) and 7 (460 nm)"));
        let infrared: Vec<f64> = (0..50).map(|band| 1000.0 + 20.0 * f64::from(band)).collect();
        assert!(preview(&infrared).caption.contains("no bands of visible"));
        let unknown = Preview::of(&Axis::new(AxisKind::Wavelength, 30), &[]);
        assert!(unknown.caption.contains("nothing says") && unknown.bands == [23, 15, 6], "{unknown:?}");
        assert_eq!(Preview::of(&Axis::new(AxisKind::Wavelength, 1), &[]).bands, [0; 3]);
        assert!(preview(&[450.0, 800.0]).caption.contains("false colours"));
    }
}
