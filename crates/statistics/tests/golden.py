"""Writes golden.json: spreads, quantiles, bootstrap, reliability and conformal thresholds by numpy, SciPy and scikit-learn.

python3 -m venv env && env/bin/pip install "numpy==2.4.*" "scipy==1.17.*" "scikit-learn==1.9.*" && env/bin/python golden.py > golden.json
"""
import itertools
import json
import math

import numpy as np
import scipy
import sklearn
from scipy.stats import t
from sklearn.calibration import calibration_curve

g = np.random.default_rng(13)


def spread(values):
    return dict(values=list(values), mean=float(np.mean(values)), sd=float(np.std(values, ddof=1)))


def quantiles(n):
    values = g.normal(size=n)
    shares = [0.0, 0.025, 0.3, 0.5, 0.975, 1.0]
    return dict(values=values.tolist(), shares=shares, quantiles=np.quantile(values, shares, method="linear").tolist())


def bootstrap():
    """Of five groups of unequal size every resample there is, so that the interval has no sampling error."""
    groups = [0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 4]
    values = np.round(g.normal(size=len(groups)), 3)
    of = [values[np.array(groups) == k] for k in range(5)]
    means = [float(np.concatenate([of[k] for k in drawn]).mean()) for drawn in itertools.product(range(5), repeat=5)]
    low, high = np.quantile(means, [0.025, 0.975])
    near = [float(np.quantile(means, share)) for share in (0.015, 0.035, 0.965, 0.985)]
    return dict(groups=groups, values=values.tolist(), low=float(low), high=float(high), within=near)


def reliability(n, low, high, bins=15):
    p = g.uniform(low, high, n)
    hit = g.random(n) < p**1.5
    true_share, said = calibration_curve(hit, p, n_bins=bins, strategy="uniform")
    rows = np.histogram(p, bins=bins, range=(0, 1))[0]
    rows = rows[rows > 0]
    order = np.argsort(p)
    cuts = [b * n // bins for b in range(bins + 1)]
    parts = [order[a:b] for a, b in zip(cuts, cuts[1:]) if b > a]
    adaptive = sum(len(part) / n * abs(p[part].mean() - hit[part].mean()) for part in parts)
    return dict(p=p.tolist(), hit=hit.tolist(), said=said.tolist(), true_share=true_share.tolist(), rows=rows.tolist(),
                error=float((rows / n * np.abs(said - true_share)).sum()), adaptive_error=float(adaptive))


def smallest(scores, coverage):
    """The ceil((n + 1) coverage)-th smallest score by numpy, None where there is none."""
    n = len(scores)
    level = math.ceil(round((n + 1) * coverage, 9)) / n
    return float(np.quantile(scores, level, method="inverted_cdf")) if level <= 1 else None


def real(n, coverage):
    x = g.uniform(0, 3, n)
    truth = np.sin(x) + (0.2 + 0.3 * x) * t.rvs(5, size=n, random_state=g)
    said, scale = np.sin(x), 0.2 + 0.3 * x
    low, high = said - 0.8, said + 1.1 * scale
    return dict(coverage=coverage, truth=truth.tolist(), said=said.tolist(), scale=scale.tolist(), low=low.tolist(), high=high.tolist(),
                residual=smallest(np.abs(truth - said), coverage), scaled=smallest(np.abs(truth - said) / scale, coverage),
                quantile=smallest(np.maximum(low - truth, truth - high), coverage))


def weighted_threshold(p, w, coverage):
    order = np.argsort(p, kind="stable")
    reached = np.cumsum(w[order]) <= (w.sum() + 1) * (1 - coverage) + 1e-9
    return float(p[order][reached][-1]) if reached.any() else 0.0


def thresholds(p, y, w, belief, coverage):
    n = (w[:, None] * y).sum(0)
    v = w[:, None] * (n * y + belief * p) / (n + belief)
    rare = n < belief
    shared = weighted_threshold(p.T[rare].ravel(), v.T[rare].ravel(), coverage) if rare.any() else None
    return [shared if rare[c] else weighted_threshold(p[:, c], v[:, c], coverage) for c in range(p.shape[1])]


def classes(n, c, belief, coverage):
    z = g.normal(size=(n, c)) - np.arange(c)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    y = np.array([g.choice(c, p=row) for row in p])
    one = np.eye(c)[y]
    if belief:
        w = g.choice([0.1, 1.0], n)
        found = thresholds(p, one, w, belief, coverage)
    else:  # the definition: of each class the probabilities of its own rows, downwards
        w = np.ones(n)
        of = [smallest(-p[y == k, k], coverage) if (y == k).any() else None for k in range(c)]
        found = [0.0 if s is None else -s for s in of]
    return dict(kind="classes", width=c, belief=belief, coverage=coverage, p=p.ravel().tolist(), y=one.ravel().tolist(), w=w.tolist(), thresholds=found)


def labels(n, c, belief, coverage):
    p = 1 / (1 + np.exp(-g.normal(size=(n, c)) + np.arange(c)))
    y = (g.random((n, c)) < p).astype(float)
    w = np.ones(n)
    both = lambda a: np.stack([1 - a, a], 2).reshape(n, 2 * c)
    return dict(kind="labels", width=c, belief=belief, coverage=coverage, p=p.ravel().tolist(), y=y.ravel().tolist(), w=w.tolist(),
                thresholds=thresholds(both(p), both(y), w, belief, coverage))


print(json.dumps(dict(
    versions=dict(numpy=np.__version__, scipy=scipy.__version__, scikit_learn=sklearn.__version__),
    spread=[spread([0.9171, 0.9168, 0.9302]), spread([1e6 + 0.1, 1e6 + 0.2, 1e6 + 0.4]), spread(g.normal(size=40).tolist())],
    quantiles=[quantiles(1), quantiles(2), quantiles(37)],
    bootstrap=bootstrap(),
    reliability=[reliability(300, 0, 1), reliability(97, 0.3, 0.8)],
    real=[real(200, 0.9), real(19, 0.9), real(9, 0.9), real(8, 0.9), real(50, 0.5)],
    thresholds=[classes(150, 4, 0, 0.9), classes(150, 4, 0, 0.5), classes(200, 3, 100.0, 0.9), labels(160, 3, 100.0, 0.8)])))
