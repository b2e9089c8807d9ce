#!/usr/bin/env python3
"""Runs bench_gradus, bench_libtorch where it was built, and onnxruntime where ./run test-onnx has fetched it (inference
only) in turns, and tells how they compare.

Turns (A B A B ...) because a machine is never quite idle: what slows one program then slows the other, and the ratio
stays. All are started once for each workload and number of threads, and each turn lets one of them run for a moment; the
others are stopped, for threads that wait for work by spinning would take the processors from it. Another process multiplies large matrices with OpenBLAS between the workloads: the scale for convolutions. Every ratio
and percentage is of figures from one and the same run; nothing is read back from an earlier one. A turn in which other
programs kept the processors busy is taken again, as long as the patience lasts.

Figures are medians over all steps of all turns. A ratio above 1 means that Gradus is faster. What the programs
compute in the first steps (losses, gradients, outputs) must agree to 1e-4; where it does not, the ratio is withheld and
the exit status is 1.

Writes results.json and results.md into the output folder; with --growth growth.json, and its picture where --plot says.
"""
import argparse
import atexit
import fnmatch
import json
import math
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

import growth_svg

KINDS = {"train": "training step", "infer": "inference", "conv_forward": "convolution, forward",
         "conv_training": "convolution, forward and both gradients"}
AGREEMENT = 1e-4  # float32, sums in another order, three steps of training
UNSTEADY = 1.25  # the slowest turn's median by the fastest's: somebody else was at work


class Machine:
    """The processors: who else uses them. On a system without /proc nobody does."""

    DISTURBED = 0.05  # of all processors

    def __init__(self, patience):
        self.patience = patience  # seconds that may be spent on turns taken again

    @staticmethod
    def busy_ticks():
        try:
            user, nice, system, _, _, irq, softirq, steal = map(int, open("/proc/stat").readline().split()[1:9])
        except OSError:
            return 0
        return user + nice + system + irq + softirq + steal

    @staticmethod
    def ticks_of(process):
        try:
            stat = open(f"/proc/{process.pid}/stat").read()
        except OSError:
            return 0
        return sum(map(int, stat.rpartition(")")[2].split()[11:13]))

    def others_during(self, processes, work):
        """The share of the processors that others used during work()."""
        def others():
            return self.busy_ticks() - sum(map(self.ticks_of, processes))

        start, before = time.monotonic(), others()
        work()
        ticks = (time.monotonic() - start) * os.sysconf("SC_CLK_TCK") * os.cpu_count()
        return (others() - before) / ticks

    def turn(self, program, processes):
        """A turn of `program`, again while others are at work; False when patience has ended."""
        while True:
            start = time.monotonic()
            if self.others_during(processes, program.turn) < self.DISTURBED:
                return True
            quiet = False
            while not quiet and time.monotonic() - start < self.patience:
                quiet = self.others_during(processes, lambda: time.sleep(0.5)) < self.DISTURBED
            self.patience -= time.monotonic() - start
            if not quiet:
                return False
            program.turns.pop()


class Program:
    """A program with one workload, run turn by turn."""

    def __init__(self, command, threads, seconds):
        self.command = [*command, "--threads", str(threads), "--seconds", str(seconds)]
        # libtorch's BLAS keeps threads of its own, which at::set_num_threads does not reach.
        limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | limits)
        self.threads = threads
        self.turns = []
        atexit.register(self.process.kill)  # one that is stopped would stay, whatever ends this program

    def turn(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.process.send_signal(signal.SIGSTOP)
        if not line:
            raise SystemExit(f"bench: {' '.join(map(str, self.command))} ended with {self.process.wait()}")
        self.turns.append(json.loads(line))
        if self.turns[-1]["threads"] != self.threads:
            raise SystemExit(f"bench: {self.command[0]} uses {self.turns[-1]['threads']} threads, not {self.threads}")

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.communicate()
        atexit.unregister(self.process.kill)

    def ms(self):
        return statistics.median(ms for turn in self.turns for ms in turn["ms"])

    def least_ms(self):
        """The median of the fastest turn: what the least disturbed moment shows."""
        return min(turn["median_ms"] for turn in self.turns)

    def gflops(self):
        return self.turns[0]["flops"] / self.ms() / 1e6

    def memory(self):
        return max(turn["peak_rss_mb"] for turn in self.turns)

    def allocations(self):
        """A step."""
        return round(sum(turn["allocations"] for turn in self.turns) / sum(turn["steps"] for turn in self.turns), 3)

    def unsteadiness(self):
        medians = [turn["median_ms"] for turn in self.turns]
        return max(medians) / min(medians)


def of_workload(path, name):
    """The command for one of the two programs that are built here."""
    return [path, "--workload", name, "--turns"]


def disagreement(ours, theirs):
    """What is wrong with comparing the two, or None."""
    a, b = ours.turns[0], theirs.turns[0]
    for key in ("workload", "kind", "threads", "flops"):
        if a[key] != b[key]:
            return f"{key} {a[key]} and {b[key]}"
    if len(a["results"]) != len(b["results"]) or not a["results"]:
        return f"{len(a['results'])} and {len(b['results'])} results"
    for x, y in zip(a["results"], b["results"]):
        if not math.isclose(x, y, rel_tol=AGREEMENT):  # false for NaN
            return f"results {a['results']} and {b['results']}"
    return None


def known_workloads(program):
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in listed.splitlines()]


def described(program, name):
    """The workloads of a name that is not in the list: lenet-16, conv:32,64,32,64,3,1,1."""
    kinds = [""] if "/" in name else [f"/{kind}" for kind in KINDS]
    answers = [subprocess.run([program, "--describe", "--workload", name + kind], capture_output=True, text=True)
               for kind in kinds]
    return [json.loads(answer.stdout) for answer in answers if answer.returncode == 0]


def chosen(program, names, quick):
    """Those that one of the names, or patterns, fits: lenet-64, train, lenet-64/train, 'conv*'."""
    workloads = known_workloads(program)
    if quick:
        workloads = [w for w in workloads if w["quick"]]
    if not names:
        return workloads

    def fits(w, name):
        ways = (w["workload"], w["kind"], f"{w['workload']}/{w['kind']}")
        return any(fnmatch.fnmatchcase(way, name) for way in ways)

    others = []
    for name in names:
        if any(fits(w, name) for w in workloads):
            continue
        more = described(program, name)
        if not more:
            known = ", ".join(dict.fromkeys(w["workload"] for w in workloads))
            raise SystemExit(f"bench: no workload '{name}'; known are {known}, the kinds {', '.join(KINDS)}, and "
                             "conv:N,C,S,F,k,stride,padding[,groups[,dilation]]")
        others += more
    return [w for w in workloads if any(fits(w, name) for name in names)] + others


def take_turns(machine, programs, turns, waiting=()):
    """How many of the turns were disturbed. `waiting` are programs of ours that may still be calming down."""
    processes = [program.process for program in (*programs, *waiting)]
    return sum(not machine.turn(program, processes) for _ in range(turns) for program in programs)


def measure(workload, threads, scale, machine, options):
    """One row of the results, without the percentage; what is to be said about it; how many turns were disturbed."""
    name = f"{workload['workload']}/{workload['kind']}"
    programs = [Program(of_workload(path, name), threads, options.seconds) for path in options.programs]
    theirs = programs[1] if len(programs) > 1 else None
    runtime = None
    if options.onnxruntime and workload["kind"] == "infer":
        folder = options.out / "onnx" / workload["workload"]
        if subprocess.run([options.programs[0], "--export", folder, "--workload", name]).returncode:
            raise SystemExit(f"bench: {name} cannot be written as ONNX; without tests/onnx/node_modules it is left out")
        runtime = Program([*options.onnxruntime, folder], threads, options.seconds)
        programs.append(runtime)
    products = None
    if workload["products"]:  # the third in turn
        products = Program(of_workload(options.programs[0], name + "/products"), threads, options.seconds)
        programs.append(products)
    disturbed = take_turns(machine, programs, options.turns) + take_turns(machine, [scale], 1, waiting=programs)
    for program in programs:
        program.close()

    ours = programs[0]
    remarks = []
    wrong = {}
    for rival, program in (("libtorch", theirs), ("onnxruntime", runtime)):
        wrong[rival] = disagreement(ours, program) if program else None
        if wrong[rival]:
            remarks.append(f"ERROR: {name}, threads {threads}: Gradus and {rival} disagree: {wrong[rival]}")
    unsteadiness = max(program.unsteadiness() for program in programs)
    if unsteadiness > UNSTEADY:
        remarks.append(f"{name}, threads {threads}: the slowest turn took {unsteadiness:.2f} times the fastest")
    row = {
        "workload": workload["workload"],
        "kind": workload["kind"],
        "threads": threads,
        "gradus_ms": round(ours.ms(), 4),
        "libtorch_ms": round(theirs.ms(), 4) if theirs else None,
        "ratio": round(theirs.ms() / ours.ms(), 3) if theirs and not wrong["libtorch"] else None,
        "onnxruntime_ms": round(runtime.ms(), 4) if runtime else None,
        "onnxruntime_ratio": round(runtime.ms() / ours.ms(), 3) if runtime and not wrong["onnxruntime"] else None,
        "gflops": round(ours.gflops(), 2),
        "sgemm_percent": None,
        "products_percent": round(100 * ours.gflops() / products.gflops(), 1) if products else None,
        "gradus_rss_mb": ours.memory(),
        "libtorch_rss_mb": theirs.memory() if theirs else None,
        "allocations": ours.allocations(),
    }
    return row, remarks, disturbed  # a remark that begins with ERROR fails the run


def shown(number, digits):
    return "" if number is None else f"{number:.{digits}f}"


def table(rows):
    """One Markdown table for each kind."""
    lines = []
    for kind, title in KINDS.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        if not of_kind:
            continue
        lines += ["", f"### {title[0].upper()}{title[1:]}", "",
                  "| workload | threads | Gradus ms | libtorch ms | ratio | GFLOP/s | of SGEMM | Gradus MiB "
                  "| libtorch MiB | allocations |", "|---|" + "---:|" * 9]
        for row in of_kind:
            lines.append(f"| {row['workload']} | {row['threads']} | {shown(row['gradus_ms'], 3)} "
                         f"| {shown(row['libtorch_ms'], 3)} | {shown(row['ratio'], 2)} | {shown(row['gflops'], 1)} "
                         f"| {shown(row['sgemm_percent'], 0)}% | {shown(row['gradus_rss_mb'], 0)} "
                         f"| {shown(row['libtorch_rss_mb'], 0)} | {row['allocations']:g} |")
        for threads in dict.fromkeys(row["threads"] for row in of_kind):
            ratios = [row["ratio"] for row in of_kind if row["threads"] == threads and row["ratio"] is not None]
            if len(ratios) > 1:
                lines.append(f"| geometric mean | {threads} | | | {statistics.geometric_mean(ratios):.2f} | | | | | |")
    return lines


# What the verdict is about: which kinds belong together.
GROUPS = {"training steps": ("train",), "inference": ("infer",), "single convolutions": ("conv_forward", "conv_training")}


def summary(rows):
    """The geometric mean of the ratios of each group, and the smallest ratio of all, by threads."""
    lines = []
    for threads in dict.fromkeys(row["threads"] for row in rows):
        known = [row for row in rows if row["threads"] == threads and row["ratio"] is not None]
        if not known:
            continue
        means = []
        for group, kinds in GROUPS.items():
            ratios = [row["ratio"] for row in known if row["kind"] in kinds]
            if ratios:
                means.append(f"{statistics.geometric_mean(ratios):.2f} over {len(ratios)} {group}")
        least = min(known, key=lambda row: row["ratio"])
        lines.append(f"- threads {threads}: {', '.join(means)}; the smallest is {least['ratio']:.2f}, "
                     f"{least['workload']}/{least['kind']}")
    return ["", "### Ratios, geometric means", "", *lines] if lines else []


def beside_products(rows):
    """1x1 convolutions, beside the same matrix products by SGEMM."""
    lines = [f"- {row['workload']}/{row['kind']}, threads {row['threads']}: {row['products_percent']:.0f}%"
             for row in rows if row["products_percent"] is not None]
    return ["", "### 1x1 convolutions: the rate of SGEMM on the same products that they reach", "", *lines] if lines else []


def beside_onnxruntime(rows):
    """Inference, beside onnxruntime on the same nets."""
    rows = [row for row in rows if row["onnxruntime_ratio"] is not None]
    if not rows:
        return []
    lines = ["", "### Inference beside onnxruntime", "", "| workload | threads | Gradus ms | onnxruntime ms | ratio |",
             "|---|" + "---:|" * 4]
    lines += [f"| {row['workload']} | {row['threads']} | {row['gradus_ms']:.3f} | {row['onnxruntime_ms']:.3f} "
              f"| {row['onnxruntime_ratio']:.2f} |" for row in rows]
    for threads in dict.fromkeys(row["threads"] for row in rows):
        ratios = [row["onnxruntime_ratio"] for row in rows if row["threads"] == threads]
        lines.append(f"| geometric mean | {threads} | | | {statistics.geometric_mean(ratios):.2f} |")
    return lines


def save(rows, remarks, disturbed, scales, seconds, options):
    for row in rows:
        row["sgemm_percent"] = round(100 * row["gflops"] / scales[row["threads"]].gflops(), 1)
    rates = ", ".join(f"{scale.gflops():.0f} GFLOP/s at {threads}" for threads, scale in scales.items())
    lines = [f"SGEMM of OpenBLAS, by threads: {rates}. {options.turns} turns of {options.seconds} s; {os.cpu_count()} "
             f"processors; {seconds:.0f} s in all. Times and rates are medians over steps, memory is the peak of the "
             "process, allocations are blocks that Gradus took from the system a step."]
    if disturbed:
        remarks = remarks + [f"Other programs were at work in {disturbed} of all turns."]
    lines += table(rows) + beside_onnxruntime(rows) + beside_products(rows) + [""] + [f"- {remark}" for remark in remarks] + summary(rows)
    text = "\n".join(lines).rstrip() + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    (options.out / "results.md").write_text(text)
    return text


def compare(options):
    if not options.programs[1:]:
        print("bench_libtorch is not built, libtorch was not found (Debian: libtorch-dev): our figures alone.\n")
    workloads = chosen(options.programs[0], options.names, options.quick)
    machine = Machine(options.patience)
    start = time.monotonic()
    scales = {n: Program(of_workload(options.programs[0], "sgemm/sgemm"), n, options.seconds / 4) for n in options.threads}
    rows, remarks, disturbed = [], [], 0
    for index, workload in enumerate(workloads):
        for threads in options.threads:
            row, said, turns = measure(workload, threads, scales[threads], machine, options)
            rows.append(row)
            remarks += said
            disturbed += turns
            print(f"[{index + 1}/{len(workloads)}] {row['workload']} {row['kind']}, threads {threads}: "
                  f"{row['gradus_ms']:.3f} ms"
                  + (f", libtorch {row['libtorch_ms']:.3f} ms" if options.programs[1:] else "")
                  + (f", ratio {row['ratio']:.2f}" if row["ratio"] is not None else "")
                  + (f", onnxruntime {row['onnxruntime_ms']:.3f} ms" if row["onnxruntime_ms"] else ""), flush=True)
        # Each time, so that a run that is stopped has results.
        text = save(rows, remarks, disturbed, scales, time.monotonic() - start, options)
    for scale in scales.values():
        scale.close()
    print("\n" + text)
    return 1 if any(remark.startswith("ERROR") for remark in remarks) else 0


# How the cost grows. The unit of LeNet is an image, that of the other a pixel of an image. What is compared are the
# fastest turns: a program that shares the processor slows down the arithmetic of a large image more than the bookkeeping
# of a small one, so medians of disturbed turns would tell of the neighbour.
GROWTH = {
    "lenet batch": ("image", [(n, n, f"lenet-{n}/train") for n in (16, 32, 64, 128, 256, 512)]),
    "nin image side": ("pixel", [(n, 16 * n * n, f"nin-16@{n}/train") for n in (16, 24, 32, 48, 64, 96, 128)]),
}


def growth(options):
    rows = []
    machine = Machine(options.patience)
    for threads in options.threads:
        for series, (unit, sizes) in GROWTH.items():
            programs = [Program(of_workload(options.programs[0], name), threads, options.seconds) for _, _, name in sizes]
            # All sizes in each round: a slow moment is not one size's alone.
            disturbed = take_turns(machine, programs, options.turns)
            print(f"\n### {series}, threads {threads}\n\n| size | ms | µs per {unit} | GFLOP/s | MiB | allocations |\n"
                  "|---:|---:|---:|---:|---:|---:|")
            for (size, units, name), program in zip(sizes, programs):
                program.close()
                ms = program.least_ms()
                row = {"series": series, "workload": name.split("/")[0], "kind": "train", "threads": threads,
                       "size": size, "unit": unit, "units": units, "gradus_ms": round(ms, 4),
                       "us_per_unit": round(ms * 1e3 / units, 5),
                       "gflops": round(program.turns[0]["flops"] / ms / 1e6, 2),
                       "gradus_rss_mb": program.memory(), "allocations": program.allocations()}
                rows.append(row)
                print(f"| {size} | {row['gradus_ms']:.3f} | {row['us_per_unit']:.4g} | {row['gflops']:.1f} "
                      f"| {row['gradus_rss_mb']:.0f} | {row['allocations']:g} |")
            if disturbed:
                print(f"\nOther programs were at work in {disturbed} of the turns.", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "growth.json").write_text(json.dumps(rows, indent=1) + "\n")
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    options.plot.write_text(growth_svg.draw(rows))
    print(f"\nThe picture is {options.plot}.")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Gradus against libtorch, workload by workload")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="what to run, patterns allowed: lenet-64, train, 'conv3x3*', resnet20-32/infer; also other "
                             "batches and sizes, lenet-16 or nin-16@48, and any convolution, conv:N,C,S,F,k,stride,padding"
                             "[,groups[,dilation]] for N images of S x S from C to F channels")
    parser.add_argument("--quick", action="store_true", help="a few of them, in about a minute")
    parser.add_argument("--growth", action="store_true",
                        help="instead: how the cost of Gradus grows with batch and image size")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2], metavar="1,2")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4, help="a turn (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=60,
                        help="seconds, in all, to wait while others are at work (default: %(default)s)")
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--programs", type=pathlib.Path, default=root / "build/release/bench",
                        help="the folder they were built into")
    parser.add_argument("--out", type=pathlib.Path, default=root / "build/bench", help="where the results go")
    parser.add_argument("--plot", type=pathlib.Path, default=root / "docs/images/growth.svg",
                        help="where --growth draws its picture (default: docs/images/growth.svg)")
    options = parser.parse_args()
    options.programs = [options.programs / name for name in ("bench_gradus", "bench_libtorch")]
    if not options.programs[0].exists():
        parser.error(f"{options.programs[0]} is not built; ./run bench builds it")
    if not options.programs[1].exists():
        options.programs.pop()
    package = root / "tests/onnx/node_modules/onnxruntime-node"
    node = shutil.which("node")
    options.onnxruntime = [node, root / "bench/onnxruntime.mjs"] if node and package.exists() else None
    if options.list:
        for workload in known_workloads(options.programs[0]):
            print(f"{workload['workload']}/{workload['kind']}")
        return 0
    return growth(options) if options.growth else compare(options)


if __name__ == "__main__":
    sys.exit(main())
