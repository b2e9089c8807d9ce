// All JSON that the program writes or reads, in one place: it is a promise to other programs. Only the files
// json_*.cpp know the JSON library.
#pragma once

#include <gradus/autograd/profile.h>
#include <gradus/gradcheck/taylor.h>
#include <gradus/io/safetensors.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "confusion.h"
#include "kernel_self_test.h"
#include "live_page.h"
#include "records.h"
#include "subjects.h"

namespace gradus::app {

/// Lines of metrics.jsonl, without the newline.
std::string to_json(const StepRecord& step);
std::string to_json(const ParameterRecord& parameter);
std::string to_json(const EpochRecord& epoch);
std::string to_json(const RateRecord& change);
/// That the training ended because a loss was no number.
std::string diverged_line(const Position& at);

/// What a checkpoint says of itself, and back. Throws BadDataError, its message opening with `label`, for
/// text of another kind or that names what this version does not know; and rather than to write what it would not read.
std::string to_run_json(const RunRecord& run);
RunRecord from_run_json(const std::string& text, const std::string& label);

/// Names as a list, and back. Throws BadDataError, its message opening with `label`, for another text.
std::string to_json(const std::vector<std::string>& names);
std::vector<std::string> names_from_json(const std::string& text, const std::string& label);

/// What train and eval print with --json; eval puts its own measurements into run, and adds its report.
std::string to_result_json(const RunRecord& run, const std::filesystem::path& out,
                           const ClassificationReport* report = nullptr);

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

/// What predict prints with --json, a line for each image.
std::string to_json(const Prediction& prediction);
/// What data prints with --json.
std::string to_json(const DataRecord& data);
/// What lr-find prints with --json.
std::string to_json(const LrFindRecord& search);

/// What bench prints with --json.
std::string to_json(const BenchRecord& bench);
/// The text of a file in the Trace Event Format of Chrome, which Perfetto reads as well: one event
/// of phase X (complete) for each, times in microseconds since the first.
std::string to_trace_json(const std::vector<ProfileEvent>& events);

/// What summary prints with --json.
std::string to_json(const SummaryRecord& summary);
/// The lines of metrics.jsonl, whole ones of at most 4096 bytes; events of other kinds are passed over. Throws
/// BadDataError, its message opening with `label` and the number of the line, for text of another kind, and
/// where steps or epochs do not go up.
Metrics from_metrics_lines(std::string_view text, const std::string& label);

/// What the page of `gradus serve` is told: by the page itself, when it asks for news, and of a drawing. Who may wish
/// anything knows `token`. No text holds a "<", so that it may stand in a page.
std::string to_live_json(const ShownPage& page, const std::string& folder,
                         const std::string& token);
std::string to_json(const LiveNews& news);
std::string to_json(const LiveGuess& guess);

/// What a training was told or found, but not how far it came: names and values as JSON, always in one order.
std::vector<std::pair<std::string, std::string>> all_settings(const RunRecord& run);
/// What to_run_json() says of two trainings and is not the same, but for how far they are.
std::vector<SettingDifference> different_settings(const RunRecord& left, const RunRecord& right);
/// Changes of the learning rate by hand, where they are not the same.
std::vector<SettingDifference> different_rates(const Metrics& left, const Metrics& right);

/// What compare prints with --json.
std::string to_json(const Comparison& comparison);

}  // namespace gradus::app
