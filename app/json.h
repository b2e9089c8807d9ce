// All JSON that the program writes or reads, in one place: it is a promise to other programs, and
// one file compiles the JSON library instead of five.
#pragma once

#include <gradus/autograd/profile.h>
#include <gradus/gradcheck/taylor.h>
#include <gradus/io/safetensors.h>

#include <filesystem>
#include <string>
#include <vector>

#include "kernel_self_test.h"
#include "records.h"
#include "subjects.h"

namespace gradus::app {

/// Lines of metrics.jsonl, without the newline.
std::string to_json(const StepRecord& step);
std::string to_json(const EpochRecord& epoch);

/// What a checkpoint says of itself, and back. Throws BadDataError, its message opening with `label`, for
/// text of another kind or that names what this version does not know.
std::string to_run_json(const RunRecord& run);
RunRecord from_run_json(const std::string& text, const std::string& label);

/// What train and eval print with --json; eval puts its own measurements into run.last.
std::string to_result_json(const RunRecord& run, const std::filesystem::path& out);

/// What gradcheck prints with --json.
std::string to_json(const std::vector<Subject>& subjects);
std::string to_json(const std::vector<CheckRow>& rows, int order, double seconds);
std::string to_json(const SelfTestRecord& test, const KernelSelfTest& kernels);
std::string to_json(const std::vector<Float32Row>& rows, double seconds);
std::string to_json(const Float32Report& report, std::int64_t parameters, double seconds);
std::string to_json(const GradcheckReport& report, const TaylorReport& taylor,
                    std::int64_t parameters, double seconds);

/// What inspect prints with --json.
std::string to_json(const std::filesystem::path& file, const SafetensorsHeader& header);

/// What bench prints with --json.
std::string to_json(const BenchRecord& bench);
/// The text of a file in the Trace Event Format of Chrome, which Perfetto reads as well: one event
/// of phase X (complete) for each, times in microseconds since the first.
std::string to_trace_json(const std::vector<ProfileEvent>& events);

}  // namespace gradus::app
