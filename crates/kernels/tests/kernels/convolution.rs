//! Convolutions and transposed convolutions: own body and reference against the definition, with gradients.

mod naive;

use crate::checks::{self, Operation, own_kernels_stay, panics};
use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_kernels::{ConvSpec, ConvTransposeSpec, Pad, conv_transpose2d, conv_transpose3d, conv2d, conv3d, reference};
use naive::Case;

/// How many roundings of the sum of absolute products a result may be off. The transforms of Winograd's method
/// add up values that are larger than the result.
const ROUNDINGS: f64 = 16.0;

const Z: Pad = Pad::Zero;
const C: Pad = Pad::Circular;
const R: Pad = Pad::Reflect;
const E: Pad = Pad::Replicate;

#[expect(clippy::too_many_arguments, reason = "a row of the table below")]
const fn case(
    batch: usize,
    groups: usize,
    channels: [usize; 2],
    input: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [[usize; 2]; 3],
    mode: [Pad; 3],
) -> Case {
    Case { batch, groups, channels, input, kernel, stride, padding, mode }
}

/// Cases of three axes; those with a first extent, kernel and stride of 1 are run in two dimensions too.
const CASES: &[Case] = &[
    // one value of everything
    case(1, 1, [1, 1], [1, 1, 1], [1, 1, 1], [1; 3], [[0; 2]; 3], [Z; 3]),
    // two dimensions: each mode, strides, groups, even and long kernels
    case(2, 1, [3, 5], [1, 9, 11], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
    case(1, 1, [3, 20], [1, 17, 35], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z, C, C]),
    case(1, 1, [17, 33], [1, 8, 19], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z, R, E]),
    case(2, 1, [4, 6], [1, 10, 12], [1, 4, 4], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
    case(1, 1, [2, 3], [1, 7, 8], [1, 2, 2], [1, 2, 2], [[0; 2]; 3], [Z; 3]),
    case(1, 3, [6, 9], [1, 6, 7], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z, E, C]),
    case(2, 5, [5, 5], [1, 9, 9], [1, 3, 3], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z, R, R]),
    case(1, 1, [2, 2], [1, 5, 9], [1, 1, 7], [1; 3], [[0, 0], [0, 0], [3, 3]], [Z, Z, R]),
    case(1, 1, [3, 2], [1, 6, 6], [1, 5, 5], [1; 3], [[0, 0], [4, 4], [4, 4]], [Z; 3]),
    case(1, 1, [16, 16], [1, 32, 32], [1, 1, 1], [1; 3], [[0; 2]; 3], [Z; 3]),
    case(1, 1, [40, 1], [1, 13, 14], [1, 3, 3], [1; 3], [[0; 2]; 3], [Z; 3]),
    // few channels: vectors along rows, in several strips, with strides, groups, every mode, and rows that end within a vector
    case(2, 1, [4, 2], [1, 9, 21], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z, R, C]),
    case(1, 1, [1, 1], [1, 230, 40], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
    case(1, 1, [4, 8], [1, 32, 34], [1, 4, 4], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
    case(1, 2, [6, 10], [1, 17, 29], [1, 5, 4], [1, 3, 2], [[0, 0], [2, 1], [1, 2]], [Z, E, R]),
    case(2, 1, [32, 7], [1, 8, 18], [1, 1, 1], [1; 3], [[0; 2]; 3], [Z; 3]),
    case(1, 1, [3, 2], [1, 1, 40], [1, 1, 5], [1, 1, 4], [[0, 0], [0, 0], [7, 8]], [Z; 3]),
    // few positions of many channels, for which a transform of the weights does not pay, and enough
    case(1, 1, [9, 17], [1, 8, 8], [1, 4, 4], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
    case(1, 1, [9, 17], [1, 34, 32], [1, 4, 4], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
    // three dimensions
    case(1, 1, [2, 16], [6, 7, 9], [3; 3], [1; 3], [[1; 2]; 3], [C; 3]),
    case(2, 1, [3, 4], [5, 6, 7], [3; 3], [1; 3], [[1; 2]; 3], [C, R, E]),
    case(1, 1, [4, 8], [6, 8, 10], [3; 3], [2; 3], [[1; 2]; 3], [C; 3]),
    case(1, 1, [3, 5], [7, 5, 9], [3; 3], [2, 1, 2], [[1; 2]; 3], [E, C, R]),
    case(2, 2, [4, 6], [4, 5, 6], [3; 3], [1; 3], [[1; 2]; 3], [Z; 3]),
    case(1, 4, [4, 4], [6, 6, 8], [3, 1, 3], [2, 1, 2], [[1, 1], [0, 0], [1, 1]], [E, Z, E]),
    case(1, 1, [3, 4], [5, 9, 4], [3, 7, 1], [1; 3], [[1, 1], [3, 3], [0, 0]], [C, R, E]),
    case(1, 1, [2, 3], [4, 4, 4], [2; 3], [2; 3], [[0; 2]; 3], [Z; 3]),
    case(1, 1, [2, 3], [5, 6, 7], [2, 3, 4], [1, 2, 3], [[0, 1], [2, 1], [1, 3]], [R, C, E]),
    case(1, 1, [2, 2], [3, 3, 3], [3; 3], [1; 3], [[3, 3], [2, 2], [4, 1]], [C, R, E]),
    case(1, 1, [2, 2], [3, 4, 5], [3; 3], [3; 3], [[0, 2], [2, 0], [1, 1]], [Z, Z, Z]),
    // a mode without padding: nothing lies beyond the edge, in the gradients neither
    case(1, 1, [2, 3], [5, 6, 9], [3, 3, 2], [1; 3], [[0; 2]; 3], [C, R, E]),
    case(1, 1, [2, 3], [7, 6, 9], [3, 2, 2], [2; 3], [[0; 2]; 3], [E, C, C]),
    // strides along circles, whose gradients are circular too, once round and more
    case(1, 1, [2, 3], [3, 6, 6], [7, 12, 3], [3, 2, 1], [[2, 2], [5, 5], [1, 1]], [C; 3]),
    case(2, 1, [3, 2], [6, 6, 12], [3, 4, 5], [2, 3, 2], [[1, 1], [1, 1], [2, 1]], [C; 3]),
    // planes: few and odd channels, short rows, half tiles, any length of the last axis of the kernel
    case(2, 1, [1, 2], [4, 7, 11], [3; 3], [1; 3], [[1; 2]; 3], [C, R, Z]),
    case(1, 2, [10, 14], [5, 4, 8], [3; 3], [1; 3], [[1, 0], [0, 1], [1, 1]], [Z, E, C]),
    case(1, 1, [9, 13], [3, 5, 17], [3, 3, 1], [1; 3], [[1, 1], [1, 1], [0, 0]], [C, C, Z]),
    case(1, 1, [3, 1], [6, 6, 13], [3, 3, 4], [1; 3], [[2, 1], [1, 1], [1, 2]], [R, Z, E]),
];

/// Numbers between -1 and 1 that look random.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// The numbers that a case is run with, already of the precision of f32.
struct Inputs {
    x: Vec<f64>,
    w: Vec<f64>,
    /// For the channels of the output and of the input.
    bias: [Vec<f64>; 2],
    dy: Vec<f64>,
}

impl Inputs {
    fn of(case: &Case) -> Self {
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| f64::from(value as f32)).collect::<Vec<_>>();
        Self {
            x: narrow(numbers(1, case.input_len())),
            w: narrow(numbers(2, case.weight_len())),
            bias: [narrow(numbers(3, case.channels[1])), narrow(numbers(4, case.channels[0]))],
            dy: narrow(numbers(5, case.output_len())),
        }
    }
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    Tensor::<D>::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F64)).cast(dtype)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    checks::values(&tensor)
}

/// A result with its gradients for input, weight and bias.
struct Outcome([Vec<f64>; 4]);

/// Runs `f` on the inputs with `dy` as the gradient of the result.
fn run<const D: usize>(
    [x, w]: [(&[f64], [usize; D]); 2],
    bias: &[f64],
    dy: &[f64],
    dtype: DType,
    f: impl FnOnce(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D>,
) -> Outcome {
    let device = checks::cpu().autodiff();
    let x = tensor(x.0, x.1, &device, dtype).require_grad();
    let w = tensor(w.0, w.1, &device, dtype).require_grad();
    let bias = tensor(bias, [bias.len()], &device, dtype).require_grad();
    let y = f(x.clone(), w.clone(), Some(bias.clone()));
    assert_eq!(y.dtype(), dtype);
    let weighted = y.clone() * tensor(dy, y.dims(), &device, dtype);
    let gradients = weighted.sum().backward();
    let [dx, dw, dbias] = [
        values(x.grad(&gradients).unwrap()),
        values(w.grad(&gradients).unwrap()),
        values(bias.grad(&gradients).unwrap()),
    ];
    Outcome([values(y), dx, dw, dbias])
}

fn shape<const D: usize>(first: usize, second: usize, extents: [usize; 3]) -> [usize; D] {
    let mut shape = [first, second, 0, 0, 0];
    shape[2..D].copy_from_slice(&extents[5 - D..]);
    shape[..D].try_into().unwrap()
}

fn spec<const N: usize>(case: &Case) -> ConvSpec<N> {
    let last = |values: [usize; 3]| -> [usize; N] { values[3 - N..].try_into().unwrap() };
    ConvSpec {
        stride: last(case.stride),
        padding: case.padding[3 - N..].try_into().unwrap(),
        mode: case.mode[3 - N..].try_into().unwrap(),
        groups: case.groups,
    }
}

/// The transposed convolution from the output's extents back to those of the input.
fn transpose_spec<const N: usize>(case: &Case) -> ConvTransposeSpec<N> {
    let forward = spec::<N>(case);
    let output_padding = std::array::from_fn(|axis| {
        let place = axis + 3 - N;
        let padded = case.input[place] + case.padding[place].iter().sum::<usize>();
        (padded - case.kernel[place]) % case.stride[place]
    });
    ConvTransposeSpec {
        stride: forward.stride,
        padding: forward.padding,
        mode: forward.mode,
        output_padding,
        groups: forward.groups,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    Own,
    Reference,
}

/// The convolution of a case.
fn direct(case: &Case, inputs: &Inputs, flat: bool, body: Body, dtype: DType) -> Outcome {
    let [ci, co] = case.channels;
    match flat {
        true => {
            let f = if body == Body::Own { conv2d } else { reference::conv2d };
            let x = (&inputs.x[..], shape::<4>(case.batch, ci, case.input));
            let w = (&inputs.w[..], shape::<4>(co, ci / case.groups, case.kernel));
            run([x, w], &inputs.bias[0], &inputs.dy, dtype, |x, w, b| f(x, w, b, spec(case)))
        }
        false => {
            let f = if body == Body::Own { conv3d } else { reference::conv3d };
            let x = (&inputs.x[..], shape::<5>(case.batch, ci, case.input));
            let w = (&inputs.w[..], shape::<5>(co, ci / case.groups, case.kernel));
            run([x, w], &inputs.bias[0], &inputs.dy, dtype, |x, w, b| f(x, w, b, spec(case)))
        }
    }
}

/// The transposed convolution of a case: from `dy` to `x`.
fn transposed(case: &Case, inputs: &Inputs, flat: bool, body: Body, dtype: DType) -> Outcome {
    let [ci, co] = case.channels;
    match flat {
        true => {
            let f = if body == Body::Own { conv_transpose2d } else { reference::conv_transpose2d };
            let x = (&inputs.dy[..], shape::<4>(case.batch, co, case.output()));
            let w = (&inputs.w[..], shape::<4>(co, ci / case.groups, case.kernel));
            run([x, w], &inputs.bias[1], &inputs.x, dtype, |x, w, b| f(x, w, b, transpose_spec(case)))
        }
        false => {
            let f = if body == Body::Own { conv_transpose3d } else { reference::conv_transpose3d };
            let x = (&inputs.dy[..], shape::<5>(case.batch, co, case.output()));
            let w = (&inputs.w[..], shape::<5>(co, ci / case.groups, case.kernel));
            run([x, w], &inputs.bias[1], &inputs.x, dtype, |x, w, b| f(x, w, b, transpose_spec(case)))
        }
    }
}

/// Values with the sum of the absolute values of what they are sums of.
type Exact = (Vec<f64>, Vec<f64>);

fn with_bias((mut y, mut size): Exact, bias: &[f64], places: usize) -> Exact {
    for (index, (y, size)) in y.iter_mut().zip(&mut size).enumerate() {
        let bias = bias[index / places % bias.len()];
        *y += bias;
        *size += bias.abs();
    }
    (y, size)
}

fn channel_sums(dy: &[f64], channels: usize, places: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    dy.iter().enumerate().for_each(|(index, dy)| sums[index / places % channels] += dy);
    sums
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.abs()).collect()
}

/// Result and gradients by definition, of the convolution and of its transpose.
fn definitions(case: &Case, inputs: &Inputs) -> [[Exact; 4]; 2] {
    let Inputs { x, w, bias, dy } = inputs;
    let [ax, aw, ady] = [absolute(x), absolute(w), absolute(dy)];
    let y = (case.forward(x, w), case.forward(&ax, &aw));
    let dx = (case.input_gradient(w, dy), case.input_gradient(&aw, &ady));
    let dw = (case.weight_gradient(x, dy), case.weight_gradient(&ax, &ady));
    let [inner, outer] = [case.input, case.output()].map(|extents| extents.iter().product::<usize>());
    let [ci, co] = case.channels;
    let sums = |values: &[f64], absolute: &[f64], channels, places| {
        (channel_sums(values, channels, places), channel_sums(absolute, channels, places))
    };
    [
        [with_bias(y.clone(), &bias[0], outer), dx.clone(), dw.clone(), sums(dy, &ady, co, outer)],
        // The transpose maps dy to x, and its gradient maps x to dy.
        [with_bias(dx, &bias[1], inner), y, dw, sums(x, &ax, ci, inner)],
    ]
}

fn compare(what: &str, outcome: &Outcome, exact: &[Exact; 4], roundings: f64) {
    for ((part, values), (expected, size)) in ["result", "input", "weight", "bias"].iter().zip(&outcome.0).zip(exact) {
        assert_eq!(values.len(), expected.len(), "{what}: {part}");
        for (index, ((value, expected), size)) in values.iter().zip(expected).zip(size).enumerate() {
            let tolerance = roundings * size.max(1e-3);
            assert!(
                (value - expected).abs() <= tolerance,
                "{what}: {part} {index}: {value} instead of {expected}, off by {:.1} tolerances",
                (value - expected).abs() / tolerance
            );
        }
    }
}

/// Whether the first axis is none.
fn is_flat(case: &Case) -> bool {
    case.input[0] == 1 && case.kernel[0] == 1 && case.stride[0] == 1 && case.padding[0] == [0; 2]
}

/// Calls `check` with each case, in two dimensions as well where it fits.
fn each_case(check: impl Fn(&Case, &Inputs, bool, &str)) {
    let _on = own_kernels_stay();
    for case in CASES {
        let inputs = Inputs::of(case);
        check(case, &inputs, false, &format!("3-D {case:?}"));
        if is_flat(case) {
            check(case, &inputs, true, &format!("2-D {case:?}"));
        }
    }
}

#[test]
fn own_bodies_agree_with_the_definition() {
    each_case(|case, inputs, flat, what| {
        let [forward, backward] = definitions(case, inputs);
        let roundings = ROUNDINGS * f64::from(f32::EPSILON);
        compare(what, &direct(case, inputs, flat, Body::Own, DType::F32), &forward, roundings);
        let what = format!("transposed {what}");
        compare(&what, &transposed(case, inputs, flat, Body::Own, DType::F32), &backward, roundings);
    });
}

#[test]
fn the_reference_agrees_with_the_definition_in_f64() {
    each_case(|case, inputs, flat, what| {
        let [forward, backward] = definitions(case, inputs);
        let roundings = ROUNDINGS * f64::EPSILON;
        compare(what, &direct(case, inputs, flat, Body::Reference, DType::F64), &forward, roundings);
        let what = format!("transposed {what}");
        compare(&what, &transposed(case, inputs, flat, Body::Reference, DType::F64), &backward, roundings);
    });
}

/// The case as an operation of the list of checks: input, weight and bias to output.
fn operations(case: Case) -> Vec<Operation> {
    fn of<const D: usize>(
        name: String,
        shapes: [[usize; D]; 2],
        channels: usize,
        own: impl Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D> + Send + Sync + 'static,
        reference: impl Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D> + Send + Sync + 'static,
    ) -> Operation {
        let lengths = [shapes[0].iter().product(), shapes[1].iter().product(), channels];
        let flat = |y: Tensor<D>| {
            let count = y.dims().iter().product::<usize>();
            vec![y.reshape([count])]
        };
        let apply = move |f: &dyn Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D>, x: &[Tensor<1>]| {
            flat(f(x[0].clone().reshape(shapes[0]), x[1].clone().reshape(shapes[1]), Some(x[2].clone())))
        };
        Operation::new(name, &lengths, move |x| apply(&own, x), move |x| apply(&reference, x))
    }
    let [ci, co] = case.channels;
    let (input, output, inner) = (case.input, case.output(), ci / case.groups);
    let mut operations = vec![
        of(
            format!("conv3d {case:?}"),
            [shape::<5>(case.batch, ci, input), shape::<5>(co, inner, case.kernel)],
            co,
            move |x, w, b| conv3d(x, w, b, spec(&case)),
            move |x, w, b| reference::conv3d(x, w, b, spec(&case)),
        ),
        of(
            format!("conv_transpose3d {case:?}"),
            [shape::<5>(case.batch, co, output), shape::<5>(co, inner, case.kernel)],
            ci,
            move |x, w, b| conv_transpose3d(x, w, b, transpose_spec(&case)),
            move |x, w, b| reference::conv_transpose3d(x, w, b, transpose_spec(&case)),
        ),
    ];
    if is_flat(&case) {
        operations.push(of(
            format!("conv2d {case:?}"),
            [shape::<4>(case.batch, ci, input), shape::<4>(co, inner, case.kernel)],
            co,
            move |x, w, b| conv2d(x, w, b, spec(&case)),
            move |x, w, b| reference::conv2d(x, w, b, spec(&case)),
        ));
        operations.push(of(
            format!("conv_transpose2d {case:?}"),
            [shape::<4>(case.batch, co, output), shape::<4>(co, inner, case.kernel)],
            ci,
            move |x, w, b| conv_transpose2d(x, w, b, transpose_spec(&case)),
            move |x, w, b| reference::conv_transpose2d(x, w, b, transpose_spec(&case)),
        ));
    }
    operations
}

#[test]
fn convolutions_pass_every_check() {
    CASES.iter().flat_map(|case| operations(*case)).for_each(|operation| operation.passes());
}

#[test]
fn convolutions_are_their_reference_when_off() {
    CASES.iter().flat_map(|case| operations(*case)).for_each(|operation| operation.is_its_reference_when_off());
}

#[test]
fn the_transpose_is_the_adjoint() {
    each_case(|case, inputs, flat, what| {
        let zero = Inputs {
            x: inputs.x.clone(),
            w: inputs.w.clone(),
            bias: [vec![0.0; case.channels[1]], vec![0.0; case.channels[0]]],
            dy: inputs.dy.clone(),
        };
        let Outcome([y, ..]) = direct(case, &zero, flat, Body::Own, DType::F32);
        let Outcome([x, ..]) = transposed(case, &zero, flat, Body::Own, DType::F32);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (left, right) = (product(&y, &zero.dy), product(&x, &zero.x));
        let size = product(&absolute(&y), &absolute(&zero.dy)) + product(&absolute(&x), &absolute(&zero.x));
        assert!((left - right).abs() <= 1e-5 * size.max(1e-3), "{what}: {left} against {right}");
    });
}

/// Runs `f` on a pool of so many threads.
fn on_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}

#[test]
fn many_strips_give_the_same_bits_at_any_number_of_threads() {
    let large = [
        case(2, 1, [16, 32], [8, 40, 48], [3; 3], [1; 3], [[1; 2]; 3], [C; 3]),
        case(2, 1, [16, 32], [1, 64, 64], [1, 4, 4], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
        case(3, 1, [32, 24], [4, 24, 24], [3; 3], [2; 3], [[1; 2]; 3], [R, C, E]),
    ];
    let _on = own_kernels_stay();
    for case in &large {
        let inputs = Inputs::of(case);
        let run = || {
            let Outcome(a) = direct(case, &inputs, false, Body::Own, DType::F32);
            let Outcome(b) = transposed(case, &inputs, false, Body::Own, DType::F32);
            [a, b]
        };
        let one = on_threads(1, run);
        for threads in [2, 3] {
            assert!(one == on_threads(threads, run), "{case:?}: 1 and {threads} threads differ");
        }
    }
}

#[test]
fn larger_extents_agree_with_the_reference() {
    let _on = own_kernels_stay();
    // Several strips and tiles of every kernel, where the definition would take too long.
    for case in [
        case(2, 1, [16, 16], [6, 33, 50], [3; 3], [1; 3], [[1; 2]; 3], [C; 3]),
        case(1, 1, [20, 2], [9, 70, 50], [3; 3], [1; 3], [[1; 2]; 3], [C, R, E]),
        case(1, 1, [2, 20], [9, 70, 50], [3; 3], [1; 3], [[1; 2]; 3], [R, C, C]),
        case(1, 1, [64, 48], [1, 70, 66], [1, 3, 3], [1; 3], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
        case(1, 1, [32, 64], [6, 34, 30], [3; 3], [2; 3], [[1; 2]; 3], [C; 3]),
        case(1, 1, [32, 64], [1, 66, 130], [1, 4, 4], [1, 2, 2], [[0, 0], [1, 1], [1, 1]], [Z; 3]),
        case(1, 2, [36, 20], [4, 20, 40], [3, 5, 3], [1; 3], [[1, 1], [2, 2], [1, 1]], [E, R, C]),
    ] {
        let inputs = Inputs::of(&case);
        for (own, reference) in [
            (
                direct(&case, &inputs, false, Body::Own, DType::F32),
                direct(&case, &inputs, false, Body::Reference, DType::F64),
            ),
            (
                transposed(&case, &inputs, false, Body::Own, DType::F32),
                transposed(&case, &inputs, false, Body::Reference, DType::F64),
            ),
        ] {
            for (part, (own, reference)) in
                ["result", "input", "weight", "bias"].iter().zip(own.0.iter().zip(&reference.0))
            {
                let size = (reference.iter().map(|value| value * value).sum::<f64>() / reference.len() as f64).sqrt();
                let error = own.iter().zip(reference).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(error <= 2e-5 * size, "{case:?}: {part}: off by {error:.1e}, values of {size:.1e}");
            }
        }
    }
}

#[test]
fn a_plain_device_and_no_samples_will_do() {
    let _on = own_kernels_stay();
    let device = checks::cpu();
    let w = Tensor::<4>::ones([3, 2, 3, 3], &device);
    let y = conv2d(Tensor::zeros([0, 2, 5, 6], &device), w.clone(), None, ConvSpec::default());
    assert_eq!(y.dims(), [0, 3, 3, 4]);
    let y = conv2d(Tensor::ones([1, 2, 5, 6], &device), w, None, ConvSpec::same([3, 3], [C; 2]));
    assert_eq!(y.dims(), [1, 3, 5, 6]);
    assert_eq!(values(y), vec![18.0; 90]);
}

#[test]
fn views_are_convolved_as_what_they_show() {
    let _on = own_kernels_stay();
    let device = checks::cpu();
    let inputs = numbers(9, 4 * 6 * 10 * 8);
    let whole = tensor(&inputs, [4, 6, 10, 8], &device, DType::F32);
    let w = tensor(&numbers(10, 5 * 3 * 9), [5, 3, 3, 3], &device, DType::F32);
    let view = whole.clone().narrow(1, 2, 3).swap_dims(2, 3);
    let copy = tensor(&values(view.clone()), view.dims(), &device, DType::F32);
    let spec = ConvSpec::same([3, 3], [C, R]);
    assert_eq!(values(conv2d(view, w.clone(), None, spec)), values(conv2d(copy, w, None, spec)));
}

#[test]
fn what_does_not_fit_is_named() {
    let zeros = |shape: [usize; 4]| Tensor::<4>::zeros(shape, &checks::cpu());
    let bias = |values: usize| Some(Tensor::<1>::zeros([values], &checks::cpu()));
    let plain = ConvSpec::<2>::default();
    let (x, w) = ([1, 4, 4, 4], [4, 4, 3, 3]);
    for (text, x, w, b, spec) in [
        ("conv2d: 3 groups do not divide 4 channels", x, w, None, ConvSpec { groups: 3, ..plain }),
        ("conv2d: 0 groups do not divide 4 channels", x, w, None, ConvSpec { groups: 0, ..plain }),
        ("conv2d: the stride [1, 0] has a zero", x, w, None, ConvSpec { stride: [1, 0], ..plain }),
        ("conv2d: the input has 3 channels, the weight takes 1 groups of 4", [1, 3, 4, 4], w, None, plain),
        ("conv2d: the bias has 3 values for 4 channels", x, w, bias(3), plain),
        ("conv2d: axis 0 is empty", [1, 4, 0, 4], w, None, plain),
        ("conv2d: axis 1 is empty", x, [4, 4, 3, 0], None, plain),
        (
            "conv2d: axis 0: circular padding of 5 and 1 is too much for 4 values",
            x,
            w,
            None,
            ConvSpec { padding: [[5, 1], [0, 0]], mode: [C, Z], ..plain },
        ),
        (
            "conv2d: axis 1: reflect padding of 0 and 4 is too much for 4 values",
            x,
            w,
            None,
            ConvSpec { padding: [[0, 0], [0, 4]], mode: [Z, R], ..plain },
        ),
        ("conv2d: axis 0: a kernel of 5 does not fit 4 values padded by 0 and 0", x, [4, 4, 5, 3], None, plain),
    ] {
        panics(text, || conv2d(zeros(x), zeros(w), b, spec));
    }
    panics("conv3d: the input has 3 channels, the weight takes 1 groups of 4", || {
        let zeros = |shape: [usize; 5]| Tensor::<5>::zeros(shape, &checks::cpu());
        conv3d(zeros([1, 3, 4, 4, 4]), zeros([4, 4, 3, 3, 3]), None, ConvSpec::default())
    });
    let plain = ConvTransposeSpec::<2>::default();
    let w = [4, 2, 3, 3];
    for (text, x, w, b, spec) in [
        ("conv_transpose2d: 3 groups do not divide 4 channels", x, w, None, ConvTransposeSpec { groups: 3, ..plain }),
        ("conv_transpose2d: the stride [0, 1] has a zero", x, w, None, ConvTransposeSpec { stride: [0, 1], ..plain }),
        ("conv_transpose2d: the input has 4 channels, the weight takes 3", x, [3, 2, 3, 3], None, plain),
        ("conv_transpose2d: the bias has 3 values for 2 channels", x, w, bias(3), plain),
        (
            "conv_transpose2d: axis 1: the output padding 1 is not below the stride 1",
            x,
            w,
            None,
            ConvTransposeSpec { output_padding: [0, 1], ..plain },
        ),
        ("conv_transpose2d: axis 0 is empty", [1, 4, 0, 4], w, None, plain),
        (
            "conv_transpose2d: axis 0: nothing is left of 3 values after a padding of 2 and 1",
            [1, 4, 1, 4],
            w,
            None,
            ConvTransposeSpec { padding: [[2, 1], [0, 0]], ..plain },
        ),
        (
            "conv_transpose2d: axis 0: reflect padding of 1 and 1 is too much for 1 values",
            [1, 4, 1, 4],
            w,
            None,
            ConvTransposeSpec { padding: [[1, 1], [0, 0]], mode: [R, Z], ..plain },
        ),
    ] {
        panics(text, || conv_transpose2d(zeros(x), zeros(w), b, spec));
    }
}
