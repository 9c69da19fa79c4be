//! The numbers of scikit-learn and NumPy on the same data; `oracle.py` makes both.

use cupel_data::AxisKind;
use cupel_pca::{Covariance, Modes, Pca, Solver};
use num_complex::Complex;

use super::samples::{assert_close, assert_near, cleaned, complex_sky, cube, rows, sky, uniform};

const VARIANCE: [f64; 4] = [532865.2821124622, 10.622733823660313, 0.10941643048675066, 0.10746752946971927];
const RATIO: [f64; 4] = [0.9999766424419778, 1.9934655266763612e-05, 2.0533121308330046e-07, 2.0167389938529246e-07];
const SINGULAR: [f64; 4] = [17865.785848525244, 79.76852487273742, 8.095705149124667, 8.023281757009524];
const COMPONENTS: [f64; 48] = [
    0.4113127763398324,
    0.36992035569714377,
    0.33407821037341445,
    0.30286919549987046,
    0.2755623450157334,
    0.2515711501073844,
    0.23035937960287814,
    0.21149173171809008,
    0.1947647703801398,
    0.1797799349037484,
    0.1663968168939258,
    0.15430710319123717,
    0.14343409576734148,
    0.1335450134425157,
    0.1246259741594428,
    0.11648714025970486,
    0.10907226553687,
    0.1022981179538115,
    0.09610455336515664,
    0.09038608285079534,
    0.08515169352825683,
    0.08030084636069934,
    0.07585085991045125,
    0.07172781934132909,
    0.4187648744119843,
    0.2970265490161951,
    0.20784880500015507,
    0.11260903641422769,
    0.04819987070838652,
    -0.0016698353317850148,
    -0.04614560259677778,
    -0.08997251273722054,
    -0.12199363826482593,
    -0.1367822199470275,
    -0.15846436123430047,
    -0.1795730703846743,
    -0.19658701687654995,
    -0.2003662593219609,
    -0.20699355568081443,
    -0.21764181249613473,
    -0.2174783732494767,
    -0.22959283412346734,
    -0.22552479549410093,
    -0.2275560733802971,
    -0.22239377202745428,
    -0.22814618694353397,
    -0.2270627916556671,
    -0.22869643226115038,
];
const RESIDUAL: [f64; 24] = [
    0.13564909487899968,
    -0.2086039505293229,
    -0.08258392646473567,
    -0.11030742892785383,
    -0.043535127118161654,
    0.5764634959840578,
    -0.1366435495871201,
    0.17288884157642315,
    -0.07028720346255568,
    0.07337018993098354,
    -0.1470375775585353,
    -0.3689494342033868,
    -0.2770134777885005,
    0.22055200090983362,
    -0.21879577047121757,
    0.22379616380897005,
    0.46532958842027483,
    0.33508317584335146,
    -0.3758156396764889,
    0.269283548038743,
    -0.06753542729950368,
    -0.1059930828338338,
    -0.036366551871935826,
    -0.25932640867375767,
];
const NOISE: f64 = 0.0803552343134191;
const FEW: [f64; 3] = [179533.34277499394, 7.185482846866438, 0.4063603585898863];
const FEW_NOISE: f64 = 0.13103444896707572;
const HERMITIAN: [f64; 6] = [
    1014739.2553335219,
    22.25549462711413,
    0.22234001106880485,
    0.2147197251309304,
    0.20482743413062315,
    0.20092430018047258,
];
const CLEANED_RE: [f64; 24] = [
    0.23494185984350224,
    -0.21012128620429849,
    -0.08776275423554125,
    -0.06138794072580822,
    0.029931431016052557,
    0.30660831824710044,
    -0.20397290011612768,
    -0.14255840116913987,
    0.08115131185300584,
    0.1582958485300594,
    -0.27838487069126927,
    -0.026414630169995235,
    -0.17540868722579717,
    0.20913995582930056,
    -0.34467572874099517,
    0.3459385810173785,
    0.3670434222697878,
    0.12455841752141339,
    -0.29415308973068477,
    0.23735894251024092,
    0.01671172774879892,
    -0.14402719049378732,
    -0.0232495984870269,
    -0.10158124197826623,
];
const CLEANED_IM: [f64; 24] = [
    -0.1999078370334928,
    0.1864284261444027,
    -0.33572602518034955,
    0.31540064036269655,
    0.25428112684946313,
    0.0035646625994445458,
    -0.04441750886127238,
    0.3354607919567343,
    -0.19336249058446242,
    -0.1353343399482867,
    -0.3214129571971398,
    0.24400060320743933,
    -0.5074731470836582,
    0.24800627967333355,
    0.09147345845426003,
    0.32547939314927987,
    -0.0007246129528226675,
    -0.3639562413292481,
    -0.09876290730178994,
    -0.2153787893464738,
    0.09617810005465799,
    0.2941067264673194,
    0.12104621868863319,
    -0.11615159572382083,
];
const MASKED_MEAN: [f64; 3] = [311.88442730163194, 302.25601657531547, 308.5607997194513];
const MASKED: [f64; 4] = [87742.98595589628, 79303.44379765185, 35586.89532004315, 2693.6704920748844];

/// Tolerances of the comparison: eigenvalues relative, angle, residual in units of its rms.
const EIGENVALUE: f64 = 1e-6;
const ANGLE: f64 = 1e-5;
const LEFT: f64 = 1e-5;

fn assert_each(got: &[f64], expected: &[f64], what: &str) {
    for (got, expected) in got.iter().zip(expected) {
        assert!((got / expected - 1.0).abs() < EIGENVALUE, "{what}: {got} {expected}");
    }
}

#[test]
fn a_fit_is_that_of_scikit_learn() {
    let sky = sky(600, 24, 1);
    let components = Pca::new(Modes::Count(4)).fit(&sky, AxisKind::Frequency).unwrap();
    assert_eq!(components.solver(), Solver::Eigen);
    assert_each(components.explained_variance(), &VARIANCE, "explained_variance");
    assert_each(&components.explained_variance_ratio(), &RATIO, "explained_variance_ratio");
    assert_each(&components.singular_values(), &SINGULAR, "singular_values");
    assert_each(&[components.noise_variance()], &[NOISE], "noise_variance");
    let vectors = components.vectors().unwrap();
    assert_near(&vectors[0], &COMPONENTS[..24], ANGLE / 5.0, "first component");
    assert_near(&vectors[1], &COMPONENTS[24..], ANGLE / 5.0, "second component");
    let exact = sky.map(|&value| f64::from(value));
    let restored = components.inverse_transform(&components.transform(&exact).unwrap()).unwrap();
    let residual: Vec<f64> = (17 * 24..18 * 24).map(|at| exact.values()[at] - restored.values()[at]).collect();
    assert_near(&residual, &RESIDUAL, LEFT * NOISE.sqrt(), "residual");
}

#[test]
fn fewer_samples_than_channels_are_decomposed_themselves() {
    let few = sky(12, 24, 2);
    let components = Pca::new(Modes::Count(3)).fit(&few, AxisKind::Frequency).unwrap();
    assert_eq!(components.solver(), Solver::Svd);
    assert_each(components.explained_variance(), &FEW, "explained_variance");
    assert_each(&[components.noise_variance()], &[FEW_NOISE], "noise_variance");
    // the covariance has the same answer
    let mut covariance = Covariance::new(components.axis());
    covariance.update(&few).unwrap();
    let other = covariance.components(Modes::Count(3)).unwrap();
    assert_close(other.variances(), components.variances(), 1e-10, "variances");
    assert!(
        super::samples::sine(&super::samples::vectors(other.basis()), &super::samples::vectors(components.basis()))
            < ANGLE
    );
    assert_eq!(components.complement().len(), 21);
    assert!(components.eigenvalues()[12..].iter().all(|&value| value == 0.0));
}

#[test]
fn a_hermitian_fit_is_that_of_numpy() {
    let sky = complex_sky(600, 24, [1, 3]);
    let components = Pca::new(Modes::Count(4)).hermitian().fit(&sky, AxisKind::Frequency).unwrap();
    assert_each(&components.eigenvalues()[..6], &HERMITIAN, "eigenvalues");
    let left = cleaned(&components, &rows(&sky, 17..18));
    let [re, im]: [Vec<f64>; 2] =
        [|z: &Complex<f64>| z.re, |z: &Complex<f64>| z.im].map(|f| left.iter().map(f).collect());
    assert_near(&re, &CLEANED_RE, LEFT * 0.2, "cleaned, real part");
    assert_near(&im, &CLEANED_IM, LEFT * 0.2, "cleaned, imaginary part");
}

#[test]
fn a_masked_covariance_is_that_of_its_definition() {
    let sky = sky(600, 24, 1);
    let weights = uniform(600 * 24, 4).iter().map(|&draw| if draw > -0.3 { 1.0 } else { 0.0 }).collect();
    let mut covariance = Covariance::new(sky.axis(AxisKind::Frequency).unwrap());
    covariance.update_weighted(&sky, &cube(weights, 600, 24)).unwrap();
    assert_close(&covariance.mean()[..3], &MASKED_MEAN, 1e-12, "mean");
    let matrix = covariance.matrix().unwrap();
    assert_close(&[matrix[0], matrix[1], matrix[3 * 24 + 7], matrix[23 * 24 + 23]], &MASKED, 1e-12, "covariance");
}
