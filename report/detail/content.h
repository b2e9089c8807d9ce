// What a Report holds until it is written, and its text.
#pragma once

#include <gradus/report/detail/numbers.h>
#include <gradus/report/report.h>

#include <optional>
#include <string>
#include <vector>

namespace gradus::detail {

/// An image of the watched batch, and what the net takes it for.
struct ReportSample {
  std::string name;
  std::optional<std::int64_t> label{};
  std::optional<std::int64_t> predicted{};
  std::vector<double> probabilities{};  ///< of all classes; empty with a loss of one's own
  Tensor picture{};                     ///< uint8 [C,H,W]; undefined where the input is no image
};

struct ReportContent {
  ReportOptions options{};
  std::optional<Trace> trace{};
  std::vector<ReportSample> samples{};
  std::optional<ReportRun> run{};
  std::vector<ParameterHistory> history{};
  std::vector<Finding> findings{};
  std::string gradcheck{};  ///< JSON; empty: none
  std::vector<std::vector<std::int64_t>> confusion{};
  std::vector<WorstImage> worst{};
};

/// What the net gives when it is used rather than trained: in the step of a trace a batch norm mixes the images, and a
/// dropout draws. The net stays as it was.
Tensor scores_of(Module& net, const Tensor& images);
/// The images of the trace, and what scores [N,C] take them for; undefined ones know no classes.
std::vector<ReportSample> samples_of(const Trace& trace, const Tensor& scores,
                                     const WatchOptions& options);
/// Every array of the report, by what it is good for.
void collect(const ReportContent& content, Numbers& numbers);
/// The report as JSON (format 1) in which no `<` stands; arrays are where `numbers` says.
std::string json_of(const ReportContent& content, const Numbers& numbers);
/// Why the text is not what a gradient check prints as JSON: "has no \"verdict\""; empty: it is.
std::string why_no_gradcheck(const std::string& text);

}  // namespace gradus::detail
