// The workloads with Gradus. libtorch.cpp is the same with libtorch.
#include <gradus/gradus.h>

#include <cblas.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "convolutions.h"
#include "measure.h"

using namespace gradus;
using bench::Layer;
using bench::Workload;

namespace {

void fill(bench::Parameters& first, const Variable& parameter, std::int64_t fan_in) {
  if (!parameter.defined()) return;
  first.fill(fan_in, parameter.numel(), parameter.value().data<float>());
}

Sequential build(const bench::Net& net, bench::Parameters& first);

Conv2d make_conv(const Layer& layer, bench::Parameters& first) {
  Conv2d conv{layer.in,
              layer.out,
              {.kernel_size = layer.kernel,
               .stride = layer.stride,
               .padding = layer.padding,
               .dilation = layer.dilation,
               .groups = layer.groups,
               .bias = layer.bias}};
  const std::int64_t fan_in = layer.in / layer.groups * layer.kernel * layer.kernel;
  fill(first, conv.weight, fan_in);
  fill(first, conv.bias, fan_in);
  return conv;
}

Sequential build(const bench::Net& net, bench::Parameters& first) {
  Sequential model;
  for (const Layer& layer : net) {
    switch (layer.kind) {
      case Layer::Kind::conv:
        model.append(make_conv(layer, first));
        break;
      case Layer::Kind::batch_norm:
        model.append(BatchNorm2d{layer.out});
        break;
      case Layer::Kind::relu:
        model.append(ReLU{});
        break;
      case Layer::Kind::max_pool:
        model.append(MaxPool2d{{.kernel_size = 2}});
        break;
      case Layer::Kind::global_pool:
        model.append(AdaptiveAvgPool2d{1});
        break;
      case Layer::Kind::flatten:
        model.append(Flatten{});
        break;
      case Layer::Kind::linear: {
        Linear made{layer.in, layer.out};
        fill(first, made.weight, layer.in);
        fill(first, made.bias, layer.in);
        model.append(std::move(made));
        break;
      }
      case Layer::Kind::residual: {
        auto body = std::make_unique<Sequential>(build(layer.body, first));
        std::unique_ptr<Sequential> shortcut;
        if (!layer.shortcut.empty())
          shortcut = std::make_unique<Sequential>(build(layer.shortcut, first));
        model.append(Residual(std::move(body), std::move(shortcut), Activation::relu));
        break;
      }
    }
  }
  return model;
}

double digest(const Tensor& tensor) {
  const Tensor flat = tensor.contiguous();
  return bench::digest(flat.data<float>(), flat.numel());
}

/// The matrix products of a 1x1 convolution, one BLAS call per image and pass, images in parallel:
/// W·x[n], and for the gradients Wᵀ·dy[n] and Σₙ dy[n]·x[n]ᵀ.
class Products {
 public:
  explicit Products(const Workload& workload)
      : gradients_(workload.kind == bench::Kind::conv_training),
        batch_(workload.batch),
        in_(static_cast<int>(workload.net[0].in)),
        out_(static_cast<int>(workload.net[0].out)),
        pixels_(static_cast<int>(workload.image.height * workload.image.width)),
        w_(matrix(1, out_, in_)),
        x_(matrix(batch_, in_, pixels_)),
        y_(matrix(batch_, out_, pixels_)),
        dx_(matrix(batch_, in_, pixels_)),
        dw_(matrix(num_threads(), out_, in_)) {
    openblas_set_num_threads(1);
  }

  void step() {
    const std::int64_t grain = (batch_ + num_threads() - 1) / num_threads();
    parallel_for(batch_, grain, [&](std::int64_t begin, std::int64_t end) {
      float* sum = dw_.data<float>() + begin / grain * out_ * in_;
      for (std::int64_t n = begin; n < end; ++n) {
        const float* x = x_.data<float>() + n * in_ * pixels_;
        float* y = y_.data<float>() + n * out_ * pixels_;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, out_, pixels_, in_, 1,
                    w_.data<float>(), in_, x, pixels_, 0, y, pixels_);
        if (!gradients_) continue;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, in_, pixels_, out_, 1,
                    w_.data<float>(), in_, y, pixels_, 0, dx_.data<float>() + n * in_ * pixels_,
                    pixels_);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, out_, in_, pixels_, 1, y, pixels_, x,
                    pixels_, n == begin ? 0.0F : 1.0F, sum, in_);
      }
    });
  }

 private:
  static Tensor matrix(std::int64_t count, std::int64_t rows, std::int64_t columns) {
    Tensor tensor = Tensor::empty({count, rows, columns});
    bench::fill(0, 1, tensor.numel(), tensor.data<float>());
    return tensor;
  }

  bool gradients_;
  std::int64_t batch_;
  int in_, out_, pixels_;
  Tensor w_, x_, y_, dx_, dw_;
};

class Machine {
 public:
  Machine(const Workload& workload, int threads) : kind_(workload.kind) {
    if (kind_ == bench::Kind::sgemm) {
      openblas_set_num_threads(threads);
      for (Tensor* matrix : {&a_, &b_, &c_}) {
        *matrix = Tensor::empty({bench::sgemm_side, bench::sgemm_side});
        bench::fill(0, 1, matrix->numel(), matrix->data<float>());
      }
      return;
    }
    set_num_threads(threads);
    if (workload.products) {
      products_.emplace(workload);
      return;
    }
    const auto [channels, height, width] = workload.image;
    for (std::int64_t b = 0; b < bench::batches(workload); ++b) {
      images_.push_back(Tensor::empty({workload.batch, channels, height, width}));
      labels_.push_back(Tensor::empty({workload.batch}, int64));
      bench::fill_images(b, images_.back().numel(), images_.back().data<float>());
      bench::fill_labels(b, workload.batch, labels_.back().data<std::int64_t>());
    }
    bench::Parameters first;
    model_ = build(workload.net, first);
    if (kind_ == bench::Kind::train) {
      optimizer_.emplace(model_.parameters(),
                         SGDOptions{.lr = bench::first_learning_rate, .momentum = bench::momentum});
    }
    if (kind_ == bench::Kind::infer) {
      model_.eval();
      model_.fuse();
    }
    if (kind_ == bench::Kind::conv_training) {
      const NoGrad none;
      seed_ = empty_like(model_(images_[0]).value());
      bench::fill(bench::seed_stream, 1, seed_.numel(), seed_.data<float>());
    }
  }

  void step(std::int64_t index, std::vector<double>* results) {
    if (products_) return products_->step();
    switch (kind_) {
      case bench::Kind::train:
        return train(static_cast<std::size_t>(index), results);
      case bench::Kind::infer:
      case bench::Kind::conv_forward:
        return forward(static_cast<std::size_t>(index), results);
      case bench::Kind::conv_training:
        return both_gradients(results);
      case bench::Kind::sgemm:
        return sgemm();
    }
  }

  void settle() {
    if (optimizer_) optimizer_->set_lr(bench::learning_rate);
  }
  int threads() const {
    return kind_ == bench::Kind::sgemm ? openblas_get_num_threads() : num_threads();
  }
  std::int64_t allocations() const { return storage_statistics().allocations; }

 private:
  void train(std::size_t index, std::vector<double>* results) {
    optimizer_->zero_grad();
    const Variable loss = cross_entropy(model_(images_[index]), labels_[index]);
    loss.backward();
    optimizer_->step();
    const double value = loss.item();
    if (!results) return;
    const bool first = results->empty();
    results->push_back(value);
    if (!first) return;  // rounding, and a relu that falls on the other side, grow with each step
    double gradients = 0;
    for (const Variable& p : optimizer_->parameters()) gradients += digest(p.grad().value());
    results->push_back(gradients);
  }

  void forward(std::size_t index, std::vector<double>* results) {
    const NoGrad none;
    const Variable y = model_(images_[index]);
    if (results) results->push_back(digest(y.value()));
  }

  void both_gradients(std::vector<double>* results) {
    const Variable x(images_[0], true);
    const Variable weight = model_.get<Conv2d>(0).weight;
    const Variables gradients = grad({model_(x)}, {x, weight}, {seed_});
    if (!results) return;
    for (const Variable& g : gradients) results->push_back(digest(g.value()));
  }

  void sgemm() {
    constexpr int n = static_cast<int>(bench::sgemm_side);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a_.data<float>(), n,
                b_.data<float>(), n, 0, c_.data<float>(), n);
  }

  bench::Kind kind_;
  Sequential model_;
  std::optional<SGD> optimizer_;
  std::vector<Tensor> images_;
  std::vector<Tensor> labels_;
  Tensor seed_;       // of a convolution's gradients
  Tensor a_, b_, c_;  // of sgemm
  std::optional<Products> products_;
};

/// For a program in another language: the net of a workload as net.onnx, the pixels of all its batches, one after the
/// other, as images.f32, and what the report says of it as workload.json.
int export_workload(const std::string& folder, const std::string& name) {
  const std::optional<Workload> workload = bench::find_workload(name);
  if (!workload || workload->kind != bench::Kind::infer) {
    std::fprintf(stderr, "bench_gradus: no workload '%s' of inference\n", name.c_str());
    return 2;
  }
  if (!interchange::has_onnx()) {
    std::fprintf(stderr, "bench_gradus: built without ONNX\n");
    return 3;
  }
  const auto [channels, height, width] = workload->image;
  bench::Parameters first;
  Sequential model = build(workload->net, first);
  model.eval();
  std::filesystem::create_directories(folder);
  interchange::write_onnx(interchange::graph_of(model, {channels, height, width}),
                          folder + "/net.onnx");
  std::ofstream images(folder + "/images.f32", std::ios::binary);
  std::vector<float> pixels(static_cast<std::size_t>(workload->batch * channels * height * width));
  for (std::int64_t b = 0; b < bench::batches(*workload); ++b) {
    bench::fill_images(b, std::ssize(pixels), pixels.data());
    images.write(reinterpret_cast<const char*>(pixels.data()),
                 std::ssize(pixels) * static_cast<std::streamsize>(sizeof(float)));
  }
  std::ofstream(folder + "/workload.json")
      << "{\"workload\":\"" << workload->name
      << "\",\"kind\":\"infer\",\"flops\":" << flops(*workload)
      << ",\"batches\":" << bench::batches(*workload)
      << ",\"compared_steps\":" << bench::compared_steps
      << ",\"warm_seconds\":" << bench::warm_seconds
      << ",\"turn_warm_seconds\":" << bench::turn_warm_seconds
      << ",\"fewest_steps\":" << bench::fewest_steps << ",\"shape\":[" << workload->batch << ','
      << channels << ',' << height << ',' << width << "]}\n";
  return images ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--convolutions")
    return bench::measure_convolutions({argv + 2, argv + argc});
  // --export FOLDER --workload NAME/infer
  if (argc == 5 && std::string_view(argv[1]) == "--export")
    return export_workload(argv[2], argv[4]);
  return bench::run<Machine>("gradus", argc, argv);
}
