"""The samples of Gradus' ops and layers as functions of torch: the same shapes, options and numbers
(Philox is portable, so the samples' seeds serve here too; only layers draw their numbers anew).

A case calls an op that takes an input as p(op, *tensors): that is where a bug can be planted. What
Gradus composes is composed alike, for the bug goes to the op that takes the input: in linear, to
the transposition of the weight, not to the product.
"""
import math

import torch
import torch.nn.functional as F


# ---- Inputs ----

class Random:
    """Gradus' generator: Philox 4x32-10."""

    def __init__(self, seed):
        self.seed, self.position = seed, 0

    def next(self):
        block, half = divmod(self.position, 2)
        self.position += 1
        counter, key = [block, 0, 0, 0], [self.seed, 0]
        for _ in range(10):
            a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
            counter = [b >> 32 ^ counter[1] ^ key[0], b % 2**32,
                       a >> 32 ^ counter[3] ^ key[1], a % 2**32]
            key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
        return counter[2 * half] | counter[2 * half + 1] << 32

    def uniform(self):
        return (self.next() >> 11) * 2.0**-53

    def normal(self):
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())

    def below(self, bound):
        bits = self.next()
        while bits >= 2**64 - 1 - (2**64 - 1) % bound:
            bits = self.next()
        return bits % bound

    def tensor(self, draw, shape):
        return at([draw() for _ in range(math.prod(shape))]).reshape(shape)


def at(values):
    return torch.tensor(values, dtype=torch.float64)


def spread(shape, seed, low=-2.0, high=2.0):
    random, count = Random(seed), math.prod(shape)
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = random.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return at([(o + 0.37) * ((high - low) / max(count, 1)) + low for o in order]).reshape(shape)


def randn(shape, seed):
    random = Random(seed)
    return random.tensor(random.normal, shape)


# ---- Samples ----

CASES = {}  # (subject, sample) -> (function(p, *inputs), inputs, names of the inputs)
POSITIVE = (0.5, 2.0)


def add(subject, sample, function, *inputs, names=None):
    CASES[subject, sample] = (function, inputs, names or [f"input {i}" for i in range(len(inputs))])


def op(f):
    return lambda p, *inputs: p(f, *inputs)


def adjoint(f, shape):
    """(dy, *rest) -> the gradient of f(x, *rest), dy coming in, with respect to x, of `shape`."""
    def apply(dy, *rest):
        with torch.enable_grad():
            x = torch.zeros(shape, dtype=dy.dtype, requires_grad=True)
            return torch.autograd.grad(f(x, *rest), x, dy, create_graph=True)[0]
    return op(apply)


def unary(subject, function, limits=()):
    for sample, shape, seed in (("all sizes different", (3, 4, 5), 1), ("a square", (4, 4), 2),
                                ("a scalar", (), 3)):
        add(subject, sample, function, spread(shape, seed, *limits))


def binary(subject, f, a=(), b=()):
    for sample, left, right, seed in (("all sizes different", (3, 4, 5), (3, 4, 5), 1),
                                      ("squares", (4, 4), (4, 4), 3), ("a row", (3, 4), (4,), 5),
                                      ("a column", (4, 1), (4, 4), 7),
                                      ("both broadcast", (3, 1, 4), (5, 1), 9)):
        add(subject, sample, op(f), spread(left, seed, *a), spread(right, seed + 1, *b))


def arithmetic():
    binary("add", torch.add)
    binary("sub", torch.sub)
    binary("mul", torch.mul)
    binary("div", torch.div, (), POSITIVE)
    binary("pow", torch.pow, POSITIVE, POSITIVE)
    binary("maximum", torch.maximum, (), (-1.8, 2.3))
    binary("minimum", torch.minimum, (), (-1.8, 2.3))
    binary("where", lambda a, b: torch.where(
        spread(torch.broadcast_shapes(a.shape, b.shape), 1) > 0, a, b))
    unary("shift", op(lambda x: x + 1.5))
    unary("scale", op(lambda x: x * -1.5))
    unary("div_scalar", op(lambda x: x / -1.5))
    unary("scalar_div", op(lambda x: 2.0 / x), POSITIVE)
    unary("neg", op(torch.neg))
    unary("pow_scalar", op(lambda x: x ** 3))
    unary("clamp", op(lambda x: x.clamp(-1, 1)))


def dropped(shape, seed, rate):
    random = Random(seed)
    return (random.tensor(random.uniform, shape) >= rate) / (1 - rate)


def activations():
    unary("exp", op(torch.exp))
    unary("log", op(torch.log), POSITIVE)
    unary("sqrt", op(torch.sqrt), POSITIVE)
    for name in ("abs", "tanh", "sigmoid", "relu"):
        unary(name, op(getattr(torch, name)))
    unary("relu_grad", op(lambda dy: torch.where(spread(dy.shape, 5) > 0, dy, at(0))))
    unary("dropout", lambda p, x: p(torch.mul, x, dropped(x.shape, 7, 0.5)))


def over(f, dims, keepdim):
    return op(lambda x: f(x, dims, keepdim))


def variance(p, x):
    return (p(torch.sub, x, p(lambda x: x.mean((0, 1, 2), True), x)) ** 2).sum() * (1 / x.numel())


def reductions():
    for sample, shape, seed, dims, keep in (("everything", (3, 4, 5), 1, (0, 1, 2), False),
                                            ("the first, kept", (3, 4, 5), 4, (0,), True),
                                            ("two of three, kept, sizes equal", (4, 3, 4), 6,
                                             (-1, 1), True), ("a scalar", (), 8, (), False)):
        x = spread(shape, seed)
        for name, f in (("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax),
                        ("logsumexp", torch.logsumexp)):
            add(name, sample, over(f, dims, keep), x)
        add("min", sample, lambda p, x, d=dims, k=keep: -torch.amax(p(torch.neg, x), d, k), x)
    add("var", "everything", variance, spread((3, 4, 5), 1))
    for name in ("softmax", "log_softmax"):
        f = getattr(torch, name)
        add(name, "the middle", op(lambda x, f=f: f(x, -2)), spread((3, 4, 5), 3))
        add(name, "columns of a square", op(lambda x, f=f: f(x, 0)), spread((4, 4), 2))
    add("sum_to", "to the middle", op(lambda x: x.sum_to_size(4, 1)), spread((3, 4, 5), 3))
    add("sum_to", "to both ends", op(lambda x: x.sum_to_size(4, 1, 4)), spread((4, 3, 4), 4))


def scatter_into(shape, dim, index):
    return op(lambda x: torch.zeros(shape, dtype=x.dtype).scatter_add(
        dim, index.expand(x.shape), x))


def shapes():
    add("reshape", "flat", op(lambda x: x.reshape(-1)), spread((3, 4, 5), 1))
    add("reshape", "deeper", op(lambda x: x.reshape(2, 2, 4, 1)), spread((4, 4), 2))
    add("permute", "a cycle of four", op(lambda x: x.permute(1, 3, 0, 2)), spread((2, 3, 4, 5), 2))
    add("permute", "from the end", op(lambda x: x.permute(-1, 0, -2)), spread((3, 4, 3), 5))
    add("expand", "the middle", op(lambda x: x.expand(3, 5, 4)), spread((3, 1, 4), 3))
    add("expand", "to itself", op(lambda x: x.expand(3, 4)), spread((3, 4), 6))
    for sample, x, shape, *where in (("the middle", spread((3, 4, 5), 2), (3, 6, 5), 1, 1, 5, 1),
                                     ("rows of a square", spread((4, 4), 3), (8, 4), 0, 0, 8, 2)):
        add("slice_scatter", sample, op(lambda x, s=shape, w=where: torch.slice_scatter(
            torch.zeros(s, dtype=x.dtype), x, *w)), x)
    add("slice", "every other of the middle", op(lambda x: x[:, 1:6:2]), spread((3, 7, 4), 2))
    add("slice", "from the end", op(lambda x: x[:, -3:-1]), spread((4, 4), 4))
    cat = lambda dim: op(lambda *parts: torch.cat(parts, dim))
    add("cat", "rows", cat(0), spread((3, 4), 1), spread((5, 4), 2))
    add("cat", "the middle", cat(1), spread((3, 4, 5), 3), spread((3, 2, 5), 4))
    add("cat", "squares", cat(1), spread((3, 3), 5), spread((3, 3), 6))
    add("cat", "columns, three parts", cat(-1), spread((2, 1), 7), spread((2, 0), 8),
        spread((2, 2), 9))
    stack = lambda dim: lambda p, *parts: torch.cat(
        [p(lambda x: x.unsqueeze(dim), x) for x in parts], dim)
    add("stack", "between", stack(1), spread((3, 4, 5), 3), spread((3, 4, 5), 4))
    add("stack", "behind squares", stack(-1), *(spread((3, 3), seed) for seed in (5, 6, 7)))


def indices():
    rows, others = torch.tensor([2, 0, 2]), torch.tensor([1, 1, 3])
    index = torch.tensor([[2, 0, 1, 1], [1, 1, 0, 2], [0, 2, 2, 2]])
    add("index_select", "the middle", op(lambda x: x.index_select(1, rows)), spread((4, 3, 5), 2))
    add("index_select", "columns of a square", op(lambda x: x.index_select(-1, rows)),
        spread((3, 3), 3))
    for sample, x, shape in (("the middle", spread((4, 3, 5), 2), (4, 6, 5)),
                             ("columns of a square", spread((3, 3), 3), (3, 4))):
        add("index_add", sample, op(lambda x, s=shape: torch.zeros(s, dtype=x.dtype).index_add(
            1, others, x)), x)
    add("gather", "the middle",
        op(lambda x: x.gather(1, index.unsqueeze(1))), spread((3, 5, 4), 5))
    add("gather", "of a square", op(lambda x: x.gather(0, index)), spread((4, 4), 4))
    add("gather", "a vector", op(lambda x: x.gather(0, index[0])), spread((3,), 6))
    add("scatter_add", "columns, some twice", scatter_into((3, 5), 1, index), spread((3, 4), 1))
    add("scatter_add", "a square", scatter_into((3, 3), 1, index[:, 1:]), spread((3, 3), 5))


def linear(p, x, w, b=None):
    y = p(torch.matmul, x, p(torch.t, w))
    return y if b is None else p(torch.add, y, b)


def convolution(**options):
    return lambda x, w, *b: F.conv2d(x, w, *b, **options)


def products():
    for sample, a, b, seed in (("batches", (3, 4, 5), (3, 5, 2), 5),
                               ("batches of squares", (3, 3, 3), (3, 3, 3), 7),
                               ("both batches broadcast", (2, 1, 3, 4), (3, 4, 2), 9),
                               ("a matrix against a batch", (3, 4), (2, 4, 5), 11)):
        add("matmul", sample, op(torch.matmul), spread(a, seed), spread(b, seed + 1))
    add("linear", "with bias", linear, spread((3, 4), 1), spread((5, 4), 2), spread((5,), 3))
    add("linear", "without bias", linear, spread((2, 3, 4), 4), spread((5, 4), 5))
    add("linear", "all sizes equal", linear, spread((4, 4), 6), spread((4, 4), 7), spread((4,), 8))
    every = convolution(stride=(1, 2), padding=(2, 1), dilation=(2, 3), groups=2)
    plain, padded = convolution(), convolution(padding=1)
    add("conv2d", "all sizes different", op(plain), spread((3, 2, 6, 4), 4),
        spread((5, 2, 4, 3), 5))
    add("conv2d", "all sizes equal", op(padded), spread((3,) * 4, 6), spread((3,) * 4, 7))
    add("conv2d", "groups", op(convolution(padding=1, groups=2)), spread((2, 4, 4, 4), 19),
        spread((6, 2, 3, 3), 20), spread((6,), 21))
    add("conv2d", "every option at once", op(every), spread((2, 4, 6, 4), 27),
        spread((4, 2, 3, 2), 28), spread((4,), 29))
    turned = lambda f: lambda w, x: f(x, w)
    for sample, f, x, w, dy, seed in (
            ("all sizes different", plain, (3, 2, 6, 4), (5, 2, 4, 3), (3, 5, 3, 2), 3),
            ("all sizes equal", padded, (3,) * 4, (3,) * 4, (3,) * 4, 5)):
        add("conv2d_input_grad", sample, adjoint(f, x), spread(dy, seed), spread(w, seed + 1))
        add("conv2d_weight_grad", sample, adjoint(turned(f), w), spread(dy, seed),
            spread(x, seed + 1))


UNEVEN = dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0))
UNCOUNTED = dict(kernel_size=(2, 3), stride=1, padding=1, count_include_pad=False)


def chosen(shape, **options):
    return F.max_pool2d(spread(shape, 9), return_indices=True, **options)[1].flatten(2)


def scattered(dy, index, shape):
    flat = torch.zeros(*shape[:2], shape[2] * shape[3], dtype=dy.dtype)
    return flat.scatter_add(2, index, dy.flatten(2)).reshape(shape)


def pools():
    big, small = (2, 3, 6, 5), (2, 2, 4, 4)
    average = lambda **options: lambda x: F.avg_pool2d(x, **options)
    adaptive = lambda *size: lambda x: F.adaptive_avg_pool2d(x, size)
    for sample, shape, seed, options in (("2x2", small, 1, dict(kernel_size=2)),
                                         ("all sizes different", big, 2, UNEVEN)):
        x, index = spread(shape, seed), chosen(shape, **options)
        out = F.max_pool2d(x, **options).shape
        add("max_pool2d", sample, op(lambda x, o=options: F.max_pool2d(x, **o)), x)
        add("max_pool2d_gather", sample, op(
            lambda x, i=index, s=out: x.flatten(2).gather(2, i).reshape(s)), x)
        add("max_pool2d_scatter", sample, op(
            lambda dy, i=index, s=shape: scattered(dy, i, s)), spread(out, seed))
        add("avg_pool2d", sample, op(average(**options)), x)
        add("avg_pool2d_grad", sample, adjoint(average(**options), shape), spread(out, seed))
    add("avg_pool2d", "padding not counted", op(average(**UNCOUNTED)), spread((1, 2, 4, 5), 4))
    add("adaptive_avg_pool2d", "to one pixel", op(adaptive(1, 1)), spread((2, 3, 4, 3), 1))
    add("adaptive_avg_pool2d", "uneven bins", op(adaptive(3, 2)), spread((1, 3, 5, 7), 2))
    add("adaptive_avg_pool2d", "enlarging", op(adaptive(4, 4)), spread((1, 1, 2, 3), 4))
    add("adaptive_avg_pool2d_grad", "a square", adjoint(adaptive(2, 4), small),
        spread((2, 2, 2, 4), 3))
    add("adaptive_avg_pool2d_grad", "enlarging", adjoint(adaptive(4, 4), (1, 1, 2, 3)),
        spread((1, 1, 4, 4), 4))


def normalise(eps):
    return lambda x, w=None, b=None: F.batch_norm(x, None, None, w, b, True, 0.1, eps)


def norms_and_losses():
    add("batch_norm", "images", op(normalise(0.1)), spread((3, 2, 2, 4), 1),
        spread((2,), 2, *POSITIVE), spread((2,), 3))
    add("batch_norm", "sequences", op(normalise(0.1)), spread((3, 4, 5), 4),
        spread((4,), 5, *POSITIVE), spread((4,), 6))
    pixels = torch.tensor([[1, 0, 3, 3, 2], [2, 2, 0, 1, 3], [0, 3, 1, 1, 2]])
    labels = torch.tensor([2, 0, 3, 2])
    for sample, x, t in (("a label a pixel", spread((3, 4, 5), 5), pixels.unsqueeze(1)),
                         ("a square", spread((4, 4), 4), labels.unsqueeze(1))):
        add("cross_entropy", sample,
            lambda p, x, t=t: -p(lambda x: x.log_softmax(1), x).gather(1, t).mean(), x)
        add("nll_loss", sample, lambda p, x, t=t: -p(lambda x: x.gather(1, t), x).mean(), x)
    add("mse_loss", "mean", lambda p, x, t: (p(torch.sub, x, t) ** 2).mean(),
        spread((3, 4, 5), 1), spread((3, 4, 5), 2))
    add("mse_loss", "none", lambda p, x, t: p(torch.sub, x, t) ** 2, spread((4, 4), 5),
        spread((4, 4), 6))


def layer(name, sample, function, *shapes):
    names = ["x", "weight", "bias"] if len(shapes) < 4 else [
        "x", "0.weight", "0.bias", "2.weight", "2.bias"]
    kinks = name in ("ReLU", "MaxPool2d")
    inputs = [(spread if kinks else randn)(shape, seed) for seed, shape in enumerate(shapes, 20)]
    add(name, sample, function, *inputs, names=names)


def layers():
    layer("Linear", "[5,3] -> [5,4]", linear, (5, 3), (4, 3), (4,))
    layer("Linear", "[2,2,3] -> [2,2,4]", linear, (2, 2, 3), (4, 3), (4,))
    layer("Conv2d", "3x3, padding 1", op(convolution(padding=1)), (2, 2, 4, 5), (3, 2, 3, 3), (3,))
    layer("Conv2d", "3x2, strides, paddings and dilations that differ",
          op(convolution(stride=(2, 1), padding=(2, 0), dilation=(1, 2))), (2, 2, 5, 6),
          (2, 2, 3, 2), (2,))
    layer("ReLU", "away from 0", op(torch.relu), (3, 4))
    layer("Tanh", "normal", op(torch.tanh), (3, 4))
    layer("Sigmoid", "normal", op(torch.sigmoid), (3, 4))
    layer("MaxPool2d", "2x2", op(lambda x: F.max_pool2d(x, 2)), (2, 2, 4, 4))
    layer("MaxPool2d", "dilated", op(lambda x: F.max_pool2d(x, 2, 1, dilation=2)), (1, 1, 5, 4))
    layer("AvgPool2d", "2x2", op(lambda x: F.avg_pool2d(x, 2)), (2, 2, 4, 4))
    layer("AvgPool2d", "3x2, padding not counted", op(lambda x: F.avg_pool2d(
        x, (3, 2), 1, 1, count_include_pad=False)), (1, 1, 4, 4))
    for sample, shape, size in (("global", (2, 2, 3, 4), 1),
                                ("windows that overlap", (1, 2, 5, 5), (3, 2)),
                                ("more windows than pixels", (1, 1, 2, 3), 4)):
        layer("AdaptiveAvgPool2d", sample,
              op(lambda x, size=size: F.adaptive_avg_pool2d(x, size)), shape)
    layer("BatchNorm2d", "training", op(normalise(1e-5)), (3, 2, 2, 2), (2,), (2,))
    layer("BatchNorm2d", "training, not affine", op(normalise(1e-5)), (2, 2, 2, 3))
    layer("Dropout", "training", lambda p, x: p(torch.mul, x, dropped(x.shape, 11, 0.4)), (4, 5))
    layer("Flatten", "all but the batch", op(lambda x: x.flatten(1)), (2, 3, 2, 2))
    layer("Identity", "any", lambda p, x: x, (2, 3))
    layer("Sequential", "linear, tanh, linear", lambda p, x, w, b, u, c: linear(
        p, torch.tanh(linear(p, x, w, b)), u, c), (5, 3), (4, 3), (4,), (2, 4), (2,))


for fill in (arithmetic, activations, reductions, shapes, indices, products, pools,
             norms_and_losses, layers):
    fill()
