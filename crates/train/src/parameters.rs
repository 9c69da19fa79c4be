//! The parameters of a module by path, and whether a saved list of them fits another module.

use crate::{Error, Result};
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Bool, Int, Tensor},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One parameter or buffer of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Names of the fields that lead to it, joined by dots.
    pub path: String,
    /// Burn's identifier, by which optimisers know it.
    pub id: u64,
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Whether it has a gradient; running statistics and frozen parameters have none.
    pub trained: bool,
}

/// Draws the parameters of `module` that are not yet initialised, in the order of its fields.
pub(crate) fn initialise<M: Module>(module: &M) {
    struct Draw;
    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.base();
        }
    }
    module.visit(&mut Draw);
}

/// The parameters and buffers of `module` in the order of its fields.
pub fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    let mut list = List::default();
    module.visit(&mut list);
    list.found
}

/// Checks that what was saved as `saved` can be loaded into a module with `here`.
///
/// # Errors
/// [`Error::OtherModel`] with every parameter that is missing, unexpected or of another shape.
pub(crate) fn check_fit(what: &str, saved: &[Parameter], here: &[Parameter]) -> Result<()> {
    let by_path =
        |list: &[Parameter]| list.iter().map(|p| (p.path.clone(), p.shape.clone())).collect::<BTreeMap<_, _>>();
    let (saved, here) = (by_path(saved), by_path(here));
    let only_in = |a: &BTreeMap<String, Vec<usize>>, b: &BTreeMap<String, Vec<usize>>| -> Vec<String> {
        a.iter().filter(|(path, _)| !b.contains_key(*path)).map(|(path, shape)| format!("{path} {shape:?}")).collect()
    };
    let missing = only_in(&here, &saved);
    let unexpected = only_in(&saved, &here);
    let mismatched: Vec<String> = here
        .iter()
        .filter_map(|(path, shape)| {
            saved.get(path).filter(|s| *s != shape).map(|s| format!("{path} {s:?} -> {shape:?}"))
        })
        .collect();
    if missing.is_empty() && unexpected.is_empty() && mismatched.is_empty() {
        return Ok(());
    }
    let part = |name: &str, list: Vec<String>| (!list.is_empty()).then(|| format!("{name}: {}", list.join(", ")));
    let problem: Vec<String> = [
        part("missing in the checkpoint", missing),
        part("unexpected in the checkpoint", unexpected),
        part("of another shape", mismatched),
    ]
    .into_iter()
    .flatten()
    .collect();
    Err(Error::OtherModel { what: what.to_string(), problem: problem.join("; ") })
}

#[derive(Default)]
struct List {
    path: Vec<String>,
    found: Vec<Parameter>,
}

impl List {
    fn push(&mut self, id: u64, shape: &[usize], trained: bool) {
        self.found.push(Parameter { path: self.path.join("."), id, shape: shape.to_vec(), trained });
    }
}

impl ModuleVisitor for List {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.push(param.id.val(), &param.lazy_shape(), param.is_require_grad());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(param.id.val(), &param.lazy_shape(), false);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(param.id.val(), &param.lazy_shape(), false);
    }
}
