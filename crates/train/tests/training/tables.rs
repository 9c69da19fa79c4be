//! AdamW by rows: what a step does not see stays as it is.

use burn::{
    module::Module,
    nn::{Embedding, EmbeddingConfig, Linear, LinearConfig},
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Int, Tensor},
};
use cupel_train::Optimizer;

#[derive(Module, Debug)]
struct Net {
    table: Embedding,
    head: Linear,
}

const ROWS: usize = 6;

fn net(device: &Device) -> Net {
    device.seed(3);
    Net { table: EmbeddingConfig::new(ROWS, 4).init(device), head: LinearConfig::new(4, 1).init(device) }
}

/// A step that sees two rows.
fn stepped(net: Net, optimizer: &mut ModuleOptimizer, rows: [i64; 2]) -> Net {
    let ids: Tensor<2, Int> = Tensor::from_ints([rows], &net.table.weight.device());
    let loss = net.head.forward(net.table.forward(ids)).powi_scalar(2).sum();
    let gradients = GradientsParams::from_grads(loss.backward(), &net);
    optimizer.step(0.1, net, gradients)
}

fn values(net: &Net) -> Vec<f32> {
    net.table.weight.val().into_data().try_into_vec().unwrap()
}

fn still(before: &[f32], after: &[f32]) -> Vec<usize> {
    (0..ROWS).filter(|row| before[row * 4..][..4] == after[row * 4..][..4]).collect()
}

#[test]
fn rows_that_a_step_does_not_see_keep_their_bits() {
    let device = crate::cpu().autodiff();
    let adamw = Optimizer::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.1 };
    for (mut optimizer, expected) in [
        (adamw.init_by_rows(&["table.weight"]), [vec![0, 2, 3, 5], vec![0, 1, 3, 5]]),
        (adamw.init_by_rows(&["another.weight"]), [vec![], vec![]]),
        (adamw.init(), [vec![], vec![]]),
        (Optimizer::sgd().init_by_rows(&["table.weight"]), [vec![0, 2, 3, 5], vec![0, 1, 3, 5]]),
    ] {
        let mut net = net(&device);
        for (rows, expected) in [[1, 4], [4, 2]].into_iter().zip(expected) {
            let before = values(&net);
            net = stepped(net, &mut optimizer, rows);
            assert_eq!(still(&before, &values(&net)), expected, "{rows:?}");
        }
    }
}

/// Where every step sees every row, there is nothing to leave alone.
#[test]
fn by_rows_and_not_are_one_where_all_rows_are_seen() {
    let device = crate::cpu().autodiff();
    let trained = |mut optimizer: ModuleOptimizer| {
        let mut net = net(&device);
        for step in 0..12 {
            let device = net.table.weight.device();
            let ids: Tensor<2, Int> = Tensor::from_ints([[0, 1, 2, 3, 4, 5, step % 6]], &device);
            let loss = net.head.forward(net.table.forward(ids)).powi_scalar(2).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = optimizer.step(0.01, net, gradients);
        }
        values(&net)
    };
    let adamw = Optimizer::default();
    assert_eq!(trained(adamw.init()), trained(adamw.init_by_rows(&["table.weight"])));
}
