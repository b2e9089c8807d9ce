// gradus summary: a model layer by layer, with what each costs. Nothing is estimated: the model takes
// steps on a batch of zeros, and the counters that are there anyway are read, the profiler's flops and
// the pool's bytes.
//
// Flops are read by hooks around every module. For those of backward each module starts a tape of its own
// and runs backward as soon as it is done: so they are known to be its own. A module whose input wants no
// gradient, the first with parameters, computes none for it there as in a training.
//
// Bytes are read from the tape of a step without hooks, which would keep a ReLU from being computed with
// the layer in front of it: the flops are the same then, but not what is kept. The tape is taken down from
// its end, and each op is charged with what is freed with it.
#include <gradus/autograd/op.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/storage.h>
#include <gradus/layers/net_json.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "build_model.h"
#include "commands.h"
#include "exit_code.h"
#include "json.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t most_batch_pixels = 1 << 26;  // 256 MB
constexpr std::int64_t most_classes = 1 << 20;
constexpr std::int64_t most_output_bytes = 1 << 30;  // of one layer of a file, for the whole batch

struct SummaryModel {
  Sequential model;
  ImageSpec image;
};

// ---- What is summed up ----------------------------------------------------------------------------

ImageSpec image_asked_for(const SummaryOptions& options) {
  const bool lenet = options.what == "lenet";
  const std::int64_t side = lenet ? 28 : 32;
  return {.channels = options.channels.value_or(lenet ? 1 : 3),
          .height = options.height.value_or(side),
          .width = options.width.value_or(side),
          .classes = options.classes.value_or(10)};
}

/// Throws UsageError for an image that is none, or a batch too large to run.
void check_batch(const SummaryOptions& options, const ImageSpec& image) {
  std::int64_t left = most_batch_pixels;
  for (const std::int64_t size : {options.batch, image.channels, image.height, image.width}) {
    if (size < 1 || size > left) {
      fail<UsageError>("summary: a batch of ", options.batch, " images of ",
                       Shape{image.channels, image.height, image.width}, ": must be between 1 and ",
                       most_batch_pixels, " pixels in all");
    }
    left /= size;
  }
  if (image.classes < 1 || image.classes > most_classes) {
    fail<UsageError>("--classes ", image.classes, ": must be between 1 and ", most_classes);
  }
}

void expect_equal(const char* option, std::optional<std::int64_t> asked, std::int64_t found,
                  const std::string& folder) {
  if (asked && *asked != found)
    fail<UsageError>(option, " ", *asked, ": the model in ", folder, " has ", found);
}

SummaryModel model_of_folder(const SummaryOptions& options) {
  LoadedRun run = load_trained(options.what);
  const ImageSpec& image = run.record.image;
  expect_equal("--channels", options.channels, image.channels, options.what);
  expect_equal("--height", options.height, image.height, options.what);
  expect_equal("--width", options.width, image.width, options.what);
  expect_equal("--classes", options.classes, image.classes, options.what);
  check_batch(options, image);
  return {std::move(run.model), image};
}

SummaryModel summary_model(const SummaryOptions& options) {
  const std::vector<std::string>& names = model_names();
  const bool is_name = std::find(names.begin(), names.end(), options.what) != names.end();
  std::error_code unreadable;
  if (!is_name && fs::is_directory(options.what, unreadable)) return model_of_folder(options);
  const ImageSpec image = image_asked_for(options);
  check_batch(options, image);
  Generator generator(1);
  if (!is_name) {
    if (!fs::exists(options.what, unreadable)) {
      fail<NotFoundError>("summary: ", options.what,
                          " is no folder, no file, and none of the models ", joined(names));
    }
    return {make_net(read_net_file(options.what), options.what, image, generator,
                     {.output_bytes = most_output_bytes / options.batch}),
            image};
  }
  try {
    return {make_model(options.what, image, generator), image};
  } catch (const ValueError& wrong) {
    fail<UsageError>(wrong.what());
  }
}

// ---- Counting -------------------------------------------------------------------------------------

/// Flops of the events from `first` on.
std::int64_t flops_since(const Profiler& profiler, std::size_t first) {
  std::int64_t flops = 0;
  for (std::size_t i = first; i < profiler.events().size(); ++i)
    flops += profiler.events()[i].flops;
  return flops;
}

/// The modules of a model, each with its row and its parent's number, and the hooks on them.
class WatchedModules {
 public:
  explicit WatchedModules(Module& model) {
    for (const auto& [place, module] : model.named_modules()) {
      const auto dots = std::count(place.begin(), place.end(), '.');
      rows.push_back({.place = place,
                      .kind = module->kind(),
                      .depth = place.empty() ? 0 : static_cast<int>(dots) + 1,
                      .parameters = module->parameter_count()});
      parents_.push_back(parent_of(rows.size() - 1));
      modules_.push_back(module);
    }
  }
  ~WatchedModules() { unhook(); }
  WatchedModules(const WatchedModules&) = delete;
  WatchedModules& operator=(const WatchedModules&) = delete;

  std::vector<SummaryRow> rows;

  using Before = std::function<Variable(std::size_t row, const Variable& x)>;
  using After = std::function<Variable(std::size_t row, const Variable& y)>;
  /// Hooks on all modules, in the place of those before.
  void hook(const Before& before, const After& after) {
    unhook();
    for (std::size_t row = 0; row < modules_.size(); ++row) {
      hooks_.push_back(modules_[row]->register_forward_pre_hook(
          [=](Module&, const Variable& x) { return before(row, x); }));
      hooks_.push_back(modules_[row]->register_forward_hook(
          [=](Module&, const Variable&, const Variable& y) { return after(row, y); }));
    }
  }
  void unhook() {
    for (HookHandle& hook : hooks_) hook.remove();
    hooks_.clear();
  }

  /// The row of the module at `place`; of the model where there is none.
  std::size_t row_at(const std::string& place) const {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const SummaryRow& row) { return row.place == place; });
    return found == rows.end() ? 0 : static_cast<std::size_t>(found - rows.begin());
  }
  /// Adds to a row and to those of the modules around it.
  void add(std::size_t row, std::int64_t SummaryRow::*number, std::int64_t amount) {
    rows[row].*number += amount;
    while (row != 0) {
      row = parents_[row];
      rows[row].*number += amount;
    }
  }

 private:
  /// Parents stand before their children: the last row whose depth is one less.
  std::size_t parent_of(std::size_t row) const {
    std::size_t parent = row;
    while (parent > 0 && rows[parent].depth >= rows[row].depth) --parent;
    return parent;
  }

  std::vector<std::size_t> parents_;
  std::vector<Module*> modules_;
  std::vector<HookHandle> hooks_;
};

/// The forward pass: shapes and flops.
void count_forward(WatchedModules& watched, Module& model, const Tensor& images) {
  const Profiler profiler;
  std::vector<std::size_t> begins;  // events that were there before the modules that are running
  const auto before = [&](std::size_t, const Variable&) {
    begins.push_back(profiler.events().size());
    return Variable();
  };
  const auto after = [&](std::size_t row, const Variable& y) {
    watched.rows[row].flops_forward += flops_since(profiler, begins.back());
    watched.rows[row].output = y.shape();
    begins.pop_back();
    return Variable();
  };
  watched.hook(before, after);
  model(images);
  watched.unhook();
}

/// All nodes behind `last`, the newest first.
std::vector<std::shared_ptr<Node>> tape_of(const std::shared_ptr<Node>& last) {
  std::vector<std::shared_ptr<Node>> tape;
  std::set<const Node*> seen;
  std::vector<std::shared_ptr<Node>> ahead = {last};
  while (!ahead.empty()) {
    const std::shared_ptr<Node> node = ahead.back();
    ahead.pop_back();
    if (node == nullptr || !seen.insert(node.get()).second) continue;
    tape.push_back(node);
    ahead.insert(ahead.end(), node->inputs.begin(), node->inputs.end());
  }
  std::sort(tape.begin(), tape.end(),
            [](const auto& a, const auto& b) { return a->number > b->number; });
  return tape;
}

/// What the tape keeps. Of several ops that keep the same numbers the first is charged, which is the last
/// to be taken down.
void count_kept(WatchedModules& watched, Module& model, const Tensor& images) {
  const std::vector<std::shared_ptr<Node>> tape = tape_of(model(images).node());
  for (const std::shared_ptr<Node>& node : tape) {
    const std::int64_t live = storage_statistics().live_bytes;
    node->op.reset();
    node->kept.clear();
    watched.add(watched.row_at(node->within.path()), &SummaryRow::kept_bytes,
                live - storage_statistics().live_bytes);
  }
}

/// The backward passes, one for each module.
void count_backward(WatchedModules& watched, Module& model, const Tensor& images) {
  const Profiler profiler;
  const auto before = [](std::size_t, const Variable& x) {
    return x.requires_grad() ? Variable(x.value(), true) : Variable();
  };
  const auto after = [&](std::size_t row, const Variable& y) {
    if (!y.requires_grad()) return Variable();
    const std::size_t first = profiler.events().size();
    y.backward(zeros(y.shape(), y.dtype()));
    watched.add(row, &SummaryRow::flops_backward, flops_since(profiler, first));
    return Variable(y.value(), true);
  };
  watched.hook(before, after);
  model(images);
  watched.unhook();
}

SummaryRecord summed_up(const SummaryOptions& options, SummaryModel& subject) {
  const ImageSpec& image = subject.image;
  SummaryRecord summary{.model = options.what, .image = image, .batch = options.batch};
  for (const auto& [name, buffer] : subject.model.named_buffers())
    summary.buffers += buffer.numel();
  const Tensor images = zeros({options.batch, image.channels, image.height, image.width});
  subject.model.train();
  WatchedModules watched(subject.model);
  try {
    count_forward(watched, subject.model, images);
    count_backward(watched, subject.model, images);
    count_kept(watched, subject.model, images);
  } catch (const ShapeError& wrong) {  // a batch norm of one value
    fail<UsageError>("--batch ", options.batch, ": ", wrong.what());
  }
  summary.rows = watched.rows;
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
  SummaryModel subject = summary_model(options);
  const SummaryRecord summary = summed_up(options, subject);
  if (options.json) {
    fmt::print("{}\n", to_json(summary));
  } else {
    print(summary);
  }
  return exit_ok;
}

}  // namespace gradus::app
