//! Small models of the three kinds that the domains train: a convolutional net, a table of categories, a single object.

use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig,
        PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig},
    },
    tensor::{Device, FloatDType, Int, Tensor, TensorData, activation::relu},
};
use cupel_data::Stream;
use cupel_train::{
    Clip, Context, Fit, History, Loss, Metrics, Next, Optimizer, Result, Schedule, StageConfig, TrainerConfig, Watch,
    checks::Subject, fingerprint, full,
};

pub const SAMPLES: usize = 44;
pub const BATCH: usize = 8;

/// Convolutions with batch normalisation and dropout, on images whose label is a smooth function of them.
#[derive(Module, Debug)]
pub struct ConvNet {
    first: Conv2d,
    norm: BatchNorm,
    dropout: Dropout,
    second: Conv2d,
    head: Linear,
}

impl ConvNet {
    pub fn new(device: &Device) -> Self {
        let conv = |from, to| Conv2dConfig::new([from, to], [3, 3]).with_padding(PaddingConfig2d::Same).init(device);
        Self {
            first: conv(1, 6),
            norm: BatchNormConfig::new(6).init(device),
            dropout: DropoutConfig::new(0.1).init(),
            second: conv(6, 4),
            head: LinearConfig::new(4, 1).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let h = full(self.first.forward(x), |h| self.norm.forward(h));
        let h = relu(self.second.forward(self.dropout.forward(relu(h)))); // [batch, 4, row, col]
        let h = h.mean_dim(3).mean_dim(2); // [batch, 4, 1, 1]
        let [batch, channels, _, _] = h.dims();
        self.head.forward(h.reshape([batch, channels]))
    }
}

pub struct Images {
    values: Vec<f32>,
    labels: Vec<f32>,
}

const SIDE: usize = 8;

impl Images {
    pub fn new() -> Self {
        let mut values = vec![0.0; SAMPLES * SIDE * SIDE];
        Stream::new(3, "images").fill_normal(&mut values);
        let labels = values
            .chunks_exact(SIDE * SIDE)
            .map(|image| image.windows(2).map(|w| (w[0] * w[1]).max(0.0)).sum::<f32>() / 16.0)
            .collect();
        Self { values, labels }
    }

    fn batch(&self, rows: &[usize], device: &Device) -> (Tensor<4>, Tensor<2>) {
        let size = SIDE * SIDE;
        let images: Vec<f32> = rows.iter().flat_map(|r| self.values[r * size..(r + 1) * size].to_vec()).collect();
        let labels: Vec<f32> = rows.iter().map(|r| self.labels[*r]).collect();
        (
            Tensor::from_data(TensorData::new(images, [rows.len(), 1, SIDE, SIDE]), device),
            Tensor::from_data(TensorData::new(labels, [rows.len(), 1]), device),
        )
    }
}

/// The rows of a step, in an order of their own in every epoch.
pub fn rows(seed: u64, ctx: &Context<'_>, batch: usize) -> Vec<usize> {
    let order = Stream::new(seed, "order").child(u64::from(ctx.at.stage)).at(ctx.at.epoch, 0).permutation(SAMPLES);
    let from = ctx.at.step as usize * batch;
    order[from..SAMPLES.min(from + batch)].to_vec()
}

fn squared_error(output: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let difference = output.cast(FloatDType::F32) - target;
    (difference.clone() * difference).mean()
}

pub struct ImageFit {
    pub data: Images,
    pub seed: u64,
}

impl Fit for ImageFit {
    type Model = ConvNet;
    type Batch = (Tensor<4>, Tensor<2>);

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        Ok(self.data.batch(&rows(self.seed, ctx, BATCH), ctx.device))
    }

    fn loss(&self, model: &ConvNet, (images, labels): Self::Batch, ctx: &Context<'_>) -> Loss {
        let weight = labels.dims()[0] as f64;
        let mean = squared_error(model.forward(ctx.casting.low(images)), labels);
        let terms = vec![("squared_error", mean.clone()), ("halved", mean.clone().div_scalar(2.0))];
        Loss { mean, weight, terms }
    }

    fn next(&mut self, _: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn steps_per_epoch(&self) -> u64 {
        SAMPLES.div_ceil(BATCH) as u64
    }

    fn evaluate(&mut self, model: &ConvNet, ctx: &Context<'_>) -> Result<Metrics> {
        let (images, labels) = self.data.batch(&(0..SAMPLES).collect::<Vec<_>>(), ctx.device);
        let loss = squared_error(model.forward(ctx.casting.low(images)), labels);
        Ok(Metrics::from([("validation_loss", loss.into_scalar::<f64>())]))
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&("images", self.seed))
    }
}

/// Batch normalisation, dropout, weight average, accumulation and one cycle: everything that has a state.
pub struct Convolutional;

impl Subject for Convolutional {
    type Fit = ImageFit;

    fn name(&self) -> &str {
        "convolutional"
    }

    fn model(&self, device: &Device) -> ConvNet {
        ConvNet::new(device)
    }

    fn fit(&self) -> ImageFit {
        ImageFit { data: Images::new(), seed: 5 }
    }

    fn config(&self) -> TrainerConfig {
        TrainerConfig {
            seed: 5,
            log_every: 2,
            watch: Watch { metric: "validation_loss".into(), ..Watch::default() },
            stage: StageConfig {
                learning_rate: 0.01,
                schedule: Schedule::OneCycle { up: 0.3, start: 0.04, end: 1e-3 },
                epochs: 60,
                accumulation: 4,
                clip: Clip::GlobalNorm(5.0),
                weight_average: Some(0.98),
                ..StageConfig::default()
            },
            ..TrainerConfig::default()
        }
    }
}

/// Embeddings of two categories and a hidden layer.
#[derive(Module, Debug)]
pub struct TabularNet {
    left: Embedding,
    right: Embedding,
    hidden: Linear,
    head: Linear,
}

pub struct TableFit {
    pub batch: usize,
}

const CATEGORIES: usize = 7;

impl TabularNet {
    fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let [batch, _] = ids.dims();
        let field = |table: &Embedding, at: usize| {
            let embedded: Tensor<3> = table.forward(ids.clone().slice([0..batch, at..at + 1])); // [batch, 1, feature]
            let [batch, _, features] = embedded.dims();
            embedded.reshape([batch, features])
        };
        let (left, right) = (field(&self.left, 0), field(&self.right, 1));
        let h = Tensor::cat(vec![left.clone() * right.clone(), left, right], 1);
        self.head.forward(relu(self.hidden.forward(h)))
    }
}

impl Fit for TableFit {
    type Model = TabularNet;
    type Batch = (Tensor<2, Int>, Tensor<2>);

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        let rows = rows(1, ctx, self.batch);
        let pair = |row: usize| [(row * 5) % CATEGORIES, (row * 3 + row / 7) % CATEGORIES];
        let ids: Vec<i64> = rows.iter().flat_map(|row| pair(*row)).map(|id| id as i64).collect();
        let effect = |[a, b]: [usize; 2]| ((a * b) as f32 * 0.4).sin() + a as f32 * 0.2;
        let targets: Vec<f32> = rows.iter().map(|row| effect(pair(*row))).collect();
        let count = rows.len();
        Ok((
            Tensor::from_data(TensorData::new(ids, [count, 2]), ctx.device),
            Tensor::from_data(TensorData::new(targets, [count, 1]), ctx.device),
        ))
    }

    fn loss(&self, model: &TabularNet, (ids, targets): Self::Batch, _: &Context<'_>) -> Loss {
        let weight = targets.dims()[0] as f64;
        Loss { mean: squared_error(model.forward(ids), targets), weight, terms: Vec::new() }
    }

    fn next(&mut self, _: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn steps_per_epoch(&self) -> u64 {
        SAMPLES.div_ceil(self.batch) as u64
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&"table")
    }
}

pub struct Tabular;

impl Subject for Tabular {
    type Fit = TableFit;

    fn name(&self) -> &str {
        "tabular"
    }

    fn model(&self, device: &Device) -> TabularNet {
        TabularNet {
            left: EmbeddingConfig::new(CATEGORIES, 6).init(device),
            right: EmbeddingConfig::new(CATEGORIES, 6).init(device),
            hidden: LinearConfig::new(18, 16).init(device),
            head: LinearConfig::new(16, 1).init(device),
        }
    }

    fn fit(&self) -> TableFit {
        TableFit { batch: BATCH }
    }

    fn config(&self) -> TrainerConfig {
        TrainerConfig {
            seed: 1,
            log_every: 3,
            stage: StageConfig {
                learning_rate: 0.01,
                optimizer: Optimizer::adam(),
                schedule: Schedule::Cosine { end: 0.1 },
                warm_up: 2,
                clip: Clip::Value(1.0),
                ..StageConfig::default()
            },
            ..TrainerConfig::default()
        }
    }
}

/// An untrained decoder that draws one image from a fixed code, in two stages.
#[derive(Module, Debug)]
pub struct Decoder {
    up: ConvTranspose2d,
    out: Conv2d,
}

pub struct ObjectFit {
    pub stages: Vec<StageConfig>,
}

impl Fit for ObjectFit {
    type Model = Decoder;
    type Batch = (Tensor<4>, Tensor<4>);

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        let mut code = vec![0.0; 4 * 4 * 4];
        Stream::new(2, "code").fill_normal(&mut code);
        let image: Vec<f32> = (0..64).map(|i| ((i / 8) as f32 - 3.5).hypot((i % 8) as f32 - 3.5) / 5.0).collect();
        Ok((
            Tensor::from_data(TensorData::new(code, [1, 4, 4, 4]), ctx.device),
            Tensor::from_data(TensorData::new(image, [1, 1, 8, 8]), ctx.device),
        ))
    }

    fn loss(&self, model: &Decoder, (code, image): Self::Batch, ctx: &Context<'_>) -> Loss {
        let h = relu(model.up.forward(ctx.casting.low(code)));
        let difference = model.out.forward(h).cast(FloatDType::F32) - image;
        Loss { mean: (difference.clone() * difference).mean(), weight: 1.0, terms: Vec::new() }
    }

    fn next(&mut self, seen: &History) -> Result<Next> {
        let stage = seen.last().map_or(0, |epoch| epoch.stage) as usize;
        Ok(match self.stages.get(stage) {
            Some(next) if seen.stage_over().is_some() => Next::Stage(next.clone()),
            _ => Next::Continue,
        })
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&("object", &self.stages))
    }
}

pub struct SingleObject;

impl Subject for SingleObject {
    type Fit = ObjectFit;

    fn name(&self) -> &str {
        "single-object"
    }

    fn model(&self, device: &Device) -> Decoder {
        Decoder {
            up: ConvTranspose2dConfig::new([4, 8], [2, 2]).with_stride([2, 2]).init(device),
            out: Conv2dConfig::new([8, 1], [3, 3]).with_padding(PaddingConfig2d::Same).init(device),
        }
    }

    fn fit(&self) -> ObjectFit {
        ObjectFit { stages: vec![StageConfig { learning_rate: 0.005, epochs: 200, ..StageConfig::default() }] }
    }

    fn config(&self) -> TrainerConfig {
        TrainerConfig {
            seed: 2,
            log_every: 1,
            stage: StageConfig { learning_rate: 0.01, epochs: 12, weight_average: Some(0.9), ..StageConfig::default() },
            ..TrainerConfig::default()
        }
    }
}
