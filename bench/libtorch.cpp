// The workloads with libtorch: gradus.cpp, function by function, for the comparison. All switches
// stay where libtorch has them, oneDNN's included.
#include <torch/torch.h>

#include "measure.h"

using bench::Layer;
using bench::Workload;
namespace nn = torch::nn;

namespace {

void fill(bench::Parameters& first, const torch::Tensor& parameter, std::int64_t fan_in) {
  if (!parameter.defined()) return;
  first.fill(fan_in, parameter.numel(), parameter.data_ptr<float>());
}

nn::Sequential build(const bench::Net& net, bench::Parameters& first);

/// relu(body(x) + shortcut(x))
struct ResidualImpl : nn::Module {
  nn::Sequential body{nullptr};
  nn::Sequential shortcut{nullptr};

  ResidualImpl(const Layer& layer, bench::Parameters& first) {
    body = register_module("body", build(layer.body, first));
    if (!layer.shortcut.empty())
      shortcut = register_module("shortcut", build(layer.shortcut, first));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return torch::relu(body->forward(x) + (shortcut.is_empty() ? x : shortcut->forward(x)));
  }
};
TORCH_MODULE(Residual);

nn::Conv2d make_conv(const Layer& layer, bench::Parameters& first) {
  nn::Conv2d conv(nn::Conv2dOptions(layer.in, layer.out, layer.kernel)
                      .stride(layer.stride)
                      .padding(layer.padding)
                      .dilation(layer.dilation)
                      .groups(layer.groups)
                      .bias(layer.bias));
  const std::int64_t fan_in = layer.in / layer.groups * layer.kernel * layer.kernel;
  fill(first, conv->weight, fan_in);
  fill(first, conv->bias, fan_in);
  return conv;
}

nn::Sequential build(const bench::Net& net, bench::Parameters& first) {
  nn::Sequential model;
  for (const Layer& layer : net) {
    switch (layer.kind) {
      case Layer::Kind::conv:
        model->push_back(make_conv(layer, first));
        break;
      case Layer::Kind::batch_norm:
        model->push_back(nn::BatchNorm2d(layer.out));
        break;
      case Layer::Kind::relu:
        model->push_back(nn::ReLU());
        break;
      case Layer::Kind::max_pool:
        model->push_back(nn::MaxPool2d(2));
        break;
      case Layer::Kind::global_pool:
        model->push_back(nn::AdaptiveAvgPool2d(1));
        break;
      case Layer::Kind::flatten:
        model->push_back(nn::Flatten());
        break;
      case Layer::Kind::linear: {
        nn::Linear made(layer.in, layer.out);
        fill(first, made->weight, layer.in);
        fill(first, made->bias, layer.in);
        model->push_back(made);
        break;
      }
      case Layer::Kind::residual:
        model->push_back(Residual(layer, first));
        break;
    }
  }
  return model;
}

double digest(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  return bench::digest(flat.data_ptr<float>(), flat.numel());
}

class Machine {
 public:
  Machine(const Workload& workload, int threads) : kind_(workload.kind) {
    if (kind_ == bench::Kind::sgemm || workload.products) {
      std::fprintf(stderr, "BLAS is measured without libtorch\n");
      std::exit(2);
    }
    at::set_num_threads(threads);
    const auto [channels, height, width] = workload.image;
    for (std::int64_t b = 0; b < bench::batches(workload); ++b) {
      images_.push_back(torch::empty({workload.batch, channels, height, width}));
      labels_.push_back(torch::empty({workload.batch}, torch::kInt64));
      bench::fill_images(b, images_.back().numel(), images_.back().data_ptr<float>());
      bench::fill_labels(b, workload.batch, labels_.back().data_ptr<std::int64_t>());
    }
    bench::Parameters first;
    model_ = build(workload.net, first);
    if (kind_ == bench::Kind::train) {
      optimizer_.emplace(
          model_->parameters(),
          torch::optim::SGDOptions(bench::first_learning_rate).momentum(bench::momentum));
    }
    if (kind_ == bench::Kind::infer) model_->eval();
    if (kind_ == bench::Kind::conv_training) {
      const torch::NoGradGuard none;
      seed_ = torch::empty_like(model_->forward(images_[0]));
      bench::fill(bench::seed_stream, 1, seed_.numel(), seed_.data_ptr<float>());
    }
  }

  void step(std::int64_t index, std::vector<double>* results) {
    switch (kind_) {
      case bench::Kind::train:
        return train(static_cast<std::size_t>(index), results);
      case bench::Kind::infer:
      case bench::Kind::conv_forward:
        return forward(static_cast<std::size_t>(index), results);
      case bench::Kind::conv_training:
        return both_gradients(results);
      case bench::Kind::sgemm:
        return;
    }
  }

  void settle() {
    if (!optimizer_) return;
    for (torch::optim::OptimizerParamGroup& group : optimizer_->param_groups())
      group.options().set_lr(bench::learning_rate);
  }
  int threads() const { return at::get_num_threads(); }
  std::int64_t allocations() const { return -1; }

 private:
  void train(std::size_t index, std::vector<double>* results) {
    optimizer_->zero_grad();
    const torch::Tensor loss =
        nn::functional::cross_entropy(model_->forward(images_[index]), labels_[index]);
    loss.backward();
    optimizer_->step();
    const double value = loss.item<double>();
    if (!results) return;
    const bool first = results->empty();
    results->push_back(value);
    if (!first) return;  // rounding, and a relu that falls on the other side, grow with each step
    double gradients = 0;
    for (const torch::Tensor& p : model_->parameters()) gradients += digest(p.grad());
    results->push_back(gradients);
  }

  void forward(std::size_t index, std::vector<double>* results) {
    const torch::NoGradGuard none;
    const torch::Tensor y = model_->forward(images_[index]);
    if (results) results->push_back(digest(y));
  }

  void both_gradients(std::vector<double>* results) {
    const torch::Tensor x = images_[0].detach().requires_grad_();
    const torch::Tensor weight = model_->parameters()[0];
    const torch::autograd::variable_list gradients =
        torch::autograd::grad({model_->forward(x)}, {x, weight}, {seed_});
    if (!results) return;
    for (const torch::Tensor& g : gradients) results->push_back(digest(g));
  }

  bench::Kind kind_;
  nn::Sequential model_;
  std::optional<torch::optim::SGD> optimizer_;
  std::vector<torch::Tensor> images_;
  std::vector<torch::Tensor> labels_;
  torch::Tensor seed_;  // of a convolution's gradients
};

}  // namespace

int main(int argc, char** argv) { return bench::run<Machine>("libtorch", argc, argv); }
