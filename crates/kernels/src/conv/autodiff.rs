//! Gradients of the convolutions: for the input the adjoint, for the weight a correlation of input and gradient, for the bias a sum.

use super::{ConvGradients, ConvOps, Geometry};
use crate::{
    activation::Activation,
    normalization::{NormalizationGradients, NormalizationOps},
};
use burn::backend::{
    Autodiff, Backend, TensorMetadata,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

/// The two kinds of convolution.
trait Kind: Copy + Send + core::fmt::Debug + 'static {
    fn forward<B: ConvOps>(
        x: FloatTensor<B>,
        w: FloatTensor<B>,
        bias: FloatTensor<B>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<B>;

    /// The gradient for `x`.
    fn input_gradient<B: ConvOps>(w: FloatTensor<B>, dy: FloatTensor<B>, g: Geometry) -> FloatTensor<B>;

    /// The gradient for `w`.
    fn weight_gradient<B: ConvGradients>(x: FloatTensor<B>, dy: FloatTensor<B>, g: Geometry) -> FloatTensor<B>;
}

#[derive(Clone, Copy, Debug)]
struct Direct;

impl Kind for Direct {
    fn forward<B: ConvOps>(
        x: FloatTensor<B>,
        w: FloatTensor<B>,
        bias: FloatTensor<B>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<B> {
        B::convolution(x, w, bias, g, then)
    }

    fn input_gradient<B: ConvOps>(w: FloatTensor<B>, dy: FloatTensor<B>, g: Geometry) -> FloatTensor<B> {
        let zero = zeros::<B>(g.in_channels, &dy);
        B::transposed_convolution(dy, w, zero, g, Activation::Identity)
    }

    fn weight_gradient<B: ConvGradients>(x: FloatTensor<B>, dy: FloatTensor<B>, g: Geometry) -> FloatTensor<B> {
        B::weight_gradient(x, dy, g)
    }
}

#[derive(Clone, Copy, Debug)]
struct Transposed;

impl Kind for Transposed {
    fn forward<B: ConvOps>(
        x: FloatTensor<B>,
        w: FloatTensor<B>,
        bias: FloatTensor<B>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<B> {
        B::transposed_convolution(x, w, bias, g, then)
    }

    fn input_gradient<B: ConvOps>(w: FloatTensor<B>, dy: FloatTensor<B>, g: Geometry) -> FloatTensor<B> {
        let zero = zeros::<B>(g.out_channels, &dy);
        B::convolution(dy, w, zero, g, Activation::Identity)
    }

    fn weight_gradient<B: ConvGradients>(x: FloatTensor<B>, dy: FloatTensor<B>, g: Geometry) -> FloatTensor<B> {
        // What the convolution reads is here what comes out.
        B::weight_gradient(dy, x, g)
    }
}

/// No bias, on the device of `like`.
fn zeros<B: Backend>(channels: usize, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros([channels].into(), &like.device(), like.dtype().into())
}

#[derive(Clone, Copy, Debug)]
struct Step<K>(K);

/// Where input and weight are kept, unless the gradient that needs them is not asked for.
type State = (Option<NodeId>, Option<NodeId>, Geometry);

impl<B: ConvGradients, K: Kind> Backward<B, 3> for Step<K> {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, w, geometry) = ops.state;
        let [node_x, node_w, node_bias] = ops.parents;
        if let Some(node) = node_bias {
            grads.register::<B>(node.id, B::bias_gradient(dy.clone()));
        }
        // The weight first: it needs the input, whose memory the gradient for the input can then take.
        if let (Some(node), Some(x)) = (node_w, x) {
            let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
            grads.register::<B>(node.id, K::weight_gradient::<B>(x, dy.clone(), geometry));
        }
        if let (Some(node), Some(w)) = (node_x, w) {
            let w = checkpointer.retrieve_node_output::<FloatTensor<B>>(w);
            grads.register::<B>(node.id, K::input_gradient::<B>(w, dy, geometry));
        }
    }
}

fn record<B: ConvGradients + NormalizationGradients, C: CheckpointStrategy, K: Kind>(
    x: FloatTensor<Autodiff<B, C>>,
    w: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    (g, then): (Geometry, Activation),
    kind: K,
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = [x.node(), w.node(), bias.node()];
    let forward = |x: FloatTensor<Autodiff<B, C>>, w: FloatTensor<Autodiff<B, C>>, then: Activation| {
        K::forward::<B>(x.into_primitive(), w.into_primitive(), bias.into_primitive(), g, then)
    };
    match Backward::<B, 3>::prepare::<C>(Step(kind), nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut prep) => {
            let kept_x = w.is_tracked().then(|| prep.checkpoint(&x));
            let kept_w = x.is_tracked().then(|| prep.checkpoint(&w));
            let y = prep.finish((kept_x, kept_w, g), forward(x, w, Activation::Identity));
            match then {
                Activation::Identity => y,
                // whose gradient needs what it was applied to
                then => <Autodiff<B, C>>::activation(y, then),
            }
        }
        OpsKind::UnTracked(prep) => prep.finish(forward(x, w, then)),
    }
}

impl<B: ConvGradients + NormalizationGradients, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn convolution(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<Self> {
        record::<B, C, _>(x, w, bias, (g, then), Direct)
    }

    fn transposed_convolution(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<Self> {
        record::<B, C, _>(x, w, bias, (g, then), Transposed)
    }
}
