//! Linear layers on flex.

use super::{LinearGradients, LinearOps, product};
use crate::flex::{tensor, with_values};
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

impl LinearOps for Flex {
    fn linear_layer(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([rows, _], [inputs, outputs]) = (x.shape().dims(), weight.shape().dims());
        let panels = with_values(&weight, |weight| product::Panels::of_rows(weight, [inputs, outputs]));
        let y = with_values(&x, |x| with_values(&bias, |bias| panels.multiply(x, bias)));
        tensor(y, [rows, outputs])
    }
}

impl LinearGradients for Flex {
    fn linear_input(dy: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([rows, _], [inputs, outputs]) = (dy.shape().dims(), weight.shape().dims());
        let panels = with_values(&weight, |weight| product::Panels::of_columns(weight, [inputs, outputs]));
        tensor(with_values(&dy, |dy| panels.multiply(dy, &[])), [rows, inputs])
    }

    fn linear_weight(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([rows, inputs], [_, outputs]) = (x.shape().dims(), dy.shape().dims());
        let panels = with_values(&dy, |dy| product::Panels::of_rows(dy, [rows, outputs]));
        let columns = with_values(&x, |x| product::transpose(x, [rows, inputs]));
        tensor(panels.multiply(&columns, &[]), [inputs, outputs])
    }
}
