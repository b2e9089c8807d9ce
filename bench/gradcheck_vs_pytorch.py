#!/usr/bin/env python3
"""Plants the bugs of `gradus gradcheck --self-test` into PyTorch too, and asks its gradcheck.

Each row of the self-test names an op or layer, a sample, an input and a bug. torch_cases.py holds
the same function of the same inputs, torch_planted.py the same damages. Both checkers run at their
defaults; gradcheck answers for bugs of the first order, gradgradcheck for those of the second. A
bug that changes no gradient of the torch function is left out, as in Gradus.

usage: gradcheck_vs_pytorch.py PROGRAM [--out FILE]     PROGRAM is the built gradus
"""
import argparse
import json
import math
import pathlib
import subprocess
import textwrap
import warnings
from collections import Counter

import torch
import torch.nn.functional as F

from torch_cases import CASES
from torch_planted import PROMISES, Planted, is_effective


def used_twice(function):
    def twice(p, *inputs):
        half = p(lambda y: y * 0.5, function(p, *inputs))
        return p(torch.add, function(p, *inputs), half)
    return twice


def case_of(row):
    """The torch counterpart of a row of the self-test: function, inputs, index; or None."""
    sample, comma, _ = row["sample"].partition(", used twice")
    if (row["subject"], sample) not in CASES:
        return None
    function, inputs, names = CASES[row["subject"], sample]
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    index = names.index(row["input"])
    shape = "[" + ",".join(map(str, inputs[index].shape)) + "]"
    if shape != row["shape"]:
        raise SystemExit(f"{place(row)}: here the input is {shape}")
    return used_twice(function) if comma else function, inputs, index


# ---- Right functions that are hard ----

TIES = [[[[1, 1, 0.5, 2], [1, 1, 2, 2], [-1, 3, 3, 0], [3, 3, 0, 0]]]]
THREE = [0.30031, -1.70017, 0.90042]


class Stairs(torch.autograd.Function):
    """Level nearly everywhere, so the slope is 0."""

    @staticmethod
    def forward(ctx, x, per_unit):
        return torch.floor(x * per_unit) / per_unit

    @staticmethod
    def backward(ctx, dy):
        return dy * 0, None


class Logit(torch.autograd.Function):
    """ln(x/(1-x)), which knows nothing outside of 0 to 1."""

    @staticmethod
    def forward(ctx, x):
        if x.min() <= 0 or x.max() >= 1:
            raise ValueError("logit: wants probabilities")
        ctx.save_for_backward(x)
        return torch.log(x / (1 - x))

    @staticmethod
    def backward(ctx, dy):
        x, = ctx.saved_tensors
        return dy / (x * (1 - x))


def straight_through(value, stand_in):
    return stand_in + (value - stand_in).detach()


def zigzag(apart, count):
    return lambda x: sum((x - k * apart).abs() * (1 if k % 2 == 0 else -1) for k in range(count))


def hard_functions():
    """(name, function, inputs, orders): hard_functions() in gradcheck/samples/hard.cpp."""
    yield from [
        ("relu at 0", torch.relu, [[0, 1, -1, 0]], 2),
        ("abs at 0", torch.abs, [[0, 2, -3]], 1),
        ("relu a hair from 0", torch.relu, [[1e-9, -1e-9, 1e-6, -1e-6, 1e-4]], 2),
        ("abs a hair from 0", torch.abs, [[1e-9, -1e-9, 1e-6, -1e-6, 1e-4]], 1),
        ("relu of a sum that is 0", lambda a, b: torch.relu(a + b), [[1, -2], [-1, 2]], 1),
        ("max with ties", lambda x: x.amax(-1), [[[1, 1, 0], [2, 2, 2]]], 1),
        ("maximum of equals", torch.maximum, [[1, 2, 3], [1, 2, 4]], 1),
        ("max_pool2d with ties", lambda x: F.max_pool2d(x, 2), [TIES], 1),
        ("max_pool2d with ties in windows that overlap", lambda x: F.max_pool2d(x, 2, 1), [TIES],
         1),
        ("clamp at its bounds", lambda x: x.clamp(-1, 1), [[-1, 1, 0]], 1),
        ("clamp a hair within its bounds", lambda x: x.clamp(-1, 1),
         [[-1 + 1e-7, 1 - 1e-9, 0]], 2),
        ("a kink under a smooth function", lambda x: torch.exp(torch.relu(x) * 2), [[0, 0.5]], 1),
        ("|x|^1.5 at 0", lambda x: x.abs() ** 1.5, [[0, 1]], 1),
        ("kinks in a row, 1e-3 apart", zigzag(1e-3, 8), [[0.00051, 0.0033, 0.1]], 1),
        ("kinks in a row, 1e-5 apart", zigzag(1e-5, 8), [[0.0000051, 0.000033, 0.1]], 1),
        ("kinks in a row, on one of them", zigzag(1e-3, 8), [[0.002, 0.005]], 1),
        ("abs of abs of abs", lambda x: ((x.abs() - 1).abs() - 0.5).abs(),
         [[0.7, -0.2, 1.6, 2.1]], 1),
        ("a hinge loss near its margin", lambda x: torch.relu(1 - x).mean(),
         [[0.999999, 1.000001, 3, -2]], 1),
        ("the greatest of nearly equals", lambda x: x.amax(-1),
         [[[1, 1 + 1e-7, 1 - 1e-7], [-2, -2 - 1e-9, -3]]], 1)]
    for power in (0, 3, 6, 9, 12):
        omega = 2 * math.pi * 2.0**power
        yield (f"sin(2π·2^{power}·x)", lambda x, omega=omega: torch.sin(x * omega),
               [[0.1, 0.75, -0.3]], 2 if power <= 6 else 1)
    yield from [
        ("x + a small fast wave", lambda x: x + torch.sin(x * 5000) * 1e-3, [[0.3, 1.1]], 1),
        ("a wave of 1000 on top of 1e4·x", lambda x: x * 1e4 + torch.sin(x * 1000), [[0.3, 1.1]],
         1),
        ("sin(1/x)", lambda x: torch.sin(1 / x), [[0.05, -0.02, 0.5]], 2),
        ("a triangular wave", lambda x: torch.sin(x * 40).abs(), [[0.31, 1.13, -0.45]], 1)]
    for n in (1.0, 8.0, 128.0, 1000.0):
        name = f"{int(n)} stairs for each 1"
        yield name, lambda x, n=n: Stairs.apply(x, n), [THREE], 1
        yield f"a slope with {name}", lambda x, n=n: x * 2 + Stairs.apply(x, n), [THREE], 1
        yield (f"{name}, straight through",
               lambda x, n=n: straight_through(Stairs.apply(x, n), x), [THREE], 2)
        yield (f"{name}, straight through within ±1, times a weight",
               lambda x, w, n=n: straight_through(Stairs.apply(x, n), x.clamp(-1, 1)) * w,
               [THREE, [2, 0.5, -1]], 2)
    yield from [
        ("a spike whose slope is said to be that of a sigmoid",
         lambda x: straight_through((x > 0).to(x.dtype), torch.sigmoid(x * 4)),
         [[0.3, -0.2, 1e-9, 2]], 2),
        ("the sign, with slope 0", lambda x: Stairs.apply(x, 1.0) * 2 + 1, [[0.3, -0.2, 0.7]], 1)]
    for scale, name in ((1e12, "1e12"), (1e-12, "1e-12")):
        yield f"{name} x", lambda x, s=scale: x * s, [[0.3, -2]], 2
        yield f"{name} tanh(x)", lambda x, s=scale: torch.tanh(x) * s, [[0.3, -2, 1]], 2
        yield (f"tanh(x/{name}) at {name}", lambda x, s=scale: torch.tanh(x / s),
               [[0.3 * scale, -1.2 * scale]], 2)
        yield (f"a product of {name} with its reciprocal", torch.mul,
               [[scale, 2 * scale], [1 / scale, 3 / scale]], 2)
        yield (f"softmax of x/{name} at {name}", lambda x, s=scale: (x / s).softmax(0),
               [[0.3 * scale, -1.2 * scale, scale]], 2)
    yield from [
        ("x + 1e8", lambda x: x + 1e8, [[0.3, -2]], 1),
        ("x² at 1e-8", lambda x: x * x, [[1e-8, 1]], 2),
        ("x³ at 1e6", lambda x: x ** 3, [[1e6, -1]], 2),
        ("exp(50 x)", lambda x: torch.exp(x * 50), [[0.1, 1, -1]], 2),
        ("tanh(100 x), saturated", lambda x: torch.tanh(x * 100), [[2, 0.01, -0.3]], 1),
        ("sigmoid at ±40", torch.sigmoid, [[40, -40]], 1),
        ("softmax of logits of 500", lambda x: x.softmax(0), [[500, 499, 0]], 2),
        ("a sum of large numbers that cancel", torch.sum, [[1e8, -1e8, 1]], 1),
        ("rows of 1e6 and 1e-6 in one product", torch.matmul,
         [[[1e6, -2e6], [1e-6, 3e-6]], [[0.5], [-1.5]]], 2),
        ("log at 1e-6", torch.log, [[1e-6, 1e-3, 100]], 2),
        ("sqrt at 1e-8", torch.sqrt, [[1e-8, 1, 1e8]], 1),
        ("1/x at 1e-4", lambda x: 1 / x, [[1e-4, -1e-4, 3]], 1),
        ("x^0.3 at 1e-5", lambda x: x ** 0.3, [[1e-5, 2]], 1),
        ("log(1 - x²) near 1", lambda x: torch.log(1 - x * x), [[0.999, -0.9999]], 1),
        ("x·log(x) at 1e-5", lambda x: x * torch.log(x), [[1e-5, 0.4]], 2),
        ("logit, which throws outside of 0 to 1", Logit.apply, [[0.5, 0.999, 0.0004]], 2),
        ("sqrt(1 - x²) near 1", lambda x: torch.sqrt(1 - x * x), [[0.9999, -0.3]], 1),
        ("a negative base with a whole exponent", lambda x: x ** 3, [[-1e-3, -2]], 2)]


HARD = [(f"{name}, second order" if order == 2 else name, function, inputs, order)
        for name, function, inputs, orders in hard_functions() for order in range(1, orders + 1)]


# ---- Asking PyTorch ----

def ask(function, inputs, order, **options):
    """'caught', 'passed', or what was thrown that is no verdict."""
    torch.manual_seed(0)
    check = torch.autograd.gradcheck if order == 1 else torch.autograd.gradgradcheck
    try:
        return "passed" if check(function, inputs, raise_exception=False, **options) else "caught"
    except Exception as error:  # reported, and counted as neither
        return f"{type(error).__name__}: {error}".splitlines()[0]


MODES = {"slow": {}, "fast": {"fast_mode": True}, "tight": {"rtol": 1e-6, "atol": 1e-8}}


def ask_all(rows):
    """Fills in row[mode] for each mode, or row["left_out"]."""
    for row in rows:
        case = case_of(row)
        if case is None:
            row["left_out"] = "without a counterpart in torch"
        elif not is_effective(*case, row["bug"]):
            row["left_out"] = "without effect on the gradient in torch"
        else:
            function, inputs, index = case
            for mode, options in MODES.items():
                planted = Planted(function, index, row["bug"])  # anew: bugs have a memory
                row[mode] = ask(planted, inputs, row["order"], **options)


def ask_right(rows):
    """The samples without a bug, and the hard functions: [(name, is it hard, {mode: answer})]."""
    answers = []
    asked = {(row["subject"], row["sample"], row["order"], row["input"]): row for row in rows}
    for row in asked.values():
        function, inputs, index = case_of(row)
        answers.append((f"{place(row)}, order {row['order']}", False, {
            mode: ask(Planted(function, index, None), inputs, row["order"], **options)
            for mode, options in MODES.items()}))
    for name, function, values, order in HARD:
        inputs = tuple(torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values)
        answers.append((name, True, {mode: ask(function, inputs, order, **options)
                                     for mode, options in MODES.items()}))
    return answers


# ---- The report ----

KINDS = ("scaled mean_for_sum sign_flipped zeroed element_zeroed element_off not_finite transposed "
         "flipped shifted border_dropped slice_dropped sum_dropped use_dropped use_overwritten "
         "swapped incoming_ignored disconnected stale_accumulation stale_value negative_dropped "
         "diagonal_kept mean_dropped variance_dropped output_read random incoming_overwritten "
         "saved_overwritten clipped layout_ignored neighbour_needed recorded_scaled float32_scaled "
         "shape_lost wrong_elsewhere parameter_hidden history_cut history_scaled "
         "history_flipped").split()
# times 1.0009: less than rtol = 1e-3
LOOSE = ("scaled", "element_off", "recorded_scaled", "history_scaled")

TEXT = """# The gradient checkers of Gradus and PyTorch, on the same bugs

`gradus gradcheck --self-test` plants bugs into the gradients of ops and layers, one at a time, and
asks Gradus' checker. For this table the same bugs were planted into PyTorch's functions: same op,
same shapes and options, same input, same damage. `torch.autograd.gradcheck` was asked about those
of the first derivative, `torch.autograd.gradgradcheck` about those of the second (`history_*`),
both at their defaults (slow) and with `fast_mode=True` (fast). What each bug does is told in
`gradcheck/planted.h`.

{table}

Made with PyTorch {torch} by

```
python3 bench/gradcheck_vs_pytorch.py build/release/gradus
```

## What was left out

{left_out}

A bug counts as planted only where it changes a gradient of the torch function by more than
10·(1e-8 + 1e-6·|g|), the rule of Gradus' self-test. The inputs of ops are Gradus' own, number for
number; those of layers have the same shapes and numbers of their own.

{thrown}

## What the numbers mean

- The bugs are Gradus' own, and its checker was written with them in mind. That it catches all of
  them is what its self-test demands. It says nothing of bugs that nobody thought of.
- PyTorch compares with rtol = 1e-3 and atol = 1e-5, Gradus with rtol = 1e-6 and atol = 1e-8.
  PyTorch's tolerances are looser by intent. `scaled`, `element_off` and `history_scaled` multiply
  by 1.0009, which lies inside of them: PyTorch cannot see these at its defaults, whatever the
  function. The last rows of the table leave them out.
- From `incoming_overwritten` to `parameter_hidden` the gradient that is compared is right, and what
  is broken is a promise: dy is written into, clipped at ±50 or read as if it were row-major, saved
  values are scaled after use, other gradients come with create_graph, in float32, with another
  input frozen or at other values, a gradient has an axis too many, a parameter takes part that is
  no input. PyTorch's checker does not claim to look at these; a wrong shape its engine refuses with
  an error of its own, which does not count as caught by the checker here.
{tight}
- `stale_value` is a gradient computed from what a later forward pass saved. PyTorch runs its passes
  at points 1e-6 apart, so the stale value is nearly the right one. Gradus makes a pass elsewhere
  between forward and backward, to find just this. `stale_accumulation` shows when backward runs
  twice, as it does in both checkers.
- `history_cut` is a gradient without a history, as a `detach()` in backward leaves it. PyTorch's
  `gradgradcheck`, in the version above, compares only gradients that themselves require a gradient.
  Where the function has one input, the bug is found; where it has several, the gradient that was
  cut is skipped. Fast mode then pairs the other gradients with vectors that are not theirs, which
  ends in a pass, an alarm or an exception, as it happens.
- Fast mode compares one number for each pair of input and output: the Jacobian between two random
  vectors of positive elements. One wrong element among many can hide in it (`element_zeroed`).

## What escapes PyTorch's slow mode

{escapes}

## Right functions

{right}

{hard}
"""


def total(rows, mode):
    return sum(row[mode] == "caught" for row in rows)


def place(row):
    return f"{row['subject']} ({row['sample']}), {row['input']} {row['shape']}"


def table(planted):
    groups = [(f"`{kind}`", [row for row in planted if row["bug"] == kind]) for kind in KINDS]
    groups += [("**total**", planted),
               ("total of those not times 1.0009", [r for r in planted if r["bug"] not in LOOSE]),
               ("total of wrong gradients not times 1.0009",
                [r for r in planted if r["bug"] not in (*LOOSE, *PROMISES)])]
    lines = ["| bug | planted | Gradus caught | PyTorch slow caught | PyTorch fast caught |",
             "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| {name} | {len(rows)} | {sum(row['caught'] for row in rows)} "
              f"| {total(rows, 'slow')} | {total(rows, 'fast')} |" for name, rows in groups if rows]
    return "\n".join(lines)


def listed(rows, key):
    return ", ".join(f"{what}: {count}" for what, count in Counter(r[key] for r in rows).items())


def paragraph(text, first="", rest=""):
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=rest,
                         break_on_hyphens=False)


def left_out(rows):
    text = f"The self-test plants {len(rows)} bugs; "
    text += f"{sum('left_out' not in row for row in rows)} were planted in both."
    for reason in sorted({row["left_out"] for row in rows if "left_out" in row}):
        group = [row for row in rows if row.get("left_out") == reason]
        text += (f" {len(group)} were left out, {reason} ({listed(group, 'subject')}), "
                 f"among them `{group[0]['bug']}` in {place(group[0])}.")
    return paragraph(text)


def thrown(planted):
    lines = []
    for mode in ("slow", "fast"):
        odd = [row for row in planted if row[mode] not in ("caught", "passed")]
        text = f"PyTorch's {mode} mode always came to a verdict."
        if odd:
            text = (f"PyTorch's {mode} mode threw something other than a verdict {len(odd)} times "
                    f"({listed(odd, 'bug')}); these do not count as caught. One of them: "
                    f"`{odd[0]['bug']}` in {place(odd[0])}: \"{odd[0][mode]}\".")
        lines.append(text)
    return paragraph(" ".join(lines))


def escapes(planted):
    lines = ["| bug | escaped | one of them |", "| --- | ---: | --- |"]
    for kind in KINDS:
        rows = [row for row in planted if row["bug"] == kind]
        escaped = [row for row in rows if row["slow"] != "caught"]
        if escaped:
            lines.append(f"| `{kind}` | {len(escaped)} of {len(rows)} | {place(escaped[0])} |")
    return "\n".join(lines)


def alarms(right, mode, is_hard):
    return sum(answer[mode] != "passed" for _, hard, answer in right if hard == is_hard)


def tight(planted, right):
    left = [row for row in planted if row["tight"] != "caught"]
    return paragraph(
        f"With Gradus' tolerances (slow mode, rtol = 1e-6, atol = 1e-8, the step unchanged) "
        f"PyTorch catches {total(planted, 'tight')} of the {len(planted)}; what escapes is "
        f"{listed(left, 'bug')}. It then raises {alarms(right, 'tight', False)} false alarms on "
        f"the samples and {alarms(right, 'tight', True)} on the hard functions below.", "- ", "  ")


def right_functions(right, record):
    easy = sum(not is_hard for _, is_hard, _ in right)
    return paragraph(
        f"Samples wrapped as for a bug, but without one, {easy} of them: PyTorch raises "
        f"{alarms(right, 'slow', False)} false alarms in slow mode, {alarms(right, 'fast', False)} "
        f"in fast mode. The {len(HARD)} functions of the self-test that are right but hard: "
        f"{alarms(right, 'slow', True)} in slow mode, {alarms(right, 'fast', True)} in fast mode. "
        f"Gradus raises {record['false_alarms']} on the {record['good']} right functions of its "
        f"self-test, these {len(HARD)} among them. PyTorch takes the difference between two points "
        f"1e-6 to either side. At a kink that is the mean of two slopes, which need not be the "
        f"subgradient that backward chose; beside large numbers it drowns in rounding; near the "
        f"edge of a domain the step is too wide. Gradus has two more verdicts, which are no "
        f"alarms: kink, and inconclusive ({record['inconclusive']} of the {record['good']}). "
        f"PyTorch leaves it to the user to stay away from such points.")


def hard(right):
    word = {"caught": "alarm", "passed": "pass"}
    lines = ["| function | PyTorch slow | PyTorch fast |", "| --- | --- | --- |"]
    for name, is_hard, answer in right:
        if is_hard:
            cells = [name.replace("|", "\\|")] + [word.get(answer[mode], answer[mode])
                                                  for mode in ("slow", "fast")]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Gradus' planted bugs, planted into PyTorch")
    parser.add_argument("program", help="the built gradus")
    parser.add_argument("--out", type=pathlib.Path, default="docs/gradcheck-comparison.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # gradcheck explains at length why it will fail
    command = [options.program, "gradcheck", "--self-test", "--json"]
    record = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    rows = record["bugs"]
    ask_all(rows)
    planted = [row for row in rows if "left_out" not in row]
    right = ask_right(planted)
    options.out.write_text(TEXT.format(
        table=table(planted), torch=torch.__version__, left_out=left_out(rows),
        thrown=thrown(planted),
        tight=tight(planted, right), escapes=escapes(planted),
        right=right_functions(right, record), hard=hard(right)))


if __name__ == "__main__":
    main()
