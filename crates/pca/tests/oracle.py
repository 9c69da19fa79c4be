"""Prints the numbers of tests/laws/references.rs: python oracle.py (written with scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1)."""

import numpy as np
from scipy import integrate, optimize
from sklearn.decomposition import PCA

MASK = (1 << 64) - 1


def uniform(count, seed):
    """splitmix64 from `seed`, in [-0.5, 0.5)."""
    state, out = seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        out.append((z >> 11) / float(1 << 53) - 0.5)
    return np.array(out)


def sky(samples, channels, seed):
    """Two smooth foregrounds far above noise, rounded to f32."""
    draws = uniform(samples * (channels + 2), seed).reshape(samples, channels + 2)
    scale = 1.0 + np.arange(channels) / channels
    smooth = 1e3 * draws[:, :1] * scale**-2.6 + 50.0 * draws[:, 1:2] * scale**-2.1 + 300.0
    return (smooth + draws[:, 2:]).astype(np.float32)


def show(name, values):
    print(name, "[" + ", ".join(repr(float(value)) for value in np.ravel(values)) + "]")


x = sky(600, 24, 1).astype(np.float64)
for solver in ("full", "covariance_eigh", "randomized"):
    pca = PCA(4, svd_solver=solver, random_state=0).fit(x)
    show(f"{solver} explained_variance", pca.explained_variance_)
    show(f"{solver} ratio", pca.explained_variance_ratio_)
    show(f"{solver} singular_values", pca.singular_values_)
    show(f"{solver} noise_variance", pca.noise_variance_)
    pivot = np.abs(pca.components_).argmax(1)
    signs = np.sign(pca.components_[np.arange(4), pivot])
    show(f"{solver} components[:2]", (pca.components_ * signs[:, None])[:2])
    residual = x - pca.inverse_transform(pca.transform(x))
    show(f"{solver} residual[17]", residual[17])
few = sky(12, 24, 2).astype(np.float64)
pca = PCA(3, svd_solver="full").fit(few)
show("few explained_variance", pca.explained_variance_)
show("few noise_variance", pca.noise_variance_)

z = x + 1j * sky(600, 24, 3).astype(np.float64)
d = z - z.mean(0)
c = d.T @ d.conj() / (len(z) - 1)
values, vectors = np.linalg.eigh(c)
values, v = values[::-1], vectors[:, ::-1][:, :4]
show("hermitian eigenvalues", values[:6])
cleaned = d - (d @ v.conj()) @ v.T
show("hermitian cleaned[17] re", cleaned[17].real)
show("hermitian cleaned[17] im", cleaned[17].imag)

w = (uniform(600 * 24, 4).reshape(600, 24) > -0.3).astype(np.float64)
mean = (w * x).sum(0) / w.sum(0)
dw = w * (x - mean)
cw = dw.T @ dw / (w.T @ w) * 600 / 599
show("masked mean", mean[:3])
show("masked covariance", [cw[0, 0], cw[0, 1], cw[3, 7], cw[23, 23]])

for ratio in (0.01, 0.1, 0.5, 2.0):
    low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2
    density = lambda t: np.sqrt(max((high - t) * (t - low), 0.0)) / t
    total = integrate.quad(density, low, high, limit=500)[0]
    half = lambda m: integrate.quad(density, low, m, limit=500)[0] - total / 2
    show(f"median {ratio}", optimize.brentq(half, low * (1 + 1e-9) + 1e-12, high))
