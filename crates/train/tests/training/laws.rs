//! Laws of the loop: what accumulation, clipping, averaging, stopping and skipping mean, and what must fail loudly.

use super::cpu as device;
use super::stand_ins::{
    ConvNet, Convolutional, ImageFit, Images, SAMPLES, SingleObject, TableFit, Tabular, TabularNet,
};
use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Tensor, TensorData},
};
use cupel_train::{
    Advance, Casting, Checkpoint, Clip, Context, Description, EarlyStopping, Error, Fit, Goal, History, Lbfgs,
    LbfgsSettings, Loss, LossScaler, Metrics, Next, NotFinite, Opening, Optimizer, PerformanceMonitor, Policy,
    Position, Progress, Result, Run, Schedule, StageConfig, Stamp, Trainer, TrainerConfig, Watch,
    checks::{self, Subject, weights},
    fingerprint,
};

fn floats(model: &impl Module) -> Vec<f32> {
    weights(model).iter().flat_map(|(_, data)| data.iter::<f32>().collect::<Vec<_>>()).collect()
}

pub(super) fn largest_difference(a: &impl Module, b: &impl Module) -> f32 {
    floats(a).iter().zip(floats(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

pub(super) fn table(batch: usize, stage: StageConfig) -> Trainer<TableFit> {
    let config = TrainerConfig { seed: 1, stage, ..TrainerConfig::default() };
    let model = Tabular.model(&device().autodiff());
    Trainer::new(TableFit { batch }, model, config, Casting::f32(), &device()).unwrap()
}

pub(super) fn advance<F: Fit>(trainer: &mut Trainer<F>, updates: usize) -> Result<Vec<Progress>> {
    let mut at = Position::default();
    (0..updates)
        .map(|_| {
            let progress = trainer.advance(at)?;
            at = trainer.next(at);
            Ok(progress)
        })
        .collect()
}

#[test]
fn accumulated_batches_make_the_update_of_one_large_batch() {
    let _one = checks::exclusive();
    let stage = StageConfig { optimizer: Optimizer::sgd(), learning_rate: 0.1, ..StageConfig::default() };
    // 44 rows in batches of 8: five full ones and a half one, which counts half
    let accumulation = SAMPLES.div_ceil(8) as u64;
    let mut small = table(8, StageConfig { accumulation, ..stage.clone() });
    let mut large = table(SAMPLES, stage);
    advance(&mut small, 3).unwrap();
    advance(&mut large, 3).unwrap();
    assert!(largest_difference(&small.model(), &large.model()) < 2e-6);
    let untrained = table(8, StageConfig::default());
    assert!(largest_difference(&small.model(), &untrained.model()) > 1e-2, "it did train");
}

#[test]
fn two_devices_with_half_the_batch_are_one_with_the_whole_batch() {
    let _one = checks::exclusive();
    let stage = StageConfig { optimizer: Optimizer::adam(), learning_rate: 0.01, ..StageConfig::default() };
    let mut two = table(SAMPLES / 2, StageConfig { accumulation: 2, ..stage.clone() }).with_devices(&[device()]);
    let mut one = table(SAMPLES, stage);
    advance(&mut two, 10).unwrap();
    advance(&mut one, 10).unwrap();
    assert!(largest_difference(&two.model(), &one.model()) < 1e-5);
}

#[test]
fn the_last_group_of_an_epoch_is_as_large_as_what_is_left() {
    let _one = checks::exclusive();
    let mut trainer = table(8, StageConfig { accumulation: 4, ..StageConfig::default() });
    let mut at = Position::default();
    let mut steps = Vec::new();
    for _ in 0..4 {
        trainer.advance(at).unwrap();
        at = trainer.next(at);
        steps.push((at.update, at.epoch, at.step));
    }
    assert_eq!(steps, [(1, 0, 4), (2, 1, 0), (3, 1, 4), (4, 2, 0)]);
}

#[test]
fn the_norm_is_clipped_over_all_parameters_together() {
    let _one = checks::exclusive();
    let moved = |clip| {
        let stage = StageConfig { optimizer: Optimizer::sgd(), learning_rate: 1.0, clip, ..StageConfig::default() };
        let mut trainer = table(8, stage);
        let before = floats(&trainer.model());
        advance(&mut trainer, 1).unwrap();
        let after = floats(&trainer.model());
        after.iter().zip(before).map(|(a, b)| f64::from(a - b)).collect::<Vec<_>>()
    };
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let free = moved(Clip::None);
    let limit = norm(&free) / 3.0;
    let clipped = moved(Clip::GlobalNorm(limit));
    assert!((norm(&clipped) / limit - 1.0).abs() < 1e-4);
    // the direction stays, which clipping tensor by tensor would change
    let cosine = free.iter().zip(&clipped).map(|(a, b)| a * b).sum::<f64>() / norm(&free) / norm(&clipped);
    assert!(cosine > 1.0 - 1e-6, "{cosine}");
    assert_eq!(moved(Clip::GlobalNorm(1e9)), free);
    let most = free.iter().fold(0.0f64, |m, v| m.max(v.abs())) / 2.0;
    let values = moved(Clip::Value(most));
    assert!(values.iter().zip(&free).all(|(v, f)| (v - f.clamp(-most, most)).abs() < 1e-6));
}

#[test]
fn the_average_of_the_weights_is_the_closed_form() {
    let _one = checks::exclusive();
    let mut trainer = table(SAMPLES, StageConfig { weight_average: Some(0.5), epochs: 10, ..StageConfig::default() });
    let mut expected: Vec<f64> = floats(&trainer.model()).iter().map(|w| f64::from(*w)).collect();
    let mut at = Position::default();
    for update in 1..=6 {
        trainer.advance(at).unwrap();
        at = trainer.next(at);
        let decay = f64::from(1 + update) / f64::from(10 + update);
        if update == 6 {
            // an epoch is one update here and each is better than the last, so that the best weights are the average's before
            // the last one: the loss was measured there
            break;
        }
        for (e, w) in expected.iter_mut().zip(floats(&trainer.model())) {
            *e = *e * decay.min(0.5) + f64::from(w) * (1.0 - decay.min(0.5));
        }
    }
    let best = floats(&trainer.best());
    assert!(best.iter().zip(&expected).all(|(b, e)| (f64::from(*b) - e).abs() < 1e-5));
}

/// A fit whose validation numbers are given.
struct Scripted {
    inner: TableFit,
    validation: Vec<f64>,
    epoch: usize,
}

impl Fit for Scripted {
    type Model = TabularNet;
    type Batch = <TableFit as Fit>::Batch;

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        self.inner.batch(ctx)
    }

    fn loss(&self, model: &TabularNet, batch: Self::Batch, ctx: &Context<'_>) -> Loss {
        self.inner.loss(model, batch, ctx)
    }

    fn next(&mut self, _: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }

    fn evaluate(&mut self, _: &TabularNet, ctx: &Context<'_>) -> Result<Metrics> {
        assert!(!ctx.device.is_autodiff(), "evaluation is inference");
        self.epoch += 1;
        Ok(Metrics::from([("score", self.validation[self.epoch - 1])]))
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&"scripted")
    }
}

fn scripted(validation: &[f64], stage: StageConfig) -> Trainer<Scripted> {
    let watch = Watch { metric: "score".into(), goal: Goal::Highest };
    let config = TrainerConfig { stage, watch, ..TrainerConfig::default() };
    let fit = Scripted { inner: TableFit { batch: SAMPLES }, validation: validation.to_vec(), epoch: 0 };
    Trainer::new(fit, Tabular.model(&device().autodiff()), config, Casting::f32(), &device()).unwrap()
}

#[test]
fn a_run_stops_for_lack_of_improvement_and_ends_with_the_best_weights() {
    let _one = checks::exclusive();
    let early_stopping = Some(EarlyStopping { patience: 2, minimum_delta: 0.0 });
    let mut trainer = scripted(&[0.1, 0.5, 0.4, 0.3, 0.9], StageConfig { early_stopping, ..StageConfig::default() });
    let mut at = Position::default();
    let mut models = Vec::new();
    let done = loop {
        let progress = trainer.advance(at).unwrap();
        at = trainer.next(at);
        models.push(floats(&trainer.model()));
        if let Some(reason) = progress.done {
            break reason;
        }
    };
    assert_eq!((done, models.len()), ("no improvement", 4));
    assert_eq!(floats(&trainer.best()), models[1]);
    assert_eq!(trainer.history().series("score"), [0.1, 0.5, 0.4, 0.3]);
}

#[test]
fn a_score_that_is_no_number_is_an_error_and_not_a_bad_epoch() {
    let _one = checks::exclusive();
    let error = advance(&mut scripted(&[0.1, f64::NAN], StageConfig::default()), 2).unwrap_err().to_string();
    assert!(error.contains("`score` is NaN"), "{error}");
}

#[test]
fn a_plateau_lowers_the_learning_rate() {
    let _one = checks::exclusive();
    let schedule = Schedule::Plateau { patience: 2, factor: 0.1, least: 0.0 };
    let scores = [0.5, 0.4, 0.4, 0.6, 0.5, 0.5, 0.5];
    let mut trainer = scripted(&scores, StageConfig { schedule, learning_rate: 1.0e-3, ..StageConfig::default() });
    advance(&mut trainer, scores.len()).unwrap();
    let rates = trainer.history().series("learning_rate");
    let expected = [1e-3, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-5];
    assert!(rates.iter().zip(expected).all(|(r, e)| (r / e - 1.0).abs() < 1e-9), "{rates:?}");
}

/// A fit whose loss is multiplied by a number at some updates.
struct Poisoned {
    inner: ImageFit,
    at: Vec<u64>,
    by: f32,
}

impl Fit for Poisoned {
    type Model = ConvNet;
    type Batch = <ImageFit as Fit>::Batch;

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        self.inner.batch(ctx)
    }

    fn loss(&self, model: &ConvNet, batch: Self::Batch, ctx: &Context<'_>) -> Loss {
        let mut loss = self.inner.loss(model, batch, ctx);
        if self.at.contains(&ctx.at.update) {
            loss.mean = loss.mean.mul_scalar(self.by);
        }
        loss
    }

    fn next(&mut self, seen: &History) -> Result<Next> {
        self.inner.next(seen)
    }

    fn steps_per_epoch(&self) -> u64 {
        self.inner.steps_per_epoch()
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        self.inner.fingerprint()
    }
}

fn poisoned(at: &[u64], by: f32, not_finite: NotFinite) -> Trainer<Poisoned> {
    let config = TrainerConfig { not_finite, log_every: 1, ..TrainerConfig::default() };
    let fit = Poisoned { inner: ImageFit { data: Images::new(), seed: 5 }, at: at.to_vec(), by };
    Trainer::new(fit, ConvNet::new(&device().autodiff()), config, Casting::f32(), &device()).unwrap()
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_says_where() {
    let _one = checks::exclusive();
    let mut trainer = poisoned(&[3], f32::NAN, NotFinite::Stop);
    let error = advance(&mut trainer, 6).unwrap_err().to_string();
    for part in ["update 4", "the loss is NaN", "first.weight", "head.bias", "learning rate 0.001", "last losses"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(floats(&trainer.model()).iter().all(|w| w.is_finite()), "the weights are those before");
}

#[test]
fn updates_that_are_no_numbers_can_be_left_out_and_are_counted() {
    let _one = checks::exclusive();
    let mut trainer = poisoned(&[1, 3], f32::INFINITY, NotFinite::Skip { most: 2 });
    let progress = advance(&mut trainer, 5).unwrap();
    let left_out = progress.iter().filter_map(|p| p.metrics.get("updates_left_out")).fold(0.0, f64::max);
    assert_eq!(left_out, 2.0);
    assert!(floats(&trainer.model()).iter().all(|w| w.is_finite()));
    let error = advance(&mut poisoned(&[0, 1, 2], f32::NAN, NotFinite::Skip { most: 2 }), 5).unwrap_err().to_string();
    assert!(error.contains("2 updates were left out before"), "{error}");
}

#[test]
fn the_scale_halves_when_gradients_overflow_and_the_update_is_left_out() {
    let _one = checks::exclusive();
    // the loss stays finite in f32 and its scaled gradients do not
    let mut trainer = poisoned(&[2], 1e35, NotFinite::Stop).with_scaler(LossScaler::new(65_536.0, 2000));
    let before = {
        advance(&mut trainer, 2).unwrap();
        floats(&trainer.model())
    };
    trainer.advance(Position::default()).unwrap();
    let (scaler, after) = (trainer.scaler().unwrap().clone(), floats(&trainer.model()));
    assert_eq!((scaler.factor(), scaler.skipped()), (32_768.0, 1));
    // running statistics come from the forward pass, all other weights are untouched
    let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!(moved <= 12, "{moved} weights moved");
    trainer.advance(Position::default()).unwrap();
    assert_eq!(trainer.scaler().unwrap().skipped(), 1);
}

#[test]
fn scaling_changes_nothing_but_rounding() {
    let _one = checks::exclusive();
    let mut plain = checks::trainer(&Convolutional, &device());
    let mut scaled = checks::trainer(&Convolutional, &device()).with_scaler(LossScaler::default());
    advance(&mut plain, 5).unwrap();
    advance(&mut scaled, 5).unwrap();
    assert!(largest_difference(&plain.model(), &scaled.model()) < 1e-6);
}

#[test]
fn losses_are_read_back_only_when_the_log_is_due() {
    let _one = checks::exclusive();
    let config = TrainerConfig { log_every: 10, ..Convolutional.config() };
    let config = TrainerConfig { stage: StageConfig { accumulation: 1, ..config.stage }, ..config };
    let model = Convolutional.model(&device().autodiff());
    let mut trainer = Trainer::new(Convolutional.fit(), model, config, Casting::f32(), &device()).unwrap();
    let progress = advance(&mut trainer, 40).unwrap();
    // 40 updates are 6 whole epochs of 6 steps, each read at its end, and 4 tenth updates, one of them such an end
    assert_eq!(trainer.reads(), 6 + 4 - 1);
    let logged = progress.iter().filter(|p| p.metrics.get("loss").is_some()).count();
    assert_eq!(logged, 9);
    assert!(progress[9].metrics.get("halved").unwrap() * 2.0 - progress[9].metrics.get("loss").unwrap() < 1e-6);
}

#[test]
fn stages_follow_each_other_with_optimisers_of_their_own() {
    let _one = checks::exclusive();
    let mut trainer = checks::trainer(&SingleObject, &device());
    let mut at = Position::default();
    let mut seen = Vec::new();
    for _ in 0..14 {
        trainer.advance(at).unwrap();
        at = trainer.next(at);
        seen.push((at.update, at.stage, at.epoch));
    }
    assert_eq!(seen[10..], [(11, 0, 11), (12, 1, 0), (13, 1, 1), (14, 1, 2)]);
    assert_eq!(trainer.history().stage().len(), 2);
    assert!((trainer.history().last().unwrap().metrics.get("learning_rate").unwrap() - 0.005).abs() < 1e-12);
}

#[test]
fn a_dry_run_changes_nothing() {
    let _one = checks::exclusive();
    let mut trainer = checks::trainer(&Convolutional, &device());
    let untouched = checks::trainer(&Convolutional, &device());
    let metrics = trainer.dry_run().unwrap();
    assert!(metrics.get("loss").unwrap() > 0.0 && metrics.get("validation_loss").is_some());
    trainer.overfit_one_batch(3).unwrap();
    let mut again = checks::trainer(&Convolutional, &device());
    advance(&mut trainer, 3).unwrap();
    advance(&mut again, 3).unwrap();
    let trained = |model: &ConvNet| {
        let all = weights(model);
        all.into_iter().filter(|(path, _)| !path.contains("running")).collect::<Vec<_>>()
    };
    assert!(trained(&trainer.model()) == trained(&again.model()));
    assert!(weights(&untouched.model()) != weights(&again.model()));
    let error = poisoned(&[0], f32::NAN, NotFinite::Stop).dry_run().unwrap_err().to_string();
    assert!(error.contains("the loss is NaN"), "{error}");
}

#[test]
fn a_range_test_tells_a_good_learning_rate_from_bad_ones() {
    let _one = checks::exclusive();
    let range = checks::trainer(&Tabular, &device()).learning_rate_range(1e-6, 100.0, 80).unwrap();
    assert!((1e-4..1.0).contains(&range.suggestion), "{}", range.suggestion);
    assert!(range.points.len() < 80, "a rate of 100 diverges");
    assert!(checks::trainer(&Tabular, &device()).learning_rate_range(1.0, 0.1, 80).is_err());
}

#[test]
fn the_monitor_accounts_for_the_time_of_a_step() {
    let _one = checks::exclusive();
    let mut trainer = checks::trainer(&Convolutional, &device()).with_monitor(PerformanceMonitor::new(&device()));
    let start = std::time::Instant::now();
    advance(&mut trainer, 10).unwrap();
    let wall = start.elapsed().as_secs_f64();
    let phases = trainer.monitor().phases();
    let own: f64 = phases.iter().map(|phase| phase.own_seconds).sum();
    assert!(own <= wall && own >= 0.5 * wall, "{own} of {wall} s");
    for name in ["data", "forward", "backward", "optimizer", "evaluation"] {
        assert!(phases.iter().any(|phase| phase.name == name), "{name}: {phases:?}");
    }
    assert!(trainer.monitor().samples_per_second().unwrap() > 0.0);
}

#[test]
fn another_architecture_is_refused_with_every_difference() {
    #[derive(Module, Debug)]
    struct Other {
        first: burn::nn::conv::Conv2d,
        extra: burn::nn::Linear,
    }
    let _one = checks::exclusive();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    cupel_train::export_safetensors(&path, &checks::trainer(&Convolutional, &device()).model()).unwrap();
    let other = Other {
        first: burn::nn::conv::Conv2dConfig::new([1, 5], [3, 3]).init(&device()),
        extra: burn::nn::LinearConfig::new(2, 2).init(&device()),
    };
    let error = cupel_train::import_safetensors(&path, other).unwrap_err().to_string();
    for part in [
        "missing in the checkpoint: extra.",
        "unexpected in the checkpoint: ",
        "norm.gamma [6]",
        "first.weight [6, 1, 3, 3] -> [5, 1, 3, 3]",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn an_optimiser_that_would_not_find_its_parameters_is_refused() {
    let _one = checks::exclusive();
    let folder = tempfile::tempdir().unwrap();
    let stamp = || Stamp {
        at: Position { update: 1, ..Position::default() },
        fingerprint: "x".into(),
        done: None,
        seconds: 0.0,
    };
    let mut first = checks::trainer(&Convolutional, &device());
    first.advance(Position::default()).unwrap();
    let whole = Checkpoint::write(&folder.path().join("whole"), stamp(), |set| first.save(set)).unwrap();
    // the weights of a model that was built again, as an export without ids would give them
    let stranger = checks::trainer(&Convolutional, &device()).model();
    let mixed = Checkpoint::write(&folder.path().join("mixed"), stamp(), |set| {
        for name in whole.reader().names() {
            match name {
                "model.bpk" => set.module(name, &stranger)?,
                _ => set.bytes(name, &whole.reader().bytes(name)?)?,
            }
        }
        Ok(())
    })
    .unwrap();
    let mut other = checks::trainer(&Convolutional, &device());
    let error = other.load(mixed.reader()).unwrap_err().to_string();
    assert!(error.contains("the optimiser would not find") && error.contains("first.weight"), "{error}");
    checks::trainer(&Convolutional, &device()).load(whole.reader()).unwrap();
}

#[test]
fn weights_that_are_no_numbers_are_never_saved() {
    let _one = checks::exclusive();
    let folder = tempfile::tempdir().unwrap();
    let mut model = ConvNet::new(&device().autodiff());
    model = model.map(&mut Spoil);
    let config = TrainerConfig::default();
    let fit = ImageFit { data: Images::new(), seed: 5 };
    let trainer = Trainer::new(fit, model, config, Casting::f32(), &device()).unwrap();
    let stamp = Stamp { at: Position::default(), fingerprint: "x".into(), done: None, seconds: 0.0 };
    let error = Checkpoint::write(folder.path(), stamp, |set| trainer.save(set)).unwrap_err().to_string();
    assert!(error.contains("`head.weight` is not finite"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Makes one weight infinite.
struct Spoil;

impl ModuleMapper for Spoil {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // only the head is a matrix
        if D == 2 {
            param.map(|weight| Tensor::from_inner(weight.inner().div_scalar(0.0)).require_grad())
        } else {
            param
        }
    }
}

/// The square of the distance from a point, in many dimensions of unlike scale.
#[derive(Module, Debug)]
struct Point {
    at: Param<Tensor<1>>,
}

struct Valley;

impl Fit for Valley {
    type Model = Point;
    type Batch = Tensor<1>;

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Tensor<1>> {
        let scales: Vec<f32> = (0..20).map(|i| 1.5f32.powi(i)).collect();
        Ok(Tensor::from_data(TensorData::new(scales, [20]), ctx.device))
    }

    fn loss(&self, model: &Point, scales: Tensor<1>, _: &Context<'_>) -> Loss {
        let distance = model.at.val() - 1.0;
        Loss { mean: (distance.clone() * distance * scales).mean(), weight: 1.0, terms: Vec::new() }
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }
}

fn origin() -> Point {
    Point { at: Param::from_tensor(Tensor::<1>::zeros([20], &device().autodiff()).require_grad()) }
}

fn valley() -> Lbfgs<Valley> {
    let settings = LbfgsSettings { iterations: 3, ..LbfgsSettings::default() };
    Lbfgs::new(Valley, origin(), settings, &device()).unwrap()
}

/// Adam with a rate at which it overshoots.
fn descent(epochs: u64, schedule: Schedule) -> Trainer<Valley> {
    let stage =
        StageConfig { learning_rate: 0.3, optimizer: Optimizer::adam(), epochs, schedule, ..StageConfig::default() };
    let config = TrainerConfig { seed: 5, stage, ..TrainerConfig::default() };
    Trainer::new(Valley, origin(), config, Casting::f32(), &device()).unwrap()
}

#[test]
fn the_best_weights_are_those_with_the_lowest_watched_value() {
    let _one = checks::exclusive();
    let mut trainer = descent(40, Schedule::Constant);
    Run::in_memory().drive(&mut trainer, &Policy::default()).unwrap();
    let losses = trainer.history().series("loss");
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(losses.last().is_some_and(|last| *last > lowest), "it overshoots, so that the last are not the best");
    let monitor = PerformanceMonitor::off();
    let (device, casting, stream) = (device(), Casting::f32(), cupel_data::Stream::new(0, "none"));
    let ctx = Context { device: &device, casting: &casting, stream, at: Position::default(), monitor: &monitor };
    let scales = Valley.batch(&ctx).unwrap();
    assert_eq!(Valley.loss(&trainer.best(), scales, &ctx).mean.into_scalar::<f64>(), lowest);
}

/// Drives in a folder and gives the result, with what `environment.json` says.
fn driven(dir: &std::path::Path, epochs: u64, schedule: Schedule) -> Result<(Trainer<Valley>, serde_json::Value)> {
    let settings = std::collections::BTreeMap::from([("epochs", epochs)]);
    let is = Description::new("test").settings(&settings)?.growing(&["epochs"]);
    let mut run = Run::open(dir, &is, Opening::Resume { strict: false })?.run().unwrap();
    run.set_quiet(true);
    let mut trainer = descent(epochs, schedule);
    run.drive(&mut trainer, &Policy::default())?;
    run.finish(&std::collections::BTreeMap::from([("epochs", epochs)]))?;
    let environment = std::fs::read_to_string(dir.join("environment.json")).unwrap();
    Ok((trainer, serde_json::from_str(&environment).unwrap()))
}

#[test]
fn more_epochs_go_on_where_a_finished_run_ended_to_the_bit() {
    let _one = checks::exclusive();
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [in_two, at_once, cosine] = folders.each_ref().map(|folder| folder.path());
    driven(in_two, 4, Schedule::Constant).unwrap();
    let (longer, _) = driven(in_two, 9, Schedule::Constant).unwrap();
    let (whole, environment) = driven(at_once, 9, Schedule::Constant).unwrap();
    assert_eq!((longer.history(), floats(&longer.model())), (whole.history(), floats(&whole.model())));
    assert_eq!(floats(&longer.best()), floats(&whole.best()));
    // told without being asked
    let told = ["device", "precision", "seed"].map(|key| environment[key].to_string());
    assert_eq!(told, ["\"flex\"", "\"f32\"", "5"]);
    // where the course of the rate depends on the number of epochs there is no going on
    driven(cosine, 4, Schedule::Cosine { end: 0.1 }).unwrap();
    let text = driven(cosine, 9, Schedule::Cosine { end: 0.1 }).err().unwrap().to_string();
    assert!(text.contains("`training` cannot go on with epochs: 4 -> 9"), "{text}");
}

#[test]
fn numbers_that_are_none_are_refused_wherever_they_stand() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let adamw = |betas, epsilon, weight_decay| Optimizer::AdamW { betas, epsilon, weight_decay };
        let of = |optimizer| StageConfig { optimizer, ..StageConfig::default() };
        let course = |schedule| StageConfig { schedule, ..StageConfig::default() };
        let patience = 3;
        for stage in [
            StageConfig { learning_rate: bad, ..StageConfig::default() },
            StageConfig { clip: Clip::GlobalNorm(bad), ..StageConfig::default() },
            StageConfig { clip: Clip::Value(bad), ..StageConfig::default() },
            StageConfig { weight_average: Some(bad), ..StageConfig::default() },
            StageConfig {
                early_stopping: Some(EarlyStopping { patience, minimum_delta: bad }),
                ..StageConfig::default()
            },
            of(adamw([bad, 0.9], 1e-8, 0.0)),
            of(adamw([0.9, bad], 1e-8, 0.0)),
            of(adamw([0.9, 0.9], bad, 0.0)),
            of(adamw([0.9, 0.9], 1e-8, bad)),
            of(Optimizer::Adam { betas: [0.9, bad], epsilon: 1e-8 }),
            of(Optimizer::Adam { betas: [0.9, 0.9], epsilon: bad }),
            of(Optimizer::Sgd { momentum: bad, nesterov: false, weight_decay: 0.0 }),
            of(Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: bad }),
            of(Optimizer::Lion { weight_decay: bad }),
            course(Schedule::Step { epochs: 1, factor: bad }),
            course(Schedule::Cosine { end: bad }),
            course(Schedule::OneCycle { up: bad, start: 0.1, end: 0.1 }),
            course(Schedule::OneCycle { up: 0.3, start: bad, end: 0.1 }),
            course(Schedule::OneCycle { up: 0.3, start: 0.1, end: bad }),
            course(Schedule::Plateau { patience, factor: bad, least: 0.1 }),
            course(Schedule::Plateau { patience, factor: 0.5, least: bad }),
        ] {
            let refused = TrainerConfig { stage: stage.clone(), ..TrainerConfig::default() }.check();
            assert!(matches!(refused, Err(Error::Setting { .. })), "{stage:?}");
        }
        let settings = LbfgsSettings { tolerance: bad, ..LbfgsSettings::default() };
        assert!(matches!(Lbfgs::new(Valley, origin(), settings, &device()), Err(Error::Setting { .. })));
    }
    // the largest numbers neither overflow nor hang
    let stage = StageConfig { epochs: u64::MAX, accumulation: u64::MAX, warm_up: u64::MAX, ..StageConfig::default() };
    advance(&mut table(4, stage), 2).unwrap();
}

#[test]
fn lbfgs_finds_the_bottom_of_a_narrow_valley_and_resumes_exactly() {
    let _one = checks::exclusive();
    let mut whole = valley();
    let driven = Run::in_memory().drive(&mut whole, &Policy::default()).unwrap();
    assert_eq!(driven.reason, "converged");
    assert!(floats(&whole.model()).iter().all(|x| (x - 1.0).abs() < 1e-2), "{:?}", floats(&whole.model()));
    let folder = tempfile::tempdir().unwrap();
    let settings = LbfgsSettings { iterations: 3, steps: 100, ..LbfgsSettings::default() };
    let mut at = Position::default();
    let mut first = valley();
    for _ in 0..2 {
        first.advance(at).unwrap();
        at = first.next(at);
    }
    let stamp = Stamp { at, fingerprint: "x".into(), done: None, seconds: 0.0 };
    let set = Checkpoint::write(&folder.path().join("sets"), stamp, |set| first.save(set)).unwrap();
    let mut second = Lbfgs::new(Valley, valley().model().train(), settings, &device()).unwrap();
    second.load(set.reader()).unwrap();
    loop {
        let progress = second.advance(at).unwrap();
        at = second.next(at);
        if progress.done.is_some() {
            break;
        }
    }
    assert_eq!(floats(&whole.model()), floats(&second.model()));
}
