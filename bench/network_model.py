#!/usr/bin/env python3
"""How data-parallel training scales, on paper: a step's time by number of machines, for LeNet and ResNet-20.

    python3 bench/network_model.py [--bandwidth BYTES_PER_SECOND] [--latency SECONDS] [--message SECONDS]
                                    [--shards N]

A step on p machines, each with b images:

    computing  c = b * image_seconds
    bytes      w = 2 * (p - 1) / p * 4 * parameters            out of each machine, and into it
    messages   m = 2 * (p - 1) * buckets                       likewise
    exchange   e = w / (0.8 * bandwidth) + m * message + 2 * latency   the round trips of buckets under way run side by side
    time       t = c + max(last, e - behind * c / s)           s shards on each machine, one after the other

`behind` is the part of a shard's computing behind which the exchange hides: of ResNet-20 with buckets of 256 KiB a quarter, as
measured by network.sh; its first bucket is complete after a tenth of backward, but moving messages takes processor time
as well. Only the last shard of a machine counts, for until then nothing is complete. `last` is what never hides: the bucket of
the first layers, complete only when backward is. 0.8 of the rate is what TCP brought there.

Weak scaling: b stays, the batch grows with p. Strong scaling: the batch stays at 1024 images.
"""
import argparse

NETS = {  # parameters, buckets of 256 KiB
    "LeNet": (61_706, 1),
    "ResNet-20": (272_474, 5),
}
BEHIND = 0.25
OF_THE_RATE = 0.8
MACHINES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def step_seconds(net, machines, images, image_seconds, args):
    """The time of a step, and that part of it which is not computing."""
    parameters, buckets = NETS[net]
    compute = images * image_seconds
    if machines == 1:
        return compute, 0.0
    share = (machines - 1) / machines
    transfer = 2 * share * 4 * parameters / (OF_THE_RATE * args.bandwidth)
    messages = 2 * (machines - 1) * args.message
    exchange = transfer + messages * buckets + 2 * args.latency
    last = exchange / buckets
    exposed = max(last, exchange - BEHIND * compute / args.shards)
    return compute + exposed, exposed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bandwidth", type=float, default=1.25e8, help="bytes a second (1 Gbit/s)")
    parser.add_argument("--latency", type=float, default=1e-4, help="seconds, one way")
    parser.add_argument("--message", type=float, default=1e-5, help="seconds of work for a message")
    parser.add_argument("--lenet", type=float, default=2.0e-4, help="seconds an image")
    parser.add_argument("--resnet20", type=float, default=2.0e-2, help="seconds an image")
    parser.add_argument("--shards", type=int, default=1, help="of each machine")
    parser.add_argument("--images", type=int, default=64, help="a machine's in a step (weak scaling)")
    args = parser.parse_args()
    print(f"{args.bandwidth * 8 / 1e9:g} Gbit/s, {args.latency * 1e3:g} ms, {args.message * 1e6:g} us a message")
    for net, image_seconds in (("LeNet", args.lenet), ("ResNet-20", args.resnet20)):
        print(f"\n{net}, {image_seconds * 1e3:g} ms an image")
        print("machines | weak: ms a step, of it exchange, efficiency | strong (1024 images): ms a step, speed-up")
        alone, _ = step_seconds(net, 1, 1024, image_seconds, args)
        for machines in MACHINES:
            weak, exposed = step_seconds(net, machines, args.images, image_seconds, args)
            strong, _ = step_seconds(net, machines, 1024 / machines, image_seconds, args)
            efficiency = args.images * image_seconds / weak
            print(f"{machines:8d} | {weak * 1e3:8.1f} {exposed * 1e3:8.1f} {efficiency:6.0%}"
                  f" | {strong * 1e3:8.1f} {alone / strong:7.1f}")


if __name__ == "__main__":
    main()
