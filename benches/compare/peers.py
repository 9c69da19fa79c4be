"""PyTorch's side of the comparison: argv is the name of a workload and the number of threads.

Prints a line when ready, and for every line on stdin one with the times of a round. Each workload runs in the fastest of its settings:
contiguous or channels-last memory, and for the blocks and networks torch.compile too, tried in processes of their own so that the peak of the memory
is that of the setting that is measured.
"""

import atexit
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

NAME, THREADS = sys.argv[1], int(sys.argv[2])
SETTING = sys.argv[3] if len(sys.argv) > 3 else None
ROUND_SECONDS = 0.2
torch.set_num_threads(THREADS)
torch.manual_seed(0)


def channels_last(x):
    return x.to(memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[x.dim()])


def layer(function, x, w, channels, backward, **options):
    """Input, weight and bias to output, there or there and back."""

    def prepare(setting):
        a, b, c = torch.randn(x), torch.randn(w), torch.randn(channels)
        if setting == "channels_last":
            a, b = channels_last(a), channels_last(b)
        if not backward:

            def forward():
                with torch.no_grad():
                    function(a, b, c, **options)

            return forward
        for tensor in (a, b, c):
            tensor.requires_grad_()
        ones = torch.ones_like(function(a, b, c, **options))

        def both():
            for tensor in (a, b, c):
                tensor.grad = None
            function(a, b, c, **options).backward(ones)

        return both

    return prepare


class SmoothLeaky(nn.Module):
    def forward(self, x):
        size = x.abs()
        cubic = x * x * (1 - size / 3) + 2 * x + 1 / 3
        return torch.where(size < 1, cubic, torch.where(x > 0, 3 * x, x)) / 3.5


def block(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride, padding=1, padding_mode="circular"), nn.BatchNorm3d(outputs), SmoothLeaky()
    )


class Net(nn.Module):
    """The first network of cosmology, "v1"."""

    def __init__(self, f=16):
        super().__init__()
        two = lambda i, o: nn.Sequential(block(i, o), block(o, o))
        up = lambda i, o: nn.Sequential(
            nn.ConvTranspose3d(i, o, 3, 2, padding=1, output_padding=1), nn.BatchNorm3d(o), SmoothLeaky()
        )
        self.e1, self.d1, self.e2, self.d2 = two(2, f), block(f, 2 * f, 2), two(2 * f, 2 * f), block(2 * f, 4 * f, 2)
        self.middle = two(4 * f, 4 * f)
        self.u2, self.r2, self.u1, self.r1 = up(4 * f, 2 * f), two(4 * f, 2 * f), up(2 * f, f), two(2 * f, f)
        self.head = nn.Conv3d(f, 2, 3, padding=1, padding_mode="circular")

    def forward(self, x):
        a = self.e1(x)
        b = self.e2(self.d1(a))
        y = self.r2(torch.cat((self.u2(self.middle(self.d2(b))), b), 1))
        return self.head(self.r1(torch.cat((self.u1(y), a), 1)))


class Padded(nn.Module):
    """A convolution with a circle, a mirror and the last value beyond the edges of the three axes."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3)

    def forward(self, x):
        x = F.pad(x, (1, 1, 0, 0, 0, 0), mode="replicate")
        x = F.pad(x, (0, 0, 1, 1, 0, 0), mode="reflect")
        return self.conv(F.pad(x, (0, 0, 0, 0, 1, 1), mode="circular"))


class Residual(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        first, second = nn.GroupNorm(min(8, i), i), nn.GroupNorm(min(8, o), o)
        self.body = nn.Sequential(first, nn.SiLU(), Padded(i, o), second, nn.SiLU(), Padded(o, o))
        self.skip = nn.Identity() if i == o else nn.Conv3d(i, o, 1, bias=False)

    def forward(self, x):
        return self.body(x) + self.skip(x)


class NetV2(nn.Module):
    """The second network of cosmology, "v2", with its defaults."""

    def __init__(self, f=8, levels=3):
        super().__init__()
        stage = lambda i, o: nn.Sequential(Residual(i, o), Residual(o, o))
        widths = [f << level for level in range(levels + 1)]
        self.stem, self.bottom = Padded(2, f), stage(widths[-1], widths[-1])
        self.encoder = nn.ModuleList(stage(i, 2 * i) for i in widths[:-1])
        self.up = nn.ModuleList(Padded(2 * i, 2 * i) for i in widths[-2::-1])
        self.decoder = nn.ModuleList(stage(4 * i, i) for i in widths[-2::-1])
        self.head = nn.Sequential(Padded(f, f), nn.SiLU(), nn.Conv3d(f, 2, 1))
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.einsum("i,j,k->ijk", line, line, line)[None, None])

    def forward(self, x):
        x, kept = self.stem(x), []
        for stage in self.encoder:
            x = stage(x)
            kept.append(x)
            channels = x.shape[1]
            kernel = self.kernel.expand(channels, 1, 3, 3, 3)
            x = F.conv3d(F.pad(x, (1,) * 6, mode="replicate"), kernel, stride=2, groups=channels)
        x = self.bottom(x)
        for up, stage in zip(self.up, self.decoder):
            x = up(F.interpolate(x, scale_factor=2, mode="trilinear"))
            x = stage(torch.cat((x, kept.pop()), 1))
        return self.head(x)


def set_up(module, setting, *tensors):
    if setting == "channels_last":
        module, tensors = module.to(memory_format=torch.channels_last_3d), [channels_last(tensor) for tensor in tensors]
    if setting == "compile":
        module = torch.compile(module)
    return module, *tensors


def block_work(setting):
    module, x = set_up(block(16, 16), setting, torch.randn(1, 16, 128, 128, 48))
    x.requires_grad_()
    ones = torch.ones_like(module(x))

    def work():
        module.zero_grad(set_to_none=True)
        x.grad = None
        module(x).backward(ones)

    return work


def training(shape, net=Net):
    def prepare(setting):
        module, x, y = set_up(net(), setting, torch.randn(shape), torch.randn(shape))
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-4, fused=True)

        def work():
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(module(x), y).log().backward()
            optimizer.step()

        return work

    return prepare


def inference(shape, net=Net):
    def prepare(setting):
        module, x = set_up(net().eval(), setting, torch.randn(shape))

        def work():
            with torch.inference_mode():
                module(x)

        return work

    return prepare


def rfft2(backward):
    def prepare(_):
        x = torch.randn(1024, 1024, requires_grad=backward)

        def work():
            z = torch.fft.rfft2(x)
            if backward:
                x.grad = None
                (z.real.square() + z.imag.square()).sum().backward()

        return work

    return prepare


def upsample(_):
    x = torch.randn(1, 32, 32, 32, 12, requires_grad=True)

    def work():
        x.grad = None
        F.interpolate(x, scale_factor=2, mode="trilinear").sum().backward()

    return work


def sum_and_mean(_):
    x = torch.randn(8, 1024, 1024)
    return lambda: x.sum().item() + x.mean().item()


def ssim(setting):
    """Separable, by grouped convolutions or by adding shifted images."""
    x, y = torch.randn(5, 1, 1024, 1024, requires_grad=True), torch.randn(5, 1, 1024, 1024)
    taps = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    taps = taps / taps.sum()

    def blur(z):
        if setting == "convolution":
            kernel = taps.expand(z.shape[1], 1, 1, 11)
            return F.conv2d(F.conv2d(z, kernel, groups=z.shape[1]), kernel.transpose(2, 3), groups=z.shape[1])
        z = sum(float(t) * z[..., i : z.shape[-1] - 10 + i] for i, t in enumerate(taps))
        return sum(float(t) * z[..., i : z.shape[-2] - 10 + i, :] for i, t in enumerate(taps))

    def work():
        x.grad = None
        m, n, xx, yy, xy = blur(torch.cat((x, y, x * x, y * y, x * y), 1)).split(1, 1)
        mm, nn_, mn = m * m, n * n, m * n
        c1, c2 = 0.01**2, 0.03**2
        value = (2 * mn + c1) * (2 * (xy - mn) + c2) / ((mm + nn_ + c1) * (xx - mm + yy - nn_ + c2))
        value.mean((2, 3)).sum().backward()

    return work


def gram(_):
    x = torch.randn(512, 25, 16, requires_grad=True)
    i, j = torch.triu_indices(25, 25, 1)

    def work():
        x.grad = None
        torch.bmm(x, x.transpose(1, 2))[:, i, j].sum().backward()

    return work


def mixture(_):
    observations = torch.randn(9025, 156)
    parameters = [torch.randn(shape, requires_grad=True) for shape in ((9025, 4), (4, 156), (9025, 1), (156,))]

    def work():
        for parameter in parameters:
            parameter.grad = None
        logits, endmembers, brightness, log_noise = parameters
        residual = (observations - brightness * (logits.softmax(1) @ endmembers)) * torch.exp(-log_noise)
        (-0.5 * residual.square() - log_noise - 0.9189385332046727).sum().backward()

    return work


def windows(_):
    """Cut by index_select, whose adjoint is the fastest here, and put on the detector by index_copy."""
    plane = torch.randn(128 * 128, 2, requires_grad=True)
    measured = torch.randn(48, 128, 128).abs()
    offset = torch.arange(21) - 10
    centres = torch.tensor([[(i * 37) % 107 - 53, (i * 71) % 107 - 53] for i in range(48)])
    rows, columns = ((64 + centres[:, axis, None] + offset) % 128 for axis in (0, 1))
    source = (rows[:, :, None] * 128 + columns[:, None, :]).reshape(-1)
    target = ((offset % 128)[:, None] * 128 + (offset % 128)[None]).reshape(-1)
    target = (torch.arange(48)[:, None] * 128 * 128 + target).reshape(-1)

    def work():
        plane.grad = None
        grid = torch.zeros(48 * 128 * 128, 2).index_copy(0, target, plane.index_select(0, source))
        image = torch.fft.ifft2(torch.view_as_complex(grid).view(48, 128, 128), norm="ortho")
        amplitude = (torch.view_as_real(image).square().sum(-1) + 1e-8).sqrt()
        (amplitude - measured).square().sum().backward()

    return work


def projection(_):
    x, complement, offset = torch.randn(4, 48, 128, 128), torch.randn(128, 128), torch.randn(128)
    matrix, shift = 1e5 * complement, -1e5 * (offset @ complement)

    def work():
        with torch.no_grad():
            torch.addmm(shift, x.view(-1, 128), matrix).view(x.shape).permute(0, 2, 3, 1).contiguous()

    return work


def copy(_):
    x = torch.randn(49152, 128)
    y = torch.empty_like(x)
    return lambda: y.copy_(x)


def modes():
    """Seven orthonormal modes over 128 channels, and an offset."""
    return torch.linalg.qr(torch.randn(128, 7))[0], torch.full((128,), 0.1)


def cleaning(setting):
    """Of lines, with one dense product or two thin ones."""
    v, offset = modes()
    if setting == "dense":
        matrix = torch.eye(128) - v @ v.mT
        shift = -(offset @ matrix)
        return lambda x: torch.addmm(shift, x, matrix)

    def thin(x):
        d = x - offset
        return torch.addmm(d, d @ v, v.mT, alpha=-1)

    return thin


def pca_apply(setting):
    x, clean = torch.randn(49152, 128), cleaning(setting)

    def work():
        with torch.no_grad():
            clean(x)

    return work


def preprocess(setting):
    """Noise, cleaning along the frequency, scale and the layout [chunk, part, right ascension, frequency, baseline]."""
    x, y = (torch.randn(1, 48, 128, 512, dtype=torch.complex64) for _ in range(2))
    clean = cleaning(setting)

    def work():
        with torch.no_grad():
            a, b = (torch.view_as_real(z.view(48, 128, 4, 128)) for z in (x, y))
            # [part, chunk, right ascension, baseline, frequency]: the frequency last, as the product wants it
            a = (a + 1e-7 * torch.randn_like(a)).permute(4, 2, 3, 0, 1).contiguous()
            a = clean(a.view(-1, 128)).view(a.shape).permute(1, 0, 2, 4, 3)
            (a * 1e5).contiguous(), (b.permute(2, 4, 3, 1, 0) * 1e5).contiguous()

    return work


MEMORY = ("contiguous", "channels_last")
MODULE = ("contiguous", "channels_last", "compile")
SMALL, LARGE, SECOND = (1, 2, 64, 64, 24), (4, 2, 128, 128, 48), (1, 2, 64, 64, 48)
conv3d = lambda side, backward: layer(F.conv3d, (1, 32, side, side, side), (32, 32, 3, 3, 3), 32, backward, padding=1)
conv2d = lambda backward: layer(F.conv2d, (1, 64, 256, 256), (64, 64, 3, 3), 64, backward, padding=1)
up2d = lambda backward: layer(
    F.conv_transpose2d, (1, 64, 64, 64), (64, 32, 4, 4), 32, backward, stride=2, padding=1
)
up3d = layer(F.conv_transpose3d, (1, 32, 16, 16, 16), (32, 16, 2, 2, 2), 16, True, stride=2)


def original(count, bins):
    """Observations from files, `count` each time, made ready as the original does it: components anew for each part of a batch, by a loop over channels."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for kind in "yg":
        for i in range(count):
            values = torch.randn(48, 128, bins, dtype=torch.complex64)
            numpy.save(folder / f"{kind}{i}.npy", values.numpy())

    def clean(lines):
        centred = lines.clone()
        for channel in range(lines.shape[1]):
            centred[:, channel] -= lines[:, channel].mean()
        vectors = torch.linalg.eigh(torch.cov(centred.mT))[1][:, -7:]
        return centred - (centred @ vectors) @ vectors.mT

    def load(kind):
        return torch.stack([torch.from_numpy(numpy.load(folder / f"{kind}{i}.npy")) for i in range(count)])

    def ready():
        with torch.no_grad():
            y = load("y")
            x = y + load("g")
            # [sky, chunk, right ascension, baseline, frequency, part], joined to chunks
            a, b = (
                torch.view_as_real(z.view(count, 48, 128, bins // 128, 128)).permute(0, 3, 4, 1, 2, 5).flatten(0, 1)
                for z in (x, y)
            )
            a = a + 1e-7 * torch.randn_like(a)
            parts = [clean(a[..., part].reshape(-1, 128)).view(a.shape[:-1]) for part in (0, 1)]
            a = (torch.stack(parts, 1).permute(0, 1, 2, 4, 3) * 1e5).contiguous()
            return a, (b.permute(0, 4, 1, 3, 2) * 1e5).contiguous()

    return ready


def batch(_):
    return original(2, 1024)


def files_training(setting):
    """A training step of the first network on what the original makes of an observation, one after the other."""
    ready = original(1, 512)
    (module,) = set_up(Net(), setting)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4, fused=True)

    def work():
        x, y = ready()
        if setting == "channels_last":
            x, y = channels_last(x), channels_last(y)
        optimizer.zero_grad(set_to_none=True)
        F.mse_loss(module(x), y).log().backward()
        optimizer.step()

    return work


def prism(setting):
    """A step of the progressive decoder under the rule of the original, as prism_peer.py has it: frames of 1024 pixels or of 128."""
    n, m, window, d = 1024, 512, 33, 128 if setting == "reduced" else 1024
    channels, layers = n, []
    for i in range(8):
        layers += [nn.ConvTranspose2d(channels, channels // 2, 4, *((2, 1) if i else (1, 0)), bias=False)]
        channels //= 2
        layers += [nn.BatchNorm2d(channels), nn.ReLU(True)]
    layers += [nn.Conv2d(4, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.ReLU(True), nn.Conv2d(2, 1, 3, padding=1)]
    net, latent = nn.Sequential(*layers, nn.Sigmoid()), nn.Parameter(torch.randn(1, n, 1, 1))
    optimizer = torch.optim.Adam([latent, *net.parameters()], lr=1e-3, fused=True)
    place = torch.arange(window) - window // 2
    disc = ((place[:, None] ** 2 + place**2) <= 256).float().reshape(-1, 1)
    flat = lambda size, centre: (((place[:, None] + centre) % size) * size + (place + centre) % size).reshape(-1)
    source, target = flat(n, 20), flat(d, 20 if d == n else 0)
    union = torch.zeros(n * n).index_fill(0, flat(n, 0), 1.0).view(n, n)
    taps = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    taps = (taps / taps.sum()).tolist()

    def valid(x):
        y = sum(t * x[..., i : x.shape[-1] - 10 + i] for i, t in enumerate(taps))
        return sum(t * y[..., i : x.shape[-2] - 10 + i, :] for i, t in enumerate(taps))

    class Blur(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return valid(x)

        @staticmethod
        def backward(ctx, g):
            return valid(F.pad(g, (10, 10, 10, 10)))

    def loss(x, y):
        c1, c2 = (0.01 * y.max()) ** 2, (0.03 * y.max()) ** 2
        a, b, xx, yy, xy = Blur.apply(torch.stack((x, y, x * x, y * y, x * y)))
        s = (2 * a * b + c1) * (2 * (xy - a * b) + c2) / ((a * a + b * b + c1) * (xx - a * a + yy - b * b + c2))
        return 0.7 * (x - y).abs().mean() / y.mean() + 0.3 * (1 - s.mean()) / 2

    amplitude = lambda z: torch.sqrt(z.real**2 + z.imag**2 + 1e-12)
    new, old = torch.rand(d, d), torch.rand(n, n)

    def work():
        optimizer.zero_grad(set_to_none=True)
        spectrum = torch.fft.fft2(F.pad(net(latent)[0, 0], (256,) * 4), norm="ortho")
        light = torch.view_as_real(spectrum).reshape(-1, 2).index_select(0, source) * disc
        light = torch.zeros(d * d, 2).index_copy(0, target, light)
        seen = torch.fft.ifft2(torch.view_as_complex(light.view(d, d, 2)), norm="ortho") * (d / n)
        total = loss(amplitude(seen), new) + loss(amplitude(torch.fft.ifft2(spectrum * union, norm="ortho")), old)
        total.backward()
        optimizer.step()

    return work


# Name: how to prepare it, its settings, and the workload that chooses among them when this one takes too long.
WORKLOADS = {
    "conv3d 32ch 64^3 k3, forward": (conv3d(64, False), MEMORY, None),
    "conv3d 32ch 64^3 k3, forward+backward": (conv3d(64, True), MEMORY, None),
    "conv3d 32ch 32^3 k3, forward+backward": (conv3d(32, True), MEMORY, None),
    "conv2d 64ch 256^2 k3, forward": (conv2d(False), MEMORY, None),
    "conv2d 64ch 256^2 k3, forward+backward": (conv2d(True), MEMORY, None),
    "conv_transpose2d 64->32 64^2 k4 s2, forward": (up2d(False), MEMORY, None),
    "conv_transpose2d 64->32 64^2 k4 s2, forward+backward": (up2d(True), MEMORY, None),
    "conv_transpose3d 32->16 16^3 k2 s2, forward+backward": (up3d, MEMORY, None),
    "block conv3d+norm+activation 16ch 128x128x48 circular, forward+backward": (block_work, MODULE, None),
    "rfft2 1024^2, forward": (rfft2(False), ("contiguous",), None),
    "rfft2 1024^2, forward+backward": (rfft2(True), ("contiguous",), None),
    "sum+mean 8.4M": (sum_and_mean, ("contiguous",), None),
    "ssim 5 x 1024^2, forward+backward": (ssim, ("convolution", "shift_add"), None),
    "gram pairs 512 x 25 fields x 16, forward+backward": (gram, ("contiguous",), None),
    "mixture likelihood 9025 x 156 bands x 4, forward+backward": (mixture, ("contiguous",), None),
    "window likelihood 48 x 21^2 on 128^2, forward+backward": (windows, ("contiguous",), None),
    "projection and layout 4 x 48 x 128 x 128, forward": (projection, ("contiguous",), None),
    "copy 49152 x 128": (copy, ("contiguous",), None),
    "pca apply 49152 x 128, 7 modes": (pca_apply, ("dense", "thin"), None),
    "preprocess visibilities 1 x 48 x 128 x 512, noise, 7 modes": (preprocess, ("dense", "thin"), None),
    "load and preprocess 2 x 48 x 128 x 1024, 7 modes": (batch, ("contiguous",), None),
    "load, preprocess and step 1 x 48 x 128 x 512, v1": (files_training, MODULE, "v1 (1,2,64,64,24), training step"),
    "v1 (1,2,64,64,24), training step": (training(SMALL), MODULE, None),
    "v1 (1,2,64,64,24), inference": (inference(SMALL), MODULE, None),
    "v1 (4,2,128,128,48), training step": (training(LARGE), MODULE, "v1 (1,2,64,64,24), training step"),
    "v1 (4,2,128,128,48), inference": (inference(LARGE), MODULE, "v1 (1,2,64,64,24), inference"),
    "v2 (1,2,64,64,48), training step": (training(SECOND, NetV2), MODULE, "v1 (1,2,64,64,24), training step"),
    "v2 (1,2,64,64,48), inference": (inference(SECOND, NetV2), MODULE, "v1 (1,2,64,64,24), inference"),
    "prism step 1024/512 composite": (prism, ("full", "reduced"), None),
    "upsample3d 32ch 32x32x12 by 2, forward+backward": (upsample, MEMORY[:1], None),
}


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest(settings, name):
    """The setting in which a workload runs fastest; one that fails, as compilation does without a C++ compiler, is left out."""
    times = {}
    for setting in settings:
        with open(os.devnull) as nothing:
            run = subprocess.run(
                [sys.executable, "-c", SOURCE, name, str(THREADS), setting],
                stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )
        if run.returncode == 0:
            times[setting] = json.loads(run.stdout)["trial_s"]
    return min(times, key=times.get)


with open("/proc/self/cmdline") as file:  # this program came by -c
    SOURCE = file.read().split("\0")[2]
prepare, settings, chooser = WORKLOADS[NAME]
if SETTING:
    work = prepare(SETTING)
    timed(work), timed(work)
    print(json.dumps({"trial_s": min(timed(work) for _ in range(3))}))
    sys.exit()
setting = settings[0] if len(settings) == 1 else fastest(settings, chooser or NAME)
work = prepare(setting)
timed(work)
calls = max(1, min(10_000, round(ROUND_SECONDS / timed(work) + 0.5)))
print(json.dumps({"ready": True, "setting": setting}), flush=True)
for _ in sys.stdin:
    times = sorted(timed(work) * 1e3 for _ in range(calls))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"min_ms": times[0], "median_ms": times[len(times) // 2], "peak_mb": peak}), flush=True)
