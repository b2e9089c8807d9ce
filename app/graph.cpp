// gradus graph: a net as a picture.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/io/atomic_file.h>
#include <gradus/report/graph.h>

#include <spdlog/fmt/fmt.h>

#include <string>

#include "commands.h"
#include "exit_code.h"
#include "net_subject.h"
#include "output_file.h"

namespace gradus::app {

int run_graph(const GraphOptions& options) {
  const bool is_svg = options.out.ends_with(".svg");
  if (!is_svg && !options.out.ends_with(".dot"))
    fail<UsageError>("-o ", options.out, ": a graph's file is named .svg or .dot");
  expect_writable("-o", options.out, {{options.what, "the net"}});
  NetSubject subject = net_subject(options);
  subject.model.eval();  // a batch norm of one value has no statistics
  const Tensor images =
      zeros({options.batch, subject.image.channels, subject.image.height, subject.image.width});
  const TraceLoss all = [](const Variable& output) { return sum(output); };
  const Trace trace = trace_step(subject.model, images, all, {.values = false});
  write_file_atomically(options.out, is_svg ? graph_svg(trace) : graph_dot(trace));
  fmt::print("{}: {}, {} modules, {} parameters\n", options.out, options.what,
             trace.modules.size() - 1, trace.modules[0].parameters);
  return exit_ok;
}

}  // namespace gradus::app
