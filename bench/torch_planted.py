"""Bugs planted into a torch function as gradcheck/planted.cpp plants them into a tape: the op
that takes the input is wrapped in a Function that asks it for its gradients and spoils one.
"""
import torch


def one_element(g, value):
    mask = torch.ones(g.numel(), dtype=g.dtype)
    mask[g.numel() // 2:g.numel() // 2 + 1] = value
    return mask.reshape(g.shape)


def transposed(g):
    for a in range(g.dim()):
        for b in range(a + 1, g.dim()):
            if g.size(a) == g.size(b) > 1:
                return g.transpose(a, b)
    return g


def shifted(g):
    if g.dim() == 0 or g.size(-1) < 2:
        return g
    return torch.cat([torch.zeros_like(g[..., :1]), g[..., :-1]], -1)


def border_dropped(g):
    if g.dim() < 2 or g.size(-1) < 3 or g.size(-2) < 3:
        return g
    mask = torch.zeros_like(g)
    mask[..., 1:-1, 1:-1] = 1
    return g * mask


def slice_dropped(g):
    if g.dim() < 2 or g.size(0) < 2:
        return g
    mask = torch.ones_like(g)
    mask[-1] = 0
    return g * mask


def mean_dropped(g):
    return g if g.dim() == 0 or g.size(-1) < 3 else g + g.mean(-1, keepdim=True)


def variance_dropped(g, x):
    if g.dim() == 0 or g.size(-1) < 4:
        return g
    deviation = x - x.mean(-1, keepdim=True)
    return g + deviation * (g * deviation).mean(-1, keepdim=True)


def of_the_diagonal(g, dy, pull):
    if g.shape != dy.shape or g.numel() > 64:
        return g
    total = g * 0
    for i in range(g.numel()):
        only = torch.zeros(g.numel(), dtype=g.dtype)
        only[i] = 1
        only = only.reshape(g.shape)
        total = total + pull(dy * only) * only
    return total


def as_if_row_major(dy):
    memory = torch.tensor(dy.storage(), dtype=dy.dtype)[dy.storage_offset():]
    return memory[torch.arange(dy.numel()) % len(memory)].reshape(dy.shape)


def history(g, factor):
    return g.detach() + (g - g.detach()) * factor


DAMAGES = {
    "scaled": lambda g: g * 1.0009,
    "sign_flipped": lambda g: -g,
    "zeroed": lambda g: g * 0,
    "element_zeroed": lambda g: g * one_element(g, 0),
    "element_off": lambda g: g * one_element(g, 1.0009),
    "not_finite": lambda g: g * one_element(g, float("nan")),
    "transposed": transposed,
    "flipped": lambda g: g.flip(list(range(max(0, g.dim() - 2), g.dim()))) if g.dim() else g,
    "shifted": shifted,
    "border_dropped": border_dropped,
    "slice_dropped": slice_dropped,
    "mean_dropped": mean_dropped,
    "random": lambda g: g * (torch.rand_like(g) + 0.5),
    "recorded_scaled": lambda g: g * 1.0009 if torch.is_grad_enabled() else g,
    "float32_scaled": lambda g: g * 1.5 if g.dtype == torch.float32 else g,
    "shape_lost": lambda g: g.unsqueeze(0),
    "disconnected": lambda g: None,
    "use_dropped": lambda g: None,
    "use_overwritten": lambda g: None,
    "history_cut": lambda g: g.detach(),
    "history_scaled": lambda g: history(g, 1.0009),
    "history_flipped": lambda g: history(g, -1),
}


def summed_axis(own, out):
    """The axis of `out` along which what is of shape `own` was repeated, or its gradient summed."""
    missing = len(out) - len(own)
    if out.numel() <= own.numel() or not out or missing < 0:
        return None
    padded = (1,) * missing + tuple(own)
    if all(a in (1, b) for a, b in zip(padded, out)):
        for axis, (a, b) in enumerate(zip(padded, out)):
            if a == 1 < b:
                return axis
    return 0 if out[0] > 1 else None


def of_one_slice(g, dy, pull):
    axis = summed_axis(g.shape, dy.shape)
    if axis is None:
        return g
    mask = torch.zeros_like(dy)
    mask.select(axis, 0).fill_(1)
    return pull(dy * mask)


class Spoiled(torch.autograd.Function):
    """An op whose gradient for one of its inputs is spoiled, differentiable again."""

    @staticmethod
    def forward(ctx, planted, op, slots, slot, *args):
        ctx.planted, ctx.op, ctx.slots, ctx.slot = planted, op, slots, slot
        ctx.save_for_backward(*args)
        return op(*args).clone()  # a view would be an output of the op inside

    @staticmethod
    def backward(ctx, dy):
        again = torch.is_grad_enabled()
        args = ctx.saved_tensors
        if ctx.planted.bug == "stale_value":
            args = ctx.planted.last_args
        wanted = [s for s, a in enumerate(args) if a.requires_grad]
        with torch.enable_grad():
            views = [a.view_as(a) for a in args]
            y = ctx.op(*views)

            def pull(incoming):
                found = torch.autograd.grad(y, [views[s] for s in wanted], incoming,
                                            create_graph=again, retain_graph=True)
                gradients = [None] * len(args)
                for s, g in zip(wanted, found):
                    gradients[s] = g
                return gradients

            return (None,) * 4 + tuple(ctx.planted.spoil(pull, dy, ctx.slots, ctx.slot, args))


class Planted:
    """`function` of the inputs with a bug, or with none (bug = None), in what takes one input.

    A case calls its ops as p(op, *tensors). The bug goes to the first op that takes the input, or,
    for use_dropped, to the last.
    """

    def __init__(self, function, index, bug):
        self.function, self.index, self.bug = function, index, bug
        self.uses = None  # how many ops take the input
        self.last_gradient = self.last_args = self.first_values = None
        self.most_wanted = 0  # inputs of the op that wanted a gradient
        self.hidden = torch.ones((), dtype=torch.float64, requires_grad=True)

    def __call__(self, *inputs):
        if self.uses is None:
            self.uses = self.run(inputs, target=None)[1]
        if self.bug == "parameter_hidden":
            return self.run(inputs, target=None)[0] * self.hidden
        if self.bug in ("use_dropped", "use_overwritten") and self.uses < 2:
            return self.run(inputs, target=None)[0]
        return self.run(inputs, target=self.uses - 1 if self.bug == "use_dropped" else 0)[0]

    def run(self, inputs, target):
        leaf, count = inputs[self.index], 0
        self.inputs = inputs

        def p(op, *args):
            nonlocal count
            slots = [s for s, a in enumerate(args) if a is leaf]
            count += bool(slots)
            if not slots or count - 1 != target:
                return op(*args)
            if torch.is_grad_enabled() and leaf.requires_grad:
                self.most_wanted = max(self.most_wanted, sum(a.requires_grad for a in args))
                if self.first_values is None:
                    self.first_values = leaf.detach().clone()
                self.last_args = [a.detach().clone().requires_grad_(a.requires_grad) for a in args]
            slot = slots[-1] if self.bug == "use_dropped" else slots[0]
            return Spoiled.apply(self, op, slots, slot, *args)

        return self.function(p, *inputs), count

    def at_the_output(self, dy, g, slot):
        """The gradient that the op has where its input is the function's output."""
        inputs = [a.detach() for a in self.inputs]
        y = self.run(inputs, target=None)[0].detach()
        if y.shape != inputs[self.index].shape:
            return g
        inputs[self.index] = y
        found = []

        def p(op, *args):
            if not found and any(a is y for a in args):
                args = [a.clone().requires_grad_() for a in args]
                with torch.enable_grad():
                    found.append(torch.autograd.grad(op(*args), args[slot], dy.detach())[0])
                return op(*[a.detach() for a in args])
            return op(*args)

        try:
            self.function(p, *inputs)
        except RuntimeError:
            return g
        fits = found and found[0].shape == g.shape and found[0].isfinite().all()
        return found[0] if fits else g

    def spoil(self, pull, dy, slots, slot, args):
        gradients = pull(dy)
        g = gradients[slot]
        x = args[slot].detach()
        if self.bug == "swapped":
            for s, other in enumerate(gradients):
                if s not in slots and other is not None and other.shape == g.shape:
                    gradients[s], gradients[slot] = g, other
                    break
        elif self.bug == "mean_for_sum":
            gradients[slot] = g * min(1, max(g.numel(), 1) / max(dy.numel(), 1))
        elif self.bug == "incoming_ignored":
            gradients[slot] = pull(torch.ones_like(dy.detach()))[slot]
        elif self.bug == "sum_dropped":
            gradients[slot] = of_one_slice(g, dy, lambda incoming: pull(incoming)[slot])
        elif self.bug == "stale_accumulation":
            before, self.last_gradient = self.last_gradient, g.detach().clone()
            gradients[slot] = g if before is None else g + before
        elif self.bug == "negative_dropped":
            gradients[slot] = g * (x >= 0)
        elif self.bug == "variance_dropped":
            gradients[slot] = variance_dropped(g, x)
        elif self.bug == "diagonal_kept":
            gradients[slot] = of_the_diagonal(g, dy, lambda incoming: pull(incoming)[slot])
        elif self.bug == "output_read":
            gradients[slot] = self.at_the_output(dy, g, slot)
        elif self.bug == "incoming_overwritten":
            dy.data.mul_(0.5)
        elif self.bug == "saved_overwritten":
            args[slot].data.mul_(1.5)
        elif self.bug == "clipped":
            gradients[slot] = pull(dy.clamp(-50, 50))[slot]
        elif self.bug == "layout_ignored":
            gradients[slot] = pull(as_if_row_major(dy.detach()))[slot]
        elif self.bug == "neighbour_needed":
            gradients[slot] = g * (sum(a.requires_grad for a in args) >= self.most_wanted)
        elif self.bug == "wrong_elsewhere":
            apart = (x - self.first_values).abs().max() if x.numel() else 0
            gradients[slot] = g * 1.1 if apart > 1e-3 * self.first_values.abs().max() else g
        elif self.bug in DAMAGES:
            gradients[slot] = DAMAGES[self.bug](g)
        return gradients


# ---- Has the bug an effect? ----

def second_order(function):
    """The gradients of `function` laid end to end, as a function of the inputs and of dy."""
    def gradients(*inputs):
        *xs, dy = inputs
        y = function(*xs)
        found = torch.autograd.grad(y, xs, dy, create_graph=True, allow_unused=True)
        return torch.cat([(torch.zeros_like(x) if g is None else g).flatten()
                          for x, g in zip(xs, found)])
    return gradients


def gradients(function, inputs, bug):
    if bug.startswith("history"):
        dy = torch.rand_like(function(*inputs), requires_grad=True)
        function, inputs = second_order(function), (*inputs, dy)
    found = None
    for _ in range(2 if bug == "stale_accumulation" else 1):
        y = function(*inputs)
        if bug == "stale_value":
            function(*((x.detach() * 0.96875).requires_grad_() for x in inputs))
        found = [None] * len(inputs)
        if y.requires_grad:
            weights = torch.rand_like(y) + 0.5
            found = torch.autograd.grad(y, inputs, weights, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found)]


# Broken promises behind a right gradient: that they have an effect is known from Gradus.
PROMISES = ("incoming_overwritten saved_overwritten clipped layout_ignored neighbour_needed "
            "recorded_scaled float32_scaled shape_lost wrong_elsewhere parameter_hidden").split()


def is_effective(function, inputs, index, bug):
    if bug in PROMISES:
        return True
    found = []
    for planted in (None, bug):
        torch.manual_seed(0)
        found.append(gradients(Planted(function, index, planted), inputs, bug))
    for right, wrong in zip(*found):
        size = torch.maximum(right.abs(), wrong.abs())
        if not ((right - wrong).abs() <= 10 * (1e-8 + 1e-6 * size)).all():
            return True
    return False
