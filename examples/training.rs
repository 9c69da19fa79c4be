//! The smallest training: a line through three points, with a run folder, checkpoints and the best weights.
//!
//! `cargo run --release --example training` prints `slope 2.000`.

use cupel::{
    burn::{
        module::{Module, Param},
        tensor::Tensor,
    },
    train::{
        Casting, Context, Fit, History, Loss, Next, Policy, Result, Run, StageConfig, Trainer, TrainerConfig, device,
        fingerprint,
    },
};

#[derive(Module, Debug)]
struct Line {
    slope: Param<Tensor<1>>,
}

struct Points;

impl Fit for Points {
    type Model = Line;
    type Batch = (Tensor<1>, Tensor<1>);

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        let x = Tensor::from_floats([1.0, 2.0, 3.0], ctx.device);
        Ok((x.clone(), x * 2.0))
    }

    fn loss(&self, model: &Line, (x, y): Self::Batch, _: &Context<'_>) -> Loss {
        let error = x * model.slope.val() - y;
        Loss { mean: (error.clone() * error).mean(), weight: 3.0, terms: Vec::new() }
    }

    fn next(&mut self, _: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&"points")
    }
}

fn main() -> Result<()> {
    let device = device::select("auto")?.device;
    let slope = Tensor::zeros([1], &device.clone().autodiff()).require_grad();
    let stage = StageConfig { learning_rate: 0.1, epochs: 200, ..StageConfig::default() };
    let config = TrainerConfig { stage, ..TrainerConfig::default() };
    let model = Line { slope: Param::from_tensor(slope) };
    let mut trainer = Trainer::new(Points, model, config, Casting::f32(), &device)?;
    Run::in_memory().drive(&mut trainer, &Policy::default())?;
    println!("slope {:.3}", trainer.into_best().slope.val().into_scalar::<f32>());
    Ok(())
}
