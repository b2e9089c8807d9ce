// What every backward() promises, whatever it computes: questions that no difference quotient asks,
// because a check of one point, with one incoming gradient, all inputs differentiated, would pass.
#pragma once

#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

#include <set>
#include <string>
#include <vector>

namespace gradus {

/// What the contracts have to say; Diagnoses make a check fail.
struct ContractReport {
  std::vector<Diagnosis> broken{};
  std::vector<std::string> notes{};
};

/// Asks each op of the tape by itself: gradients as many and as large as the inputs, the incoming one
/// left as it was, however it lies in memory, linear in it from 1e-3 to 1e3, the same again, the same
/// when it is recorded.
ContractReport check_ops(const Probe& probe, const GradcheckOptions& options);

/// Three backward passes that should have given one gradient: does something pile up, or is something
/// drawn anew?
Diagnosis of_passes_that_differ(const std::vector<Tensor>& first, const std::vector<Tensor>& second,
                                const std::vector<Tensor>& third);

/// The leaves on the tape of `output` that are not among the `named`: their gradients are not checked.
std::vector<Diagnosis> unnamed_parameters(const Variable& output,
                                          const std::set<const Node*>& named);

/// Asks the function: the same numbers from inputs laid out otherwise; the same gradients with some
/// inputs frozen. Only where these are right.
ContractReport check_function(const Probe& probe, const std::vector<Tensor>& gradients);

/// Where the function takes float32: its gradient there against that of float64.
ContractReport check_float32(const Probe& probe, const std::vector<Tensor>& gradients,
                             const GradcheckOptions& options);

}  // namespace gradus
