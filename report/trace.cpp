// One step with a Recorder on it. The net is borrowed (detail/untouched.h), its modules are listed before
// it runs, and what follows from the nodes is summed up behind.
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/error.h>
#include <gradus/report/detail/recorder.h>
#include <gradus/report/detail/untouched.h>

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gradus {
namespace {

/// "features.3" -> "features", "features" -> "".
std::string path_around(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

void list_members(Module& net, Trace& trace) {
  std::unordered_map<std::string, std::size_t> by_path;
  for (const auto& [path, module] : net.named_modules()) {
    const std::size_t index = trace.modules.size();
    TraceModule row{.path = path,
                    .type = module->kind(),
                    .text = module->extra(),
                    .parameters = module->parameter_count()};
    if (index > 0) {
      const auto parent = by_path.find(path_around(path));
      row.parent = parent == by_path.end() ? 0 : parent->second;
      trace.modules[row.parent].has_children = true;
    }
    by_path.emplace(path, index);
    trace.modules.push_back(std::move(row));
  }
  for (const auto& [name, parameter] : net.named_parameters()) {
    const auto module = by_path.find(path_around(name));
    trace.parameters.push_back({.name = name,
                                .module = module == by_path.end() ? 0 : module->second,
                                .value = parameter.value().clone()});
  }
}

/// What the modules keep in a step that nobody watches: an activation that is computed with the layer in front of
/// it is kept there, and otherwise than by itself.
void count_kept(Trace& trace, Module& net, const Variable& images) {
  std::set<const std::byte*> counted = {images.value().storage().data()};
  for (const auto& [name, parameter] : net.named_parameters())
    counted.insert(parameter.value().storage().data());
  for (const auto& [name, buffer] : net.named_buffers()) counted.insert(buffer.storage().data());
  const std::shared_ptr<Node> last = net(images).node();
  for (const Node* node : nodes_of(last.get())) {
    std::int64_t bytes = 0;
    for (const KeptNumbers& kept : node->kept)
      if (counted.insert(kept.numbers.storage().data()).second) bytes += bytes_of(kept.numbers);
    const std::string path = node->within.path();
    std::size_t at = 0;  // of the net where no module is known
    for (std::size_t m = 0; m < trace.modules.size(); ++m)
      if (trace.modules[m].path == path) at = m;
    for (; at != no_index; at = trace.modules[at].parent) trace.modules[at].kept_bytes += bytes;
  }
}

void watch_step(Trace& trace, Module& net, const Variable& x, const TraceLoss& loss,
                const TraceOptions& options) {
  detail::Recorder recorder(net, trace, options.values);
  const detail::WatchedBy watched(&recorder);
  trace.images = recorder.index_of(x);
  trace.nodes[trace.images].role = TraceRole::input;
  trace.nodes[trace.images].name = "images";
  const Variable output = net(x);
  trace.output = recorder.index_of(output);
  const Variable value = loss(output);
  if (!value.defined()) fail<ValueError>("trace_step: the loss gives an undefined Variable");
  if (value.numel() != 1) {
    fail<ShapeError>("trace_step: the loss must be one number, got ", value.shape(), " from ",
                     output.shape());
  }
  trace.loss = recorder.index_of(value);
  recorder.note_kept();
  recorder.run_backward_from(value);
  recorder.finish();
}

}  // namespace

std::string_view to_string(TraceRole role) {
  switch (role) {
    case TraceRole::op:
      return "op";
    case TraceRole::parameter:
      return "parameter";
    case TraceRole::input:
      return "input";
    case TraceRole::constant:
      return "constant";
  }
  return "?";
}

Trace trace_step(Module& net, const Tensor& images, const Tensor& labels,
                 const TraceOptions& options) {
  if (!labels.defined()) fail<ValueError>("trace_step: the labels are undefined");
  const auto loss = [&](const Variable& output) {
    return is_floating(labels.dtype()) ? cross_entropy(output, Variable(labels))
                                       : cross_entropy(output, labels);
  };
  Trace trace = trace_step(net, images, loss, options);
  trace.labels = labels.clone();
  return trace;
}

Trace trace_step(Module& net, const Tensor& images, const TraceLoss& loss,
                 const TraceOptions& options) {
  if (!images.defined()) fail<ValueError>("trace_step: the images are undefined");
  if (!loss) fail<ValueError>("trace_step: the loss is an empty function");
  Trace trace;
  list_members(net, trace);
  const detail::Untouched borrowed(net);
  const DetectAnomaly may_diverge(false);
  const GradMode recorded(true);
  const Variable x(images, options.input_gradient);
  watch_step(trace, net, x, loss, options);
  count_kept(trace, net, x);
  if (options.values) trace.activity = detail::activity_of(trace);
  return trace;
}

}  // namespace gradus
