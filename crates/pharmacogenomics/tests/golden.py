"""Writes golden.json: measures and a logistic regression by scikit-learn 1.9, for tests/metrics.rs and tests/models.rs.

python3 -m venv env && env/bin/pip install "scikit-learn==1.9.*" numpy && env/bin/python golden.py > golden.json
"""
import json
import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

g = np.random.default_rng(7)


def ece(p, hit, bins=15):
    b = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(p[b == i].mean() - hit[b == i].mean()) * (b == i).mean() for i in range(bins) if (b == i).any()))


def classes(name, n, c, ties, absent):
    z = g.normal(size=(n, c))
    y = g.integers(0, c, n)
    if absent is not None:
        y[y == absent] = (absent + 1) % c
    z[np.arange(n), y] += 1.0
    p = np.exp(z)
    if ties:
        p = np.round(p) + 0.5
    p /= p.sum(1, keepdims=True)
    h = p.argmax(1)
    present = sorted(set(y))
    auc = [m.roc_auc_score(y == k, p[:, k]) for k in present if 0 < (y == k).sum() < n]
    ap = [m.average_precision_score(y == k, p[:, k]) for k in present]
    q = np.clip(p, 1e-12, 1)
    return dict(name=name, p=p.tolist(), y=y.tolist(), log_loss=float(-np.log(q[np.arange(n), y]).mean()),
                weighted_f1=m.f1_score(y, h, average="weighted", labels=list(range(c)), zero_division=0),
                macro_f1=m.f1_score(y, h, average="macro", labels=present, zero_division=0),
                micro_f1=m.f1_score(y, h, average="micro"), accuracy=m.accuracy_score(y, h),
                balanced_accuracy=float(m.recall_score(y, h, labels=present, average="macro", zero_division=0)),
                auroc=float(np.mean(auc)), auprc=float(np.mean(ap)), brier=float(((p - np.eye(c)[y]) ** 2).sum(1).mean()),
                ece=ece(p.max(1), h == y), precision=m.precision_score(y, h, average=None, labels=list(range(c)), zero_division=0).tolist())


def labels(name, n, c, ties, absent):
    y = g.random((n, c)) < np.linspace(0.1, 0.6, c)
    if absent is not None:
        y[:, absent] = False
    p = 1 / (1 + np.exp(-g.normal(size=(n, c)) - 1.5 * (y - 0.5)))
    if ties:
        p = np.round(p * 5 + 0.5) / 7
    h = p >= 0.5
    q = np.clip(p, 1e-12, 1 - 1e-12)
    auc = [m.roc_auc_score(y[:, k], p[:, k]) for k in range(c) if 0 < y[:, k].sum() < n]
    ap = [m.average_precision_score(y[:, k], p[:, k]) for k in range(c) if y[:, k].any()]
    return dict(name=name, p=p.tolist(), y=y.astype(int).tolist(), log_loss=float(-(y * np.log(q) + ~y * np.log(1 - q)).mean()),
                micro_f1=m.f1_score(y, h, average="micro"), macro_f1=m.f1_score(y, h, average="macro", zero_division=0),
                weighted_f1=m.f1_score(y, h, average="weighted", zero_division=0),
                samples_f1=m.f1_score(y, h, average="samples", zero_division=0),
                hamming_accuracy=1 - m.hamming_loss(y, h), subset_accuracy=m.accuracy_score(y, h), auroc=float(np.mean(auc)),
                auprc=float(np.mean(ap)), ece=float(np.mean([ece(p[:, k], y[:, k]) for k in range(c)])))


def regression():
    n = 300
    x = np.stack([g.integers(0, 6, n), g.integers(0, 4, n)], 1).astype(str)
    y = (x[:, 0].astype(int) + x[:, 1].astype(int) + g.integers(0, 3, n)) % 3
    oh = OneHotEncoder().fit(x)
    k = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(oh.transform(x), y)
    return dict(x=x.tolist(), y=y.tolist(), p=k.predict_proba(oh.transform(x)).tolist())


print(json.dumps(dict(scikit_learn=sklearn.__version__,
                      classes=[classes("plain", 120, 4, False, None), classes("ties", 90, 5, True, None), classes("a class is missing", 60, 4, True, 2), classes("two classes", 40, 2, False, None)],
                      labels=[labels("plain", 80, 5, False, None), labels("ties", 70, 4, True, None), labels("a label is missing", 50, 4, True, 1)],
                      regression=regression())))
