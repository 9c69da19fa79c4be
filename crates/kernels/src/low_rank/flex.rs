//! The low-rank projection on flex.

use super::{LowRank, LowRankOps};
use crate::{
    flex::{tensor, with_values},
    micro::Lines,
    project::{Plan, noise::Normals},
};
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

impl LowRankOps for Flex {
    fn project_low_rank(x: FloatTensor<Self>, low_rank: LowRank, plan: Plan) -> FloatTensor<Self> {
        let shape = x.shape();
        let dims = &shape[..];
        let Plan { axis, ref order, scale, transform, noise } = plan;
        let (basis, offset, paired) = (&low_rank.basis[..], &low_rank.offset[..], low_rank.parts == 2);
        let noise = noise.map(Normals::from);
        let values = with_values(&x, |x| {
            Lines { x, dims, axis, paired, order, basis, offset, scale, transform, noise }.project()
        });
        tensor(values, order.iter().map(|axis| dims[*axis]).collect::<Vec<_>>())
    }
}
