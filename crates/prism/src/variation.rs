//! Total variation: how much an object changes from place to place, by its edges and not by their height squared.
//!
//! `sum sqrt(|a(r + 1, c) - a(r, c)|^2 + |a(r, c + 1) - a(r, c)|^2 + s^2) - s` over all places, with no difference across the edge of the
//! image: L. I. Rudin, S. Osher, E. Fatemi, Physica D 60, 259 (1992), doi:10.1016/0167-2789(92)90242-F, smoothed by `s` so that it has a derivative.

/// The total variation of a real object (one part) or a complex one (two), `columns` wide; `weight` times its derivatives is added to `gradient`, the
/// parts one after the other as in `parts`.
pub(crate) fn total_variation(
    parts: &[f64],
    columns: usize,
    count: usize,
    smoothing: f64,
    weight: f64,
    gradient: &mut [f64],
) -> f64 {
    let places = parts.len() / count;
    let rows = places / columns;
    let mut sum = 0.0;
    for row in 0..rows {
        for column in 0..columns {
            let here = row * columns + column;
            let (below, right) = (row + 1 < rows, column + 1 < columns);
            let mut square = smoothing * smoothing;
            for part in (0..count).map(|part| part * places) {
                let value = parts[part + here];
                square += if below { (parts[part + here + columns] - value).powi(2) } else { 0.0 };
                square += if right { (parts[part + here + 1] - value).powi(2) } else { 0.0 };
            }
            let size = square.sqrt();
            sum += size - smoothing;
            if size == 0.0 {
                continue;
            }
            let factor = weight / size;
            for part in (0..count).map(|part| part * places) {
                let value = parts[part + here];
                if below {
                    let slope = factor * (parts[part + here + columns] - value);
                    gradient[part + here + columns] += slope;
                    gradient[part + here] -= slope;
                }
                if right {
                    let slope = factor * (parts[part + here + 1] - value);
                    gradient[part + here + 1] += slope;
                    gradient[part + here] -= slope;
                }
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_by_its_height_and_length() {
        let image: Vec<f64> = (0..20).map(|place| if place % 5 < 2 { 0.0 } else { 3.0 }).collect();
        let mut gradient = vec![0.0; 20];
        assert!((total_variation(&image, 5, 1, 1e-9, 1.0, &mut gradient) - 12.0).abs() < 1e-6);
        // only the two columns at the edge have a slope
        assert!(gradient.iter().enumerate().all(|(place, g)| match place % 5 {
            1 => (g + 1.0).abs() < 1e-6,
            2 => (g - 1.0).abs() < 1e-6,
            _ => g.abs() < 1e-6,
        }));
    }
}
