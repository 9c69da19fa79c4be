"""Prints the numbers that ssim.rs and aperture.rs are compared with, from the definitions, in f64 (numpy 2.4.6)."""
import numpy as np


def similarity(x, y, data_range):
    """Means of SSIM and of its contrast-structure part over the places where the window lies inside."""
    taps = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2

    def mean(image):
        return (np.lib.stride_tricks.sliding_window_view(image, (11, 11)) * window).sum((2, 3))

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    structure = (2 * cov + c2) / (vx + vy + c2)
    return ((2 * mx * my + c1) / (mx**2 + my**2 + c1) * structure).mean(), structure.mean()


def over_scales(x, y, data_range):
    product = 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        if scale:
            rows, columns = (side // 2 * 2 for side in x.shape)
            x, y = (v[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3)) for v in (x, y))
        product *= max(similarity(x, y, data_range)[1 if scale < 4 else 0], 0) ** weight
    return product


def waves(rows, columns):
    r, c = np.mgrid[0:rows, 0:columns]
    angle = 2 * np.pi * (3 * c + 5 * r) / 96
    return 0.5 + 0.5 * np.sin(angle), 0.5 + 0.45 * np.sin(angle + 0.2)


def generator(count, x):
    values = np.empty(count)
    for i in range(count):
        x = (1664525 * x + 1013904223) % 2**32
        values[i] = x / 2**32
    return values


# scikit-image 0.26.0 gives the same for gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
print("ssim", similarity(*waves(96, 96), 1.0)[0])
print("ms_ssim", over_scales(*waves(193, 180), 1.0))

n, r = 64, 6
scene = np.zeros((n, n))
scene[16:48, 16:48] = generator(1024, 42).reshape(32, 32)
spectrum = np.fft.fft2(scene, norm="ortho")
k = np.fft.fftfreq(n) * n
disc = (k[:, None] - 5) ** 2 + (k[None] + 7) ** 2 <= r * r
amplitudes = abs(np.fft.ifft2(spectrum * disc, norm="ortho"))
print("aperture", amplitudes.sum(), amplitudes.max(), amplitudes[20, 30], amplitudes[40, 10])
