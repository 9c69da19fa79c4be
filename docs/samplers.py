"""Best values of Optuna's samplers on the three functions of crates/tune/examples/samplers.rs.

  samplers.py [SEEDS [TRIALS]]     20 and 80 without; needs the packages optuna and scipy
"""

import math
import statistics
import sys
import warnings

import optuna

SEEDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
TRIALS = int(sys.argv[2]) if len(sys.argv) > 2 else 80

ALPHA = [1.0, 1.2, 3.0, 3.2]
A = [
    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
]
P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def hartmann6(trial):
    x = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(6)]
    exponents = (sum(a * (x - p) ** 2 for a, x, p in zip(row, x, place)) for row, place in zip(A, P))
    return -sum(alpha * math.exp(-exponent) for alpha, exponent in zip(ALPHA, exponents))


def mixed(trial):
    x = trial.suggest_float("x", -5.0, 5.0)
    rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
    width = trial.suggest_int("width", 32, 512, step=32)
    place, bottom = {"a": (1.3, 0.0), "b": (-2.0, 0.05), "c": (3.0, 0.2), "d": (0.0, 0.4)}[
        trial.suggest_categorical("kind", ["a", "b", "c", "d"])
    ]
    return bottom + ((x - place) / 4) ** 2 + ((math.log10(rate) + 2.5) / 2) ** 2 + ((width - 352) / 256) ** 2


def conditional(trial):
    rate = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
    width = trial.suggest_int("width", 32, 512, step=32)
    if trial.suggest_categorical("optimiser", ["sgd", "adam"]) == "sgd":
        own = abs(trial.suggest_float("momentum", 0.0, 0.99) - 0.9)
    else:
        own = 0.05 + 0.1 * math.log10(trial.suggest_int("beta", 1, 100, log=True))
    return own + (math.log10(rate) + 3) ** 2 + (width / 512 - 0.5) ** 2


SAMPLERS = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "sobol": lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=False),
    "multivariate tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
}


def best(sampler, function):
    study = optuna.create_study(sampler=sampler)
    study.optimize(function, n_trials=TRIALS)
    return study.best_value


optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore")
print(f"Optuna {optuna.__version__}: median of the best of {TRIALS} trials over {SEEDS} seeds")
print("| sampler | Hartmann 6 | mixed | conditional |\n|---|---|---|---|")
for name, sampler in SAMPLERS.items():
    medians = [
        statistics.median(best(sampler(seed), function) for seed in range(SEEDS))
        for function in (hartmann6, mixed, conditional)
    ]
    print(f"| {name} | {' | '.join(f'{median:.4f}' for median in medians)} |", flush=True)
