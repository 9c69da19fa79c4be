//! Backward passes of operations with any number of inputs and results.
//!
//! Burn records operations with one result. Several results of one computation are therefore recorded as a step without a
//! value of its own and, behind it, one step per result that hands the gradient of its result back to it. Nothing is joined or cut
//! apart, and the computation is differentiated once for all results.

use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, NodeGuard, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::{DType, Shape},
};
use std::{
    fmt::Debug,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

/// What the backward pass of an operation keeps, and the pass.
pub(crate) trait Gradient<B: Backend, const INPUTS: usize, const RESULTS: usize>:
    Clone + Debug + Send + 'static
{
    /// The gradients of the inputs that are `wanted`, from those of the results; a result that nothing depends on has none.
    fn gradients(
        self,
        results: [Option<FloatTensor<B>>; RESULTS],
        wanted: [bool; INPUTS],
    ) -> [Option<FloatTensor<B>>; INPUTS];
}

/// Records that `results` were computed from the inputs with these nodes.
pub(crate) fn record<B, C, G, const INPUTS: usize, const RESULTS: usize>(
    inputs: [NodeGuard; INPUTS],
    gradient: G,
    results: [FloatTensor<B>; RESULTS],
) -> [FloatTensor<Autodiff<B, C>>; RESULTS]
where
    B: Backend,
    C: CheckpointStrategy,
    G: Gradient<B, INPUTS, RESULTS>,
{
    let handed_back: HandedBack<B, RESULTS> = Arc::new(Mutex::new([const { None }; RESULTS]));
    let joint = placeholder::<B>(&results[0]);
    let joint = match Joint::<G, RESULTS>(PhantomData).prepare::<C>(inputs).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((gradient, handed_back.clone()), joint),
        OpsKind::UnTracked(prep) => prep.finish(joint),
    };
    let mut index = 0..;
    results.map(|result| match HandBack::<RESULTS>.prepare::<C>([joint.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((index.next().unwrap_or_default(), handed_back.clone()), result),
        OpsKind::UnTracked(prep) => prep.finish(result),
    })
}

/// Gradients of results on their way back to the joint step.
type HandedBack<B, const RESULTS: usize> = Arc<Mutex<[Option<FloatTensor<B>>; RESULTS]>>;

#[derive(Debug)]
struct Joint<G, const RESULTS: usize>(PhantomData<G>);

impl<B: Backend, G: Gradient<B, INPUTS, RESULTS>, const INPUTS: usize, const RESULTS: usize> Backward<B, INPUTS>
    for Joint<G, RESULTS>
{
    type State = (G, HandedBack<B, RESULTS>);

    fn backward(self, ops: Ops<Self::State, INPUTS>, grads: &mut Gradients, _: &mut Checkpointer) {
        drop(grads.consume::<B>(&ops.node)); // the placeholder
        let (gradient, handed_back) = ops.state;
        let results = handed_back.lock().unwrap_or_else(PoisonError::into_inner).each_mut().map(Option::take);
        let parents: [Option<NodeId>; INPUTS] = ops.parents.map(|parent| parent.map(|node| node.id));
        let gradients = gradient.gradients(results, parents.map(|parent| parent.is_some()));
        for (parent, gradient) in parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct HandBack<const RESULTS: usize>;

impl<B: Backend, const RESULTS: usize> Backward<B, 1> for HandBack<RESULTS> {
    /// Index of the result.
    type State = (usize, HandedBack<B, RESULTS>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            // The joint step runs after all of these because it has a gradient registered, if only a placeholder.
            grads.register::<B>(parent.id, placeholder::<B>(&gradient));
            let (index, handed_back) = ops.state;
            handed_back.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(gradient);
        }
    }
}

/// One zero on the device of `x`.
fn placeholder<B: Backend>(x: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros(Shape::from([1]), &x.device(), DType::F32.into())
}
