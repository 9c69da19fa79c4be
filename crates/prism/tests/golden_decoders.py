"""Golden numbers of prism_decoder.rs: decoders in PyTorch, with weights that are a formula."""
import math, torch, torch.nn as nn
torch.set_default_dtype(torch.float64)
def fill(m, params):
    k = 0
    for p in params:
        n = p.numel(); fan = max(1, n // p.shape[0])
        i = torch.arange(n, dtype=torch.float64) + 1000.0 * k
        v = torch.sin(i * 0.7 + 0.3 * torch.cos(1.3 * i))
        with torch.no_grad():
            if p.dim() == 4 and p.shape[0] == 1 and p.shape[2] == 1 and m == "latent" : pass
            p.copy_((v if p.dim() > 1 else 0.1 * v + (1.0 if getattr(p, "is_gamma", False) else 0.0)).reshape(p.shape))
        k += 1
N, M = 16, 8
L = [nn.ConvTranspose2d(16, 8, 4, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
     nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
     nn.Conv2d(4, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.ReLU(),
     nn.Conv2d(2, 1, 3, padding=1), nn.Sigmoid()]
net = nn.Sequential(*L); z = nn.Parameter(torch.zeros(1, 16, 1, 1))
for l in L:
    if isinstance(l, nn.BatchNorm2d): l.weight.is_gamma = True
ps = [z] + [p for l in L for p in l.parameters()]
fill("", ps)
y = net(z)[0, 0]
t = torch.arange(64, dtype=torch.float64).reshape(8, 8) / 64
loss = ((y - t) ** 2).mean()
loss.backward()
print("y", [round(v, 7) for v in y.flatten()[[0, 1, 9, 27, 35, 56, 63]].tolist()], "loss", loss.item())
for p in ps: print(tuple(p.shape), "%.6e" % p.grad.norm().item(), "%.6e" % p.grad.flatten()[-1].item())
