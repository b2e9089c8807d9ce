// gradus summary: a model layer by layer, with what each costs. Nothing is estimated: the model takes a
// step on a batch of zeros that is traced (report/trace.h), which reads the profiler's flops.
//
// Bytes are read from the tape of a step that nobody watches, for that would keep a ReLU from being
// computed with the layer in front of it: the flops are the same then, but not what is kept. The tape is
// taken down from its end, and each op is charged with what the pool gets back with it.
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/storage.h>
#include <gradus/report/trace.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "exit_code.h"
#include "json.h"
#include "net_subject.h"

namespace gradus::app {
namespace {

/// All that a trace counts.
std::vector<SummaryRow> rows_of(const Trace& trace) {
  std::vector<SummaryRow> rows;
  for (const TraceModule& module : trace.modules) {
    const auto dots = std::count(module.path.begin(), module.path.end(), '.');
    rows.push_back({.place = module.path,
                    .kind = module.type,
                    .depth = module.path.empty() ? 0 : static_cast<int>(dots) + 1,
                    .output = module.output,
                    .parameters = module.parameters,
                    .flops_forward = module.flops,
                    .flops_backward = module.backward_flops});
  }
  return rows;
}

/// What the tape keeps. Of several ops that keep the same numbers the first is charged, which is the last
/// to be taken down; and with it the modules around.
void count_kept(std::vector<SummaryRow>& rows, const Trace& trace, Module& model,
                const Tensor& images) {
  const std::shared_ptr<Node> last = model(images).node();
  std::vector<Node*> tape = nodes_of(last.get());
  for (; !tape.empty(); tape.pop_back()) {  // the newest first
    Node* const node = tape.back();
    const std::int64_t live = storage_statistics().live_bytes;
    node->op.reset();
    node->kept.clear();
    const std::int64_t freed = live - storage_statistics().live_bytes;
    const std::string path = node->within.path();
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const SummaryRow& row) { return row.place == path; });
    // Of the model where there is none.
    std::size_t row = found == rows.end() ? 0 : static_cast<std::size_t>(found - rows.begin());
    for (; row != no_index; row = trace.modules[row].parent) rows[row].kept_bytes += freed;
  }
}

SummaryRecord summed_up(const SummaryOptions& options, NetSubject& subject) {
  const ImageSpec& image = subject.image;
  SummaryRecord summary{.model = options.what, .image = image, .batch = options.batch};
  for (const auto& [name, buffer] : subject.model.named_buffers())
    summary.buffers += buffer.numel();
  const Tensor images = zeros({options.batch, image.channels, image.height, image.width});
  subject.model.train();
  try {
    const TraceLoss all = [](const Variable& output) { return sum(output); };
    const Trace trace = trace_step(subject.model, images, all, {.values = false});
    summary.rows = rows_of(trace);
    count_kept(summary.rows, trace, subject.model, images);
  } catch (const ShapeError& wrong) {  // a batch norm of one value
    fail<UsageError>("--batch ", options.batch, ": ", wrong.what());
  }
  return summary;
}

// ---- The table ------------------------------------------------------------------------------------

/// "  body Sequential", indented by the depth; the model itself is the total.
std::string title_of(const SummaryRow& row) {
  if (row.depth == 0) return "total";
  const std::size_t dot = row.place.rfind('.');
  const std::string name = dot == std::string::npos ? row.place : row.place.substr(dot + 1);
  return std::string(2 * (static_cast<std::size_t>(row.depth) - 1), ' ') + name + " " + row.kind;
}

void print(const SummaryRow& row, std::size_t title_width, std::size_t shape_width) {
  fmt::print("{:{}}  {:{}}{:>12}{:>16}{:>16}{:>14}\n", title_of(row), title_width,
             to_string(row.output), shape_width, row.parameters, row.flops_forward,
             row.flops_backward, row.kept_bytes);
}

void print(const SummaryRecord& summary) {
  std::size_t title = 5;
  std::size_t shape = 6;
  for (const SummaryRow& row : summary.rows) {
    title = std::max(title, title_of(row).size());
    shape = std::max(shape, to_string(row.output).size());
  }
  fmt::print("{}, a step on {} of [{},{},{}] in {} classes\n\n", summary.model,
             summary.batch == 1 ? "one image" : fmt::format("{} images", summary.batch),
             summary.image.channels, summary.image.height, summary.image.width,
             summary.image.classes);
  fmt::print("{:{}}  {:{}}{:>12}{:>16}{:>16}{:>14}\n", "layer", title, "output", shape,
             "parameters", "flops forward", "flops backward", "kept bytes");
  for (std::size_t i = 1; i < summary.rows.size(); ++i) print(summary.rows[i], title, shape);
  print(summary.rows.front(), title, shape);
  fmt::print("{}", R"(
A layer's numbers hold those of the layers in it. Flops: multiplications and additions of
convolutions and matrix products. Kept: what stays in memory from forward to backward, counted
where it is first kept; a ReLU may be computed with the layer in front of it, and kept there.
)");
}

}  // namespace

int run_summary(const SummaryOptions& options) {
  NetSubject subject = net_subject(options);
  const SummaryRecord summary = summed_up(options, subject);
  if (options.json) {
    fmt::print("{}\n", to_json(summary));
  } else {
    print(summary);
  }
  return exit_ok;
}

}  // namespace gradus::app
