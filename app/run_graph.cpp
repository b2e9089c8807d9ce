// gradus run: what an ONNX file computes of arrays of NumPy's.
#include <gradus/core/parallel.h>
#include <gradus/core/words.h>
#include <gradus/data/npy.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "commands.h"
#include "exit_code.h"
#include "output_file.h"

namespace gradus::app {
namespace {

using interchange::GraphValue;

/// FILE or NAME=FILE for each value: by name, else the next that has none. Empty: nobody asked for it.
std::vector<std::string> files_of(const std::vector<std::string>& asked,
                                  const std::vector<GraphValue>& values, const char* option) {
  std::vector<std::string> files(values.size());
  std::vector<std::string> nameless;
  for (const std::string& text : asked) {
    bool named = false;
    for (std::size_t i = 0; i < values.size() && !named; ++i) {
      const std::string start = values[i].name + "=";
      if (!text.starts_with(start)) continue;
      files[i] = text.substr(start.size());
      named = true;
    }
    if (!named) nameless.push_back(text);
  }
  auto next = nameless.begin();
  for (std::string& file : files) {
    if (file.empty() && next != nameless.end()) file = *next++;
  }
  if (next == nameless.end()) return files;
  std::vector<std::string> names;
  for (const GraphValue& value : values) names.push_back(printable(value.name));
  fail<UsageError>(option, " ", *next, ": is one too many; there are ", joined(names));
}

/// A float of another size is converted: the file says what it computes in.
Tensor as_declared(const Tensor& array, const GraphValue& value, const std::string& file) {
  const bool converts =
      is_floating(value.dtype) && (is_floating(array.dtype()) || is_storage_only(array.dtype()));
  if (array.dtype() != value.dtype && !converts) {
    fail<UsageError>("--input ", file, ": is ", describe(array), ", ", in_quotes(value.name),
                     " is ", value.dtype);
  }
  return array.to(value.dtype);
}

}  // namespace

int run_graph_file(const RunGraphOptions& options) {
  set_num_threads(options.threads.value_or(num_threads()));
  interchange::Graph graph = interchange::read_onnx(options.file);
  const std::vector<GraphValue> ins = graph.inputs;
  const std::vector<GraphValue> outs = graph.outputs;
  const std::vector<std::string> sources = files_of(options.inputs, ins, "--input");
  const std::vector<std::string> targets = files_of(options.outputs, outs, "--output");
  Variables inputs;
  for (std::size_t i = 0; i < ins.size(); ++i) {
    if (sources[i].empty())
      fail<UsageError>("--input: ", in_quotes(ins[i].name), " is missing: --input ",
                       printable(ins[i].name), "=FILE.npy");
    inputs.emplace_back(as_declared(load_npy(sources[i]), ins[i], sources[i]));
  }
  for (const std::string& target : targets) {
    if (!target.empty()) expect_writable("--output", target);
  }
  interchange::GraphNet net(std::move(graph));
  net.eval();
  const NoGrad no_grad;
  Variables results;
  try {
    results = net(inputs);
  } catch (const IoError&) {
    throw;
  } catch (const Error& wrong) {  // inputs that the nodes do not take
    fail<BadDataError>(options.file, ": ", wrong.what());
  }
  for (std::size_t i = 0; i < outs.size(); ++i) {
    const Tensor& result = results[i].value();
    if (!targets[i].empty()) save_npy(targets[i], result);
    fmt::print("{}: {}{}\n", printable(outs[i].name), describe(result),
               targets[i].empty() ? "" : ", in " + targets[i]);
  }
  return exit_ok;
}

}  // namespace gradus::app
