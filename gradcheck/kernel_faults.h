// Faults of float32 kernels: what a wrong tile, lane, chunk of threads or border leaves in a result
// that is otherwise right. planted.h spoils the mathematics of a derivative, which float64 shows;
// here the mathematics is right and the loops are not, and the proof in float32 must tell.
//
// No kernel is touched. A fault is made in a copy of what the kernel computed: numbers are
// overwritten as the fault would have left them, or taken from a run on inputs in which the terms
// that the fault forgets are 0. So the same table serves every kernel, and those to come.
#pragma once

#include <gradus/autograd/op.h>
#include <gradus/gradcheck/gradcheck.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Runs a sample in float32, as gradcheck_float32() does, on inputs that are changed.
class SampleRuns {
 public:
  using Change = std::function<void(std::vector<Tensor>& inputs)>;

  /// Borrows the sample.
  explicit SampleRuns(const Sample& sample) : sample_(sample) {}
  explicit SampleRuns(Sample&& sample) = delete;

  const Variables& inputs() const { return sample_.inputs; }
  /// y (pass 0) or dL/d(input i) (pass i + 1); undefined where there is none. Each `key` is run once,
  /// and stands for one change, which gets copies of the inputs.
  Tensor pass(std::size_t pass, const std::string& key, const Change& change);

 private:
  const Sample& sample_;
  Tensor slope_;  // dL/dy
  std::map<std::string, std::vector<Tensor>> results_;
};

/// One float32 result, with what a fault may put in its place.
struct KernelPass {
  Float32Comparison right;
  /// What the memory of the result held before. Undefined: numbers of the same kind, the result's
  /// own in reverse.
  Tensor before{};
  /// The sample that this is pass `index` of; null where there is none, or where it is made of
  /// several ops.
  SampleRuns* runs = nullptr;
  std::size_t index = 0;
};

/// A way to break a result.
struct KernelFault {
  std::string_view name;
  std::function<bool(const KernelPass& pass)> applies;
  /// The results as the fault leaves them: one for each place where it is planted.
  std::function<std::vector<Tensor>(const KernelPass& pass)> spoil;
};
/// The table.
const std::vector<KernelFault>& kernel_faults();

/// What became of the faults of one name in one pass of one sample.
struct KernelFaultRow {
  std::string subject;  ///< the op
  std::string sample;
  std::string pass;
  std::string algorithm;
  std::string fault;
  std::int64_t planted = 0;
  std::int64_t caught = 0;
};

/// What became of all faults that were planted.
struct KernelFaultRecord {
  std::vector<KernelFaultRow> rows{};
  std::int64_t good = 0;                    ///< right results that were judged
  std::vector<std::string> false_alarms{};  ///< those that were called wrong

  std::int64_t planted() const;
  std::int64_t caught() const;
};

/// Judges the pass as it is, and then with every fault that applies and changes a number.
void plant_kernel_faults(const KernelPass& pass, const std::string& sample,
                         KernelFaultRecord& record);
/// The same for every pass of `op` that the sample runs.
void plant_kernel_faults(std::string_view op, const Sample& sample, KernelFaultRecord& record);

}  // namespace gradus
