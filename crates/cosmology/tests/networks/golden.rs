//! Both networks against PyTorch: `cosmology_peer.py golden` made the numbers with PyTorch 2.15, seed 0.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{DType, Device, Gradients, Tensor, TensorData},
};
use cupel_cosmology::network::{Triple, UNet3d, UNet3dConfig, UNet3dV2, UNet3dV2Config, log_mse};
use cupel_data::open;
use cupel_train::{
    checks::{exclusive, weights},
    device, import_safetensors_bytes, parameters,
};
use safetensors::{Dtype, tensor::TensorView};

/// Largest error, as a share of the largest value.
const CLOSE: f64 = 1e-4;
/// The input, `[chunk, part, right ascension, frequency, baseline]`.
const SHAPE: [usize; 5] = [4, 2, 16, 32, 8];

type Arrays = BTreeMap<String, Vec<f32>>;

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from).join("cosmology/golden");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds cosmology/", folder.display());
    None
}

fn arrays(path: &Path) -> Arrays {
    let file = open(path).unwrap();
    let read = |name: &str| file.cube::<f32>(Some(name)).unwrap().values().to_vec();
    let floats = file.variables().iter().filter(|variable| !variable.name().ends_with("num_batches_tracked"));
    floats.map(|variable| (variable.name().to_string(), read(variable.name()))).collect()
}

fn array(folder: &Path, name: &str) -> Vec<f32> {
    arrays(&folder.join(format!("{name}.npy"))).into_values().next().unwrap()
}

/// The last word of a normalisation's path, by its name there.
fn norm_word(word: &str) -> &str {
    match word {
        "gamma" => "weight",
        "beta" => "bias",
        "running_variance" => "running_var",
        other => other,
    }
}

/// The name of one of our parameters in the file of the first network.
fn v1_name(path: &str) -> String {
    let words: Vec<&str> = path.split('.').collect();
    let last = words[words.len() - 1];
    let stages = [("first", "e1"), ("down1", "d1"), ("second", "e2"), ("down2", "d2"), ("bottom", "mid")];
    let back = [("up2", "u2"), ("join2", "r2"), ("up1", "u1"), ("join1", "r1"), ("head", "head")];
    let stage = stages.iter().chain(&back).find(|(own, _)| *own == words[0]).unwrap().1;
    let number = words[1].parse::<usize>().map(|number| format!(".{number}")).unwrap_or_default();
    match (words.contains(&"norm"), words[0]) {
        (true, _) => format!("{stage}{number}.1.{}", norm_word(last)),
        (false, "head") => format!("head.conv.{last}"),
        (false, up) if up.starts_with("up") => format!("{stage}.0.{last}"),
        (false, _) => format!("{stage}{number}.0.conv.{last}"),
    }
}

/// The name of one of our parameters in the file of the second network.
fn v2_name(path: &str) -> String {
    let words: Vec<&str> = path.split('.').collect();
    let last = words[words.len() - 1];
    let block = |stage: String, words: &[&str]| {
        let block = format!("{stage}.{}", words[1]); // blocks, number, what, ..
        let second = usize::from(words.get(3) == Some(&"1"));
        match words[2] {
            "norms" => format!("{block}.body.{}.{}", 3 * second, norm_word(last)),
            "convs" => format!("{block}.body.{}.conv.{last}", 2 + 3 * second),
            _ => format!("{block}.skip.{last}"),
        }
    };
    match words[0] {
        "stem" => format!("stem.conv.{last}"),
        "encoder" => block(format!("enc.{}", words[1]), &words[2..]),
        "bottom" => block("mid".to_owned(), &words[1..]),
        "decoder" => block(format!("dec.{}", words[1]), &words[2..]),
        "up" => format!("upc.{}.conv.{last}", words[1]),
        "before_head" => format!("head.0.conv.{last}"),
        _ => format!("head.2.{last}"),
    }
}

fn load<M: Module>(model: M, arrays: &Arrays, name: fn(&str) -> String) -> M {
    let floats = parameters(&model);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>, Dtype)> = weights(&model)
        .into_iter()
        .map(|(path, data)| {
            let shape = data.shape().to_vec();
            if data.dtype() != DType::F32 {
                return (
                    path,
                    shape,
                    data.as_bytes().to_vec(),
                    if data.dtype() == DType::I64 { Dtype::I64 } else { Dtype::I32 },
                );
            }
            let values = arrays.get(&name(&path)).unwrap_or_else(|| panic!("{path} is not {}", name(&path)));
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{path} {shape:?}");
            (path, shape, values.iter().flat_map(|x| x.to_le_bytes()).collect(), Dtype::F32)
        })
        .collect();
    assert!(floats.iter().filter(|p| p.trained).count() > 10);
    let views = tensors
        .iter()
        .map(|(name, shape, bytes, dtype)| (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    let bytes = safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap();
    import_safetensors_bytes(&bytes, model, "the golden file").unwrap()
}

/// Gradients by the path of their parameter.
struct Collect<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = parameter.val().grad(self.gradients) {
            self.found.insert(self.path.join("."), values(gradient));
        }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn tensor(values: Vec<f32>, device: &Device) -> Tensor<5> {
    Tensor::from_data(TensorData::new(values, SHAPE), device)
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, value| value.abs().max(largest))
}

fn close(what: &str, got: &[f64], expected: &[f32], floor: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = largest(expected.iter().map(|x| f64::from(*x))).max(floor);
    let error = largest(got.iter().zip(expected).map(|(a, b)| a - f64::from(*b)));
    assert!(error <= CLOSE * scale, "{what}: an error of {error} beside {scale}");
}

/// Output in inference and in training, loss, and every gradient.
fn is_that_of_pytorch<M: Module>(
    version: &str,
    model: M,
    name: fn(&str) -> String,
    forward: fn(&M, Tensor<5>) -> Tensor<5>,
    loss: f64,
) {
    let Some(folder) = folder() else { return };
    let device = device::select("cpu").unwrap().device;
    let (x, y) = (array(&folder, "prep_x_arcsinh_residual"), array(&folder, "prep_y_arcsinh_residual"));
    let model = load(model, &arrays(&folder.join(format!("unet_{version}_weights.npz"))), name);
    let plain = forward(&model.valid(), tensor(x.clone(), &device));
    let eval = array(&folder, &format!("unet_{version}_eval_out"));
    close(&format!("{version} in inference"), &values(plain), &eval, 0.0);

    let device = device.autodiff();
    let output = forward(&model, tensor(x, &device));
    let train = array(&folder, &format!("unet_{version}_train_out"));
    close(&format!("{version} in training"), &values(output.clone()), &train, 0.0);
    let mean = log_mse(output, tensor(y, &device));
    let got = mean.clone().into_scalar::<f32>();
    assert!((f64::from(got) - loss).abs() < 1e-6, "{version}: a loss of {got}, PyTorch says {loss}");

    let gradients = mean.backward();
    let mut collect = Collect { gradients: &gradients, path: Vec::new(), found: BTreeMap::new() };
    model.visit(&mut collect);
    let expected = arrays(&folder.join(format!("unet_{version}_grads.npz")));
    assert_eq!(collect.found.len(), expected.len());
    // the gradient of a bias before a normalisation over its channel is what is left where larger ones cancel
    let floor = 1e-2 * largest(expected.values().flatten().map(|g| f64::from(*g)));
    for (path, got) in &collect.found {
        close(&format!("{version}: gradient of {path}"), got, &expected[&name(path)], floor);
    }
}

#[test]
fn the_first_network_is_that_of_pytorch() {
    let _one = exclusive();
    let device = device::select("cpu").unwrap().device.autodiff();
    let count = |config: UNet3dConfig| {
        let all = parameters(&config.init(&device)).into_iter().filter(|p| p.trained);
        all.map(|p| p.shape.iter().product::<usize>()).sum::<usize>()
    };
    let filters = |filters| UNet3dConfig { filters, ..UNet3dConfig::default() };
    assert_eq!([16, 32, 4].map(|f| count(filters(f))), [528_434, 2_107_490, 33_614]);
    is_that_of_pytorch("v1", filters(4).init(&device), v1_name, UNet3d::forward, 0.374_583_483);
}

#[test]
fn the_second_network_is_that_of_pytorch() {
    let _one = exclusive();
    let device = device::select("cpu").unwrap().device.autodiff();
    let config = UNet3dV2Config {
        filters: 4,
        levels: 2,
        strides: vec![Triple([2, 2, 1]), Triple([2, 2, 2])],
        conv_kernel_size: Triple([3, 7, 1]),
        ..UNet3dV2Config::default()
    };
    let model = config.init(&device).unwrap();
    let count = parameters(&model).into_iter().filter(|p| p.trained).map(|p| p.shape.iter().product::<usize>());
    assert_eq!(count.sum::<usize>(), 67_122);
    is_that_of_pytorch("v2", model, v2_name, UNet3dV2::forward, 0.355_765_581);
}

/// Parameters of the sizes that the original names: of 32 and 24 filters, and of 24 with the kernel 3 x 7 x 1.
#[test]
fn the_second_network_has_the_sizes_of_the_original() {
    let device = device::select("cpu").unwrap().device;
    for (filters, kernel, millions) in [(32, [3, 3, 3], 21.8), (24, [3, 3, 3], 12.2), (24, [3, 7, 1], 9.8)] {
        let config = UNet3dV2Config { filters, conv_kernel_size: Triple(kernel), ..UNet3dV2Config::default() };
        let all = parameters(&config.init(&device).unwrap());
        let count = all.iter().map(|p| p.shape.iter().product::<usize>()).sum::<usize>() as f64 / 1e6;
        assert!((count - millions).abs() < 0.06, "{filters} {kernel:?}: {count} million");
    }
}
