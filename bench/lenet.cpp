// A training step of LeNet with Gradus: forward, backward, SGD with momentum. Prints one line of
// JSON. lenet_libtorch.cpp is the same with libtorch.
#include <gradus/gradus.h>

#include "lenet_step.h"

using namespace gradus;

int main(int argc, char** argv) {
  const bench::Settings settings = bench::parse(argc, argv);
  set_num_threads(static_cast<int>(settings.threads));

  Sequential model = make_lenet(bench::classes);
  const std::vector<Variable> parameters = model.parameters();
  std::int64_t fan_in = 1;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const Tensor& values = parameters[p].value();
    if (values.rank() > 1) fan_in = values.numel() / values.size(0);  // a bias has its weight's
    bench::fill_parameter(static_cast<std::int64_t>(p), fan_in, values.numel(),
                          values.data<float>());
  }
  SGD optimizer(parameters, {.lr = bench::learning_rate, .momentum = bench::momentum});

  std::vector<Tensor> images;
  std::vector<Tensor> labels;
  for (std::int64_t b = 0; b < settings.batches(); ++b) {
    images.push_back(Tensor::empty({settings.batch, 1, bench::image_side, bench::image_side}));
    labels.push_back(Tensor::empty({settings.batch}, int64));
    bench::fill_images(b, settings.batch, images.back().data<float>());
    bench::fill_labels(b, settings.batch, labels.back().data<std::int64_t>());
  }

  const auto step = [&](std::int64_t b) {
    const auto index = static_cast<std::size_t>(b);
    const Variable loss = cross_entropy(model(images[index]), labels[index]);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss.item();
  };
  StorageStatistics before;
  const bench::Timing timing =
      bench::time_steps(settings, step, [&] { before = storage_statistics(); });
  const StorageStatistics after = storage_statistics();
  bench::report("gradus", settings, timing,
                ",\"allocations\":" + std::to_string(after.allocations - before.allocations) +
                    ",\"storages_per_step\":" +
                    std::to_string((after.reuses - before.reuses) / settings.steps) +
                    ",\"peak_storage_mib\":" + std::to_string(after.peak_bytes / 1048576));
}
