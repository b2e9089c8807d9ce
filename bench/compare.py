#!/usr/bin/env python3
"""Runs bench_lenet and, where it was built, bench_lenet_libtorch in turns, and prints a Markdown table.

Turns (A B A B ...) because a machine is never quite idle: what slows one program then slows the other, and the ratio
of neighbours stays. Each figure is the median over the rounds; `cpu` counts processor time, which waiting for a busy
core does not add to. A ratio above 1 means that Gradus is faster.

usage: compare.py FOLDER [--rounds N] [--batch N ...] [--threads N ...]     FOLDER holds the built programs
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess


def run(program, batch, threads):
    # About as much work at every batch size.
    steps = max(50, 12800 // (batch + 10))
    numbers = {"--batch": batch, "--threads": threads, "--steps": steps, "--warmup": steps // 4}
    command = [program] + [str(part) for pair in numbers.items() for part in pair]
    # libtorch's BLAS keeps threads of its own, which torch::set_num_threads does not reach.
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | limits)
    return json.loads(result.stdout.splitlines()[-1])


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def ratio(ours, theirs, key):
    return statistics.median(b[key] / a[key] for a, b in zip(ours, theirs))


def main():
    parser = argparse.ArgumentParser(description="LeNet training step: Gradus against libtorch")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 1])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    gradus = options.folder / "bench_lenet"
    libtorch = options.folder / "bench_lenet_libtorch"
    both = libtorch.exists()

    print(f"LeNet training step, {options.rounds} rounds, {os.cpu_count()} processors. "
          f"Each cell: wall ms, cpu ms, peak memory MiB.\n")
    header = ["batch", "threads", "Gradus", "libtorch", "wall ratio", "cpu ratio", "memory ratio", "same loss"]
    columns = len(header) if both else 3
    print("| " + " | ".join(header[:columns]) + " |")
    print("|" + "---|" * columns)
    for batch in options.batch:
        for threads in options.threads:
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(run(gradus, batch, threads))
                if both:
                    theirs.append(run(libtorch, batch, threads))

            def figures(runs):
                return (f"{median(runs, 'median_ms'):.3f}, {median(runs, 'cpu_ms'):.3f}, "
                        f"{median(runs, 'peak_rss_mib'):.0f}")

            row = [str(batch), str(threads), figures(ours)]
            if both:
                same = abs(ours[0]["loss"] - theirs[0]["loss"]) < 1e-4
                row += [figures(theirs)]
                row += [f"{ratio(ours, theirs, key):.2f}" for key in ("median_ms", "cpu_ms", "peak_rss_mib")]
                row += ["yes" if same else f"NO: {ours[0]['loss']} and {theirs[0]['loss']}"]
            print("| " + " | ".join(row) + " |", flush=True)
    if not both:
        print("\nbench_lenet_libtorch is not built: libtorch was not found (Debian: libtorch-dev).")


if __name__ == "__main__":
    main()
