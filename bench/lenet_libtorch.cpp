// A training step of LeNet with libtorch: lenet.cpp line by line, for the comparison.
#include <torch/torch.h>

#include "lenet_step.h"

int main(int argc, char** argv) {
  const bench::Settings settings = bench::parse(argc, argv);
  torch::set_num_threads(static_cast<int>(settings.threads));

  namespace nn = torch::nn;
  nn::Sequential model(nn::Conv2d(nn::Conv2dOptions(1, 6, 5).padding(2)), nn::ReLU(),
                       nn::MaxPool2d(2), nn::Conv2d(6, 16, 5), nn::ReLU(), nn::MaxPool2d(2),
                       nn::Flatten(), nn::Linear(400, 120), nn::ReLU(), nn::Linear(120, 84),
                       nn::ReLU(), nn::Linear(84, bench::classes));
  const std::vector<torch::Tensor> parameters = model->parameters();
  std::int64_t fan_in = 1;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const torch::Tensor& values = parameters[p];
    if (values.dim() > 1) fan_in = values.numel() / values.size(0);  // a bias has its weight's
    bench::fill_parameter(static_cast<std::int64_t>(p), fan_in, values.numel(),
                          values.data_ptr<float>());
  }
  torch::optim::SGD optimizer(
      parameters, torch::optim::SGDOptions(bench::learning_rate).momentum(bench::momentum));

  std::vector<torch::Tensor> images;
  std::vector<torch::Tensor> labels;
  for (std::int64_t b = 0; b < settings.batches(); ++b) {
    images.push_back(torch::empty({settings.batch, 1, bench::image_side, bench::image_side}));
    labels.push_back(torch::empty({settings.batch}, torch::kInt64));
    bench::fill_images(b, settings.batch, images.back().data_ptr<float>());
    bench::fill_labels(b, settings.batch, labels.back().data_ptr<std::int64_t>());
  }

  const auto step = [&](std::int64_t b) {
    const auto index = static_cast<std::size_t>(b);
    const torch::Tensor loss =
        torch::nn::functional::cross_entropy(model->forward(images[index]), labels[index]);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss.item<double>();
  };
  const bench::Timing timing = bench::time_steps(settings, step, [] {});
  bench::report("libtorch " TORCH_VERSION, settings, timing);
}
