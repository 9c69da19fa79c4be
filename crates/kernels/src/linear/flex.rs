//! Linear layers on flex.

use super::{LinearGradients, LinearOps, product};
use crate::flex::{tensor, with_values};
use burn::{
    backend::{Flex, TensorMetadata, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::Shape,
};

impl LinearOps for Flex {
    fn linear_layer(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([rows, _], [inputs, outputs]) = (x.shape().dims(), weight.shape().dims());
        if rows == 1 {
            return Self::float_add(
                Self::float_matmul(x, weight),
                Self::float_reshape(bias, Shape::from([1, outputs])),
            );
        }
        let panels = with_values(&weight, |weight| product::Panels::of_rows(weight, [inputs, outputs]));
        let y = with_values(&x, |x| with_values(&bias, |bias| panels.multiply(x, bias)));
        tensor(y, [rows, outputs])
    }
}

impl LinearGradients for Flex {
    fn linear_input(dy: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([rows, _], [inputs, outputs]) = (dy.shape().dims(), weight.shape().dims());
        if rows == 1 {
            return Self::float_matmul(dy, Self::float_transpose(weight));
        }
        let panels = with_values(&weight, |weight| product::Panels::of_columns(weight, [inputs, outputs]));
        tensor(with_values(&dy, |dy| panels.multiply(dy, &[])), [rows, inputs])
    }

    fn linear_weight(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([rows, inputs], [_, outputs]) = (x.shape().dims(), dy.shape().dims());
        if rows == 1 {
            let product = with_values(&x, |x| with_values(&dy, |dy| product::outer(x, dy)));
            return tensor(product, [inputs, outputs]);
        }
        let panels = with_values(&dy, |dy| product::Panels::of_rows(dy, [rows, outputs]));
        let columns = with_values(&x, |x| product::transpose(x, [rows, inputs]));
        tensor(panels.multiply(&columns, &[]), [inputs, outputs])
    }
}
