// The kernels that a checkpoint carries: which epochs are kept, that they are copies, and what is refused.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/layers/models.h>

#include <app/kernel_history.h>
#include <support/error_message.h>

#include <cstdint>
#include <string>
#include <vector>

namespace app = gradus::app;
using app::KernelHistory;
using gradus::BadDataError;
using gradus::NamedTensors;

namespace {

std::vector<std::int64_t> epochs_kept(const KernelHistory& history) {
  std::vector<std::int64_t> epochs;
  for (const app::KernelSnapshot& snapshot : history.snapshots()) epochs.push_back(snapshot.epoch);
  return epochs;
}

gradus::Sequential small_net() { return gradus::make_model("cnn", {1, 8, 8, 10}); }

}  // namespace

TEST_CASE("at most 16 snapshots are kept, the same by going on as in one go") {
  const gradus::Sequential net = small_net();
  KernelHistory whole;
  for (std::int64_t epoch = 0; epoch <= 40; ++epoch) {
    whole.add(net, epoch);
    REQUIRE(std::ssize(whole.snapshots()) <= KernelHistory::most_snapshots);
  }
  CHECK(epochs_kept(whole) == std::vector<std::int64_t>{0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40});
  for (const std::int64_t stop : {0, 1, 15, 16, 17, 31, 33}) {
    CAPTURE(stop);
    KernelHistory before;
    for (std::int64_t epoch = 0; epoch <= stop; ++epoch) before.add(net, epoch);
    KernelHistory after;
    after.load_state_dict(before.state_dict(), net, stop, "file");
    after.add(net, stop);  // once more, as a training that was stopped before its first step does
    for (std::int64_t epoch = stop + 1; epoch <= 40; ++epoch) after.add(net, epoch);
    CHECK(epochs_kept(after) == epochs_kept(whole));
  }
}

TEST_CASE("a snapshot is a copy of the convolutions' weights") {
  gradus::Sequential net = small_net();
  KernelHistory history;
  history.add(net, 0);
  REQUIRE(history.snapshots().size() == 1);
  const auto& [name, kernel] = history.snapshots().front().kernels.front();
  CHECK(name == "0.weight");
  CHECK(kernel.shape() == gradus::Shape{16, 1, 3, 3});
  const std::vector<float> before = kernel.to_vector<float>();
  gradus::Tensor weight = net.named_parameters().front().second.value();
  CHECK(before == weight.to_vector<float>());
  weight.fill_(0);
  CHECK(before == kernel.to_vector<float>());
  CHECK(history.state_dict().front().first == "kernels.0.0.weight");
  std::int64_t numbers = 0;
  for (const auto& each : history.snapshots().front().kernels) numbers += each.second.numel();
  CHECK(numbers <= KernelHistory::most_numbers);
}

TEST_CASE("kernels that are not of this training are refused") {
  const gradus::Sequential net = small_net();
  KernelHistory history;
  for (std::int64_t epoch = 0; epoch <= 2; ++epoch) history.add(net, epoch);
  const NamedTensors right = history.state_dict();
  const auto message = [&](const NamedTensors& state, std::int64_t epochs) {
    KernelHistory other;
    return message_of<BadDataError>([&] { other.load_state_dict(state, net, epochs, "file"); });
  };
  CHECK(message(right, 1) ==
        "file: 'kernels.2.0.weight' is no kernel of the 1 epochs that it has done");
  for (const char* name : {"kernels.", "kernels.x.0.weight", "kernels.-1.0.weight", "kernels.1",
                           "kernels.99999999999999999999.0.weight"}) {
    NamedTensors renamed = right;
    renamed.front().first = name;
    CHECK(contains(message(renamed, 2), "is no kernel of the 2 epochs"));
  }
  NamedTensors backwards(right.rbegin(), right.rend());
  CHECK(contains(message(backwards, 2), "is no kernel of the 2 epochs"));
  NamedTensors short_one(right.begin() + 1, right.end());
  CHECK(message(short_one, 2) == "file: its kernels after epoch 0 are not those of its model");
  NamedTensors bent = right;
  bent.back().second = gradus::zeros({1, 1, 3, 3});
  CHECK(message(bent, 2) == "file: its kernels after epoch 2 are not those of its model");
}
