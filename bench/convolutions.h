// The single convolutions against what this machine can do: bench_gradus --convolutions.
#pragma once

#include <string>
#include <vector>

namespace bench {

/// Prints a row for each of workloads.h's convolutions whose name begins with one of `names` (all,
/// without names), or for the convolutions that names describe (conv:N,C,S,F,k,stride,padding...):
/// the three passes in float32 on one thread, their rates, and their shares of the floor. 2 for a
/// name that there is not, else 0.
int measure_convolutions(const std::vector<std::string>& names);

}  // namespace bench
