//! Weights in files: Burn's own format in checkpoints, safetensors for everybody else.

use crate::{Error, Result, SetReader, SetWriter};
use burn::{
    module::{Module, ModuleVisitor, Param},
    store::ModuleRecord,
    tensor::{Bool, Bytes, DType, Int, Tensor, TensorData},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::HashMap, fs, path::Path};

impl SetWriter {
    /// Writes the parameters of `module`, with the ids by which optimisers know them, in Burn's format.
    ///
    /// # Errors
    /// [`Error::Record`] where they cannot be encoded, and those of [`bytes`](Self::bytes).
    pub fn module<M: Module>(&mut self, name: &str, module: &M) -> Result<()> {
        let bytes = module.clone().into_record().into_bytes().map_err(Error::record("encode", name))?;
        self.bytes(name, &bytes)
    }
}

impl SetReader {
    /// Reads what [`SetWriter::module`] wrote into `module`, on its device.
    ///
    /// # Errors
    /// [`Error::Record`] where it is damaged or of another module, and those of [`bytes`](Self::bytes).
    pub fn load_module<M: Module>(&self, name: &str, module: M) -> Result<M> {
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(self.bytes(name)?));
        record.and_then(|record| module.try_load_record(record)).map_err(Error::record("load", name))
    }
}

/// Writes the parameters of `module` as a safetensors file: f32 as they were trained, named by their paths, row-major.
///
/// Python opens it with `safetensors.numpy.load_file`. Linear layers have Burn's layout, inputs by outputs.
///
/// # Errors
/// [`Error::Encoding`] where a parameter has a type that the format lacks, [`Error::Io`] where the file cannot be written.
pub fn export_safetensors<M: Module>(path: &Path, module: &M) -> Result<()> {
    let bytes = export_safetensors_bytes(module)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    }
    Ok(cupel_data::write_atomic(path, |file| file.write_all(&bytes).map_err(cupel_data::Error::io("write", path)))?)
}

/// The same as the bytes of a file, to be put among others.
///
/// # Errors
/// [`Error::Encoding`] where a parameter has a type that the format lacks.
pub fn export_safetensors_bytes<M: Module>(module: &M) -> Result<Vec<u8>> {
    let tensors = collect(module);
    let views = tensors
        .iter()
        .map(|(name, data)| {
            let dtype = safetensors_dtype(data.dtype())
                .ok_or_else(|| Error::encoding("encode", format!("`{name}`"))(UnknownType(data.dtype())))?;
            let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes());
            Ok((name.as_str(), view.map_err(Error::encoding("encode", format!("`{name}`")))?))
        })
        .collect::<Result<Vec<_>>>()?;
    let about = HashMap::from([("cupel".to_string(), env!("CARGO_PKG_VERSION").to_string())]);
    safetensors::serialize(views, Some(about)).map_err(Error::encoding("encode", "the weights"))
}

/// Reads a file of [`export_safetensors`] into `module`, on its device.
///
/// # Errors
/// [`Error::Io`] and [`Error::Encoding`] where the file cannot be read, [`Error::OtherModel`] with every parameter that is
/// missing, unexpected or of another shape.
pub fn import_safetensors<M: Module>(path: &Path, module: M) -> Result<M> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    import_safetensors_bytes(&bytes, module, &path.display().to_string())
}

/// The same from the bytes of a file, which `what` names in messages.
///
/// # Errors
/// [`Error::Encoding`] where the bytes are no safetensors, [`Error::OtherModel`] as [`import_safetensors`].
pub fn import_safetensors_bytes<M: Module>(bytes: &[u8], module: M, what: &str) -> Result<M> {
    let file = SafeTensors::deserialize(bytes).map_err(Error::encoding("decode", what.to_string()))?;
    let saved: Vec<crate::Parameter> = file
        .iter()
        .map(|(name, view)| crate::Parameter {
            path: name.to_string(),
            id: 0,
            shape: view.shape().to_vec(),
            trained: false,
        })
        .collect();
    crate::parameters::check_fit(what, &saved, &crate::parameters(&module))?;
    let mut load = Load { path: Vec::new(), file: &file };
    Ok(module.map(&mut load))
}

#[derive(Debug, thiserror::Error)]
#[error("safetensors has no type for {0:?}")]
struct UnknownType(DType);

fn safetensors_dtype(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        _ => return None,
    })
}

/// Paths and values of the parameters and buffers of `module`, as they are stored.
pub(crate) fn collect<M: Module>(module: &M) -> Vec<(String, TensorData)> {
    let mut collect = Collect::default();
    module.visit(&mut collect);
    collect.found
}

#[derive(Default)]
struct Collect {
    path: Vec<String>,
    found: Vec<(String, TensorData)>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), param.base().into_data()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.found.push((self.path.join("."), param.val().into_data()));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.found.push((self.path.join("."), param.val().int().into_data()));
    }
}

struct Load<'a> {
    path: Vec<String>,
    file: &'a SafeTensors<'a>,
}

impl burn::module::ModuleMapper for Load<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Ok(view) = self.file.tensor(&self.path.join(".")) else { return param };
        let device = param.lazy_device();
        let bytes = Bytes::from_bytes_vec(view.data().to_vec());
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => DType::F32,
        };
        let data = TensorData::from_bytes(bytes, view.shape().to_vec(), dtype);
        let id = param.id;
        param.transform_for_load(Tensor::from_data(data, (&device, DType::F32)), id)
    }
}
