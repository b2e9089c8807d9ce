// gradus gradcheck --self-test, the part in float32: would the proof have caught a broken kernel?
#pragma once

#include <gradus/gradcheck/kernel_faults.h>

#include <vector>

#include "subjects.h"

namespace gradus::app {

struct KernelSelfTest : KernelFaultRecord {
  double seconds = 0;
};

/// Plants every fault of float32 kernels in every pass of the subjects that are ops, through samples
/// of the sizes that train; and, if asked, in the steps of SGD and Adam.
KernelSelfTest run_kernel_self_test(const std::vector<Subject>& subjects, bool optimizers);
/// At least 99% caught, and nothing right accused.
bool passed(const KernelFaultRecord& test);
/// Two lines: a count of each fault, and the totals. One more for each that escaped or is false.
void print_kernel_self_test(const KernelSelfTest& test);

}  // namespace gradus::app
