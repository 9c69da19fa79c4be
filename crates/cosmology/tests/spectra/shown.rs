//! What `cosmology power` prints and draws.

use cupel_cosmology::{
    Background, Sky, Unit, frequency_axis,
    power::{Power, PowerConfig, Spacing, Volume, Window},
};
use cupel_data::{Cube, Stream};
use cupel_report::Report;

use super::skies::{cube, near};

const SHAPE: [usize; 3] = [16, 18, 20];

fn white() -> Cube<f32> {
    let mut values = vec![0.0_f32; SHAPE.iter().product()];
    Stream::new(4, "shown").fill_normal(&mut values);
    cube(values, SHAPE)
}

fn sky() -> Sky {
    let channels = frequency_axis((0..16).map(|i| 400.0 + 2.0 * f64::from(i)).collect()).unwrap();
    let cube = white().with_axis(channels).unwrap();
    Sky::new(cube, Unit::Millikelvin, None).unwrap().with_sides([5.0, 5.5]).unwrap()
}

#[test]
fn a_sky_has_all_its_spectra_and_their_figures() {
    let background = Background::default();
    let power = Power::of(&sky(), &PowerConfig::default(), &background).unwrap();
    let volume = Volume::of(&sky().geometry().unwrap(), [18, 20], &background).unwrap();
    let level = volume.size() / volume.len() as f64;
    for band in power.k.iter().chain(&power.k_par).filter(|band| band.modes > 200) {
        assert!((band.power - level).abs() < 4.5 * band.sigma, "{band:?} {level}");
    }
    near(power.variance, 1.0, 0.05, "variance");
    assert_eq!((power.k_unit, power.power_unit.as_str()), ("h/Mpc", "mK^2 (Mpc/h)^3"));
    let rings = &power.cylindrical;
    assert_eq!(rings.bands.len(), rings.rings * rings.planes);
    let (wedge, horizon) = (rings.wedge.as_ref().unwrap(), rings.horizon.unwrap());
    assert!(horizon.slope > 1.0 && wedge.iter().any(|inside| *inside) && wedge.iter().any(|inside| !inside));
    assert_eq!(power.angular.as_ref().unwrap().channels.len(), 16);

    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new(folder.path(), "Power");
    power.show(&mut report).unwrap();
    report.save().unwrap();
    for name in ["power", "power_k_par", "power_cylindrical", "angular_power"] {
        assert!(folder.path().join(format!("figures/{name}.svg")).is_file(), "{name}");
    }
    let table = std::fs::read_to_string(folder.path().join("tables/power.csv")).unwrap();
    assert!(table.starts_with("k [h/Mpc],modes,P [mK^2 (Mpc/h)^3]"), "{table}");
    let text = power.to_string();
    assert!(text.contains("P in mK^2 (Mpc/h)^3") && !text.contains("per cell"), "{text}");
}

#[test]
fn without_a_size_it_is_in_cells() {
    let plain = Sky::new(sky().cube().clone(), Unit::Kelvin, None).unwrap();
    let power = Power::of(&plain, &PowerConfig::default(), &Background::default()).unwrap();
    assert_eq!((power.k_unit, power.power_unit.as_str()), ("rad/cell", "K^2 cell^3"));
    assert!(power.angular.is_none() && power.cylindrical.wedge.is_none());
    assert!(power.to_string().contains("radians per cell"));
    let array = Power::of_cube(&white(), "K", None, &PowerConfig::default()).unwrap();
    assert_eq!(serde_json::to_string(&array).unwrap(), serde_json::to_string(&power).unwrap());
}

#[test]
fn settings_and_weights_are_honoured() {
    let config =
        PowerConfig { bins: 4, spacing: Spacing::Linear, window: Window::BlackmanHarris, ..Default::default() };
    let weights = white().map(|value| if *value > 1.0 { 0.0 } else { 1.0 });
    let power = Power::of_cube(&white(), "mK", Some(&weights), &config).unwrap();
    assert!(power.k.len() == 4 && power.window == "blackman-harris");
    assert!(power.k.iter().all(|band| band.effective_modes < 0.7 * band.modes as f64), "a taper correlates modes");
    assert!(power.note.is_some_and(|note| power.to_string().contains(note)));
    let fundamental = PowerConfig { spacing: Spacing::Fundamental, ..config };
    assert!(Power::of_cube(&white(), "mK", None, &fundamental).unwrap().k.len() > 10);
}
