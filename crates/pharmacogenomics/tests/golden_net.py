"""Writes golden_net.json: logits and gradients of small networks over fields by PyTorch, for pharmacogenomics/golden_net.rs.

python3 -m venv env && env/bin/pip install "torch==2.15.*" numpy && env/bin/python golden_net.py > golden_net.json
Weights of linear layers are [in, out]. The encoder layer is PyTorch's own, so that it checks that of Burn too.
"""
import json
import torch

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
FIELDS, NAMES, K, HIDDEN, OUTPUTS, ROWS, RANK = 4, 5, 4, 6, 5, 3, 2
SHARES, LEVELS, COUNTED, TARGETS = 3, 2, 4, [3, 2]  # of what is counted: TARGETS are the logits of each target
HEADS = 4  # the largest of 8, 4, 2, 1 that divides K
PAIRS = [(i, j) for i in range(FIELDS) for j in range(i + 1, FIELDS)]


def weights(shapes):
    # rounded to f32, so that both sides start from the same numbers
    return {name: (0.5 * torch.randn(*shape)).float().double().requires_grad_() for name, shape in shapes.items()}


def norm(x, w, name):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], w[name + ".gamma"], w[name + ".beta"], 1e-5)


def linear(x, w, name):
    y = x @ w[name + ".weight"]
    return y + w[name + ".bias"] if name + ".bias" in w else y


def encoder_layer(e, w, p, first):
    layer = torch.nn.TransformerEncoderLayer(K, HEADS, HIDDEN, 0.0, "gelu", batch_first=True, norm_first=first)
    # Burn calls the norm of attention norm_2 before and norm_1 after it
    one, two = ("norm_2", "norm_1") if first else ("norm_1", "norm_2")
    parameters = {
        "self_attn.in_proj_weight": torch.cat([w[f"{p}.mha.{n}.weight"].T for n in ("query", "key", "value")]),
        "self_attn.in_proj_bias": torch.cat([w[f"{p}.mha.{n}.bias"] for n in ("query", "key", "value")]),
        "self_attn.out_proj.weight": w[f"{p}.mha.output.weight"].T,
        "self_attn.out_proj.bias": w[f"{p}.mha.output.bias"],
        "linear1.weight": w[f"{p}.pwff.linear_inner.weight"].T, "linear1.bias": w[f"{p}.pwff.linear_inner.bias"],
        "linear2.weight": w[f"{p}.pwff.linear_outer.weight"].T, "linear2.bias": w[f"{p}.pwff.linear_outer.bias"],
        "norm1.weight": w[f"{p}.{one}.gamma"], "norm1.bias": w[f"{p}.{one}.beta"],
        "norm2.weight": w[f"{p}.{two}.gamma"], "norm2.bias": w[f"{p}.{two}.beta"],
    }
    return torch.func.functional_call(layer, parameters, (e,))


def counted(w, shares, seen):
    p = "counted"
    row = linear(seen, w, f"{p}.seen") + w[f"{p}.targets"]
    row = torch.cat([row[:, t : t + 1].expand(-1, outputs, -1) for t, outputs in enumerate(TARGETS)], 1)
    x = torch.nn.functional.gelu(norm(linear(shares, w, f"{p}.shares") + row, w, f"{p}.norm"))
    x = torch.nn.functional.gelu(linear(x, w, f"{p}.hidden"))
    return (linear(x, w, f"{p}.head") + linear(shares[..., :-1], w, f"{p}.trust"))[..., 0]


def forward(c, w, ids):
    e = w["embedding.weight"][ids]
    rows = e.shape[0]
    seen = e
    if c["class_token"]:
        seen = torch.cat([w["class_token"].expand(rows, 1, K), seen], 1)
    for layer in range(c["attention"]):
        seen = encoder_layer(seen, w, f"attention.layers.{layer}", c["norm_first"])
    if c["class_token"]:
        seen = seen[:, :1]
    h = seen.reshape(rows, -1)
    for layer in range(c["layers"]):
        h = torch.nn.functional.gelu(norm(linear(h, w, f"tower.{layer}.linear"), w, f"tower.{layer}.norm"))
    parts = [h]
    kind = c["interaction"]
    if kind == "pairs":
        parts.append(torch.stack([(e[:, i] * e[:, j]).sum(-1) for i, j in PAIRS], 1))
    elif kind == "matrices":
        parts.append(torch.stack([((e[:, i] @ w["matrices"][p]) * e[:, j]).sum(-1) for p, (i, j) in enumerate(PAIRS)], 1))
    elif kind in ("bi", "scalar"):
        bi = 0.5 * (e.sum(1) ** 2 - (e ** 2).sum(1))
        parts.append(bi if kind == "bi" else bi.sum(1, keepdim=True))
    x = e
    for layer in range(c["interacting"]):
        p = f"interacting.{layer}"
        split = lambda t: t.reshape(rows, FIELDS, HEADS, K // HEADS).transpose(1, 2)
        q, k, v = (split(linear(x, w, f"{p}.{n}")) for n in ("query", "key", "value"))
        mixed = (torch.softmax(q @ k.transpose(2, 3), -1) @ v).transpose(1, 2).reshape(rows, FIELDS, K)
        x = torch.relu(mixed + linear(x, w, f"{p}.residual"))
    if c["interacting"]:
        parts.append(x.reshape(rows, -1))
    if c["cross"]:
        start = x = e.reshape(rows, -1)
        for layer in range(c["cross"]):
            x = start * linear(linear(x, w, f"cross.{layer}.down"), w, f"cross.{layer}.up") + x
        parts.append(x)
    logits = linear(torch.cat(parts, 1), w, "head")
    if c["first_order"]:
        logits = logits + w["first_order.weight"][ids].sum(1)
    return logits


def shapes_counted():
    p, h = "counted", COUNTED
    return {f"{p}.shares.weight": (SHARES + 1, h), f"{p}.shares.bias": (h,), f"{p}.seen.weight": (2 * LEVELS, h),
            f"{p}.targets": (1, len(TARGETS), h), f"{p}.norm.gamma": (h,), f"{p}.norm.beta": (h,),
            f"{p}.hidden.weight": (h, h), f"{p}.hidden.bias": (h,), f"{p}.head.weight": (h, 1),
            f"{p}.trust.weight": (SHARES, 1)}


def shapes(c):
    flat, s = FIELDS * K, {"embedding.weight": (FIELDS * NAMES, K)}
    if c["first_order"]:
        s["first_order.weight"] = (FIELDS * NAMES, OUTPUTS)
    for layer in range(c["attention"]):
        p = f"attention.layers.{layer}"
        for n in ("query", "key", "value", "output"):
            s[f"{p}.mha.{n}.weight"], s[f"{p}.mha.{n}.bias"] = (K, K), (K,)
        s[f"{p}.pwff.linear_inner.weight"], s[f"{p}.pwff.linear_inner.bias"] = (K, HIDDEN), (HIDDEN,)
        s[f"{p}.pwff.linear_outer.weight"], s[f"{p}.pwff.linear_outer.bias"] = (HIDDEN, K), (K,)
        for n in ("norm_1", "norm_2"):
            s[f"{p}.{n}.gamma"], s[f"{p}.{n}.beta"] = (K,), (K,)
    if c["class_token"]:
        s["class_token"] = (1, 1, K)
    if c["interaction"] == "matrices":
        s["matrices"] = (len(PAIRS), K, K)
    for layer in range(c["interacting"]):
        for n in ("query", "key", "value", "residual"):
            s[f"interacting.{layer}.{n}.weight"] = (K, K)
    for layer in range(c["cross"]):
        s[f"cross.{layer}.down.weight"] = (flat, RANK)
        s[f"cross.{layer}.up.weight"], s[f"cross.{layer}.up.bias"] = (RANK, flat), (flat,)
    width = K if c["class_token"] else flat
    for layer in range(c["layers"]):
        s[f"tower.{layer}.linear.weight"], s[f"tower.{layer}.linear.bias"] = (width, HIDDEN), (HIDDEN,)
        s[f"tower.{layer}.norm.gamma"], s[f"tower.{layer}.norm.beta"] = (HIDDEN,), (HIDDEN,)
        width = HIDDEN
    width += {"pairs": len(PAIRS), "matrices": len(PAIRS), "bi": K, "scalar": 1, "none": 0}[c["interaction"]]
    width += flat * bool(c["interacting"]) + flat * bool(c["cross"])
    s["head.weight"], s["head.bias"] = (width, OUTPUTS), (OUTPUTS,)
    return s


def case(told=False, fields=True, **change):
    c = dict(embedding=K, hidden=HIDDEN, layers=2, dropout=0.0, interaction="pairs", first_order=True, attention=0,
             norm_first=True, class_token=False, interacting=0, cross=0, cross_rank=RANK) | change
    w = weights((shapes(c) if fields else {}) | (shapes_counted() if told else {}))
    c = {k: v for k, v in c.items() if fields} | (dict(reads="both" if fields else "counts", counted=COUNTED,
                                                       counted_dropout=0.0) if told else {})
    ids = torch.randint(0, NAMES, (ROWS, FIELDS)) + NAMES * torch.arange(FIELDS)
    aim = torch.randn(ROWS, OUTPUTS).float().double()
    logits = forward(c, w, ids) if fields else 0.0
    about = {}
    if told:
        shares, seen = torch.randn(ROWS, OUTPUTS, SHARES + 1), torch.randn(ROWS, len(TARGETS), 2 * LEVELS)
        shares, seen = shares.float().double(), seen.float().double()
        logits = logits + counted(w, shares, seen)
        about = {"shares": shares.reshape(-1).tolist(), "seen": seen.reshape(-1).tolist()}
    (logits * aim).sum().backward()
    flat = lambda t: t.detach().reshape(-1).tolist()
    return about | {"config": c, "ids": ids.tolist(), "aim": flat(aim), "logits": flat(logits),
            "weights": {n: {"shape": list(t.shape), "values": flat(t)} for n, t in w.items()},
            "gradients": {n: flat(t.grad) for n, t in w.items()}}


print(json.dumps({
    "torch": torch.__version__, "names": NAMES, "fields": FIELDS, "outputs": OUTPUTS,
    "shares": SHARES, "levels": LEVELS, "targets": TARGETS,
    "cases": {
        "the first model of the brief": case(first_order=False),
        "its third, with attention": case(first_order=False, attention=1, norm_first=False),
        "DeepFM": case(interaction="scalar"),
        "bi-interaction": case(interaction="bi", layers=1),
        "field-matrixed": case(interaction="matrices", layers=1),
        "DCNv2": case(interaction="none", cross=2),
        "AutoInt": case(interaction="none", interacting=2, layers=1),
        "FT-Transformer": case(interaction="none", attention=2, class_token=True, layers=1),
        "counts alone": case(told=True, fields=False),
        "names and counts": case(told=True, layers=1),
    },
}))
