//! Logits and gradients of networks over fields against PyTorch; `golden_net.py` made the numbers.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Gradients, Int, Tensor, TensorData},
};
use cupel_pharmacogenomics::{CountedInputs, CountedWidths, FieldNet, FieldNetConfig, Inputs, Widths};
use cupel_train::import_safetensors_bytes;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;
use std::collections::BTreeMap;

/// Relative to the largest number of the tensor: sums of a few dozen f32 against f64.
const CLOSE: f64 = 1e-5;
/// A tensor of smaller numbers is what is left where larger ones cancel, such as the gradient of the bias of keys, which is 0.
const LEAST_SCALE: f64 = 0.1;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs())).max(LEAST_SCALE);
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= CLOSE * scale, "{what}: {got}, PyTorch says {expected}");
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_into_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
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

fn net(config: &FieldNetConfig, widths: &Widths, weights: &Value, device: &Device) -> FieldNet {
    let mut raw: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in weights.as_object().unwrap() {
        let shape = numbers(&tensor["shape"]).into_iter().map(|size| size as usize).collect();
        let bytes = numbers(&tensor["values"]).into_iter().flat_map(|x| (x as f32).to_le_bytes()).collect();
        raw.push((name.clone(), shape, bytes));
    }
    // which losses weigh how much is no business of the forward pass
    raw.push(("log_sigma".into(), vec![widths.targets], vec![0; 4 * widths.targets]));
    let views = raw
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let bytes = safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap();
    import_safetensors_bytes(&bytes, config.init(widths, device), "the golden file").unwrap()
}

#[test]
fn forward_and_gradients_are_those_of_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("../golden_net.json")).unwrap();
    let size = |name: &str| golden[name].as_u64().unwrap() as usize;
    let widths = Widths {
        categories: vec![size("names"); size("fields")],
        lists: Vec::new(),
        numbers: 0,
        outputs: size("outputs"),
        targets: 2,
        counted: None,
    };
    let device = Device::flex().autodiff();
    for (name, case) in golden["cases"].as_object().unwrap() {
        let config: FieldNetConfig = serde_json::from_value(case["config"].clone()).unwrap();
        // without shares a net reads fields whatever it asks for
        let counted = case.get("shares").map(|_| CountedWidths {
            shares: size("shares"),
            levels: size("levels"),
            heads: numbers(&golden["targets"]).into_iter().map(|outputs| outputs as usize).collect(),
        });
        let widths = Widths { counted, ..widths.clone() };
        let net = net(&config, &widths, &case["weights"], &device);
        let ids: Vec<i64> = case["ids"].as_array().unwrap().iter().flat_map(numbers).map(|id| id as i64).collect();
        let rows = ids.len() / widths.categories.len();
        let ids: Tensor<2, Int> = Tensor::from_data(TensorData::new(ids, [rows, widths.categories.len()]), &device);
        let told = |name: &str, [a, b]: [usize; 2]| -> Tensor<3> {
            let told: Vec<f32> = numbers(&case[name]).into_iter().map(|x| x as f32).collect();
            Tensor::from_data(TensorData::new(told, [rows, a, b]), &device)
        };
        let counted = widths.counted.as_ref().map(|own| CountedInputs {
            shares: told("shares", [widths.outputs, own.shares + 1]),
            seen: told("seen", [own.heads.len(), 2 * own.levels]),
        });
        let logits = net.forward(Inputs { ids, lists: Vec::new(), numbers: None, counted, dropout: None });
        close(&format!("{name}, logits"), &values(logits.clone()), &numbers(&case["logits"]));

        let aim: Vec<f32> = numbers(&case["aim"]).into_iter().map(|x| x as f32).collect();
        let aim: Tensor<2> = Tensor::from_data(TensorData::new(aim, [rows, widths.outputs]), &device);
        let gradients = (logits * aim).sum().backward();
        let mut collect = Collect { gradients: &gradients, path: Vec::new(), found: BTreeMap::new() };
        net.visit(&mut collect);
        for (parameter, expected) in case["gradients"].as_object().unwrap() {
            let got = collect.found.get(parameter).unwrap_or_else(|| panic!("{name}: {parameter} has no gradient"));
            close(&format!("{name}, gradient of {parameter}"), got, &numbers(expected));
        }
    }
}
