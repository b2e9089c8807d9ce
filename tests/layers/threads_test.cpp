// Whole trainings on several threads: nets of their own, weights in common, loaders, profilers, and
// somebody who changes the number of threads meanwhile. Made to run under the thread sanitizer too.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/data/dataset.h>
#include <gradus/data/loader.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>
#include <gradus/optim/sgd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

using namespace gradus;

namespace {

constexpr int thread_count = 4;

void on_threads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < thread_count; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
}

Dataset images() {
  Generator generator(3);
  return {.name = "noise",
          .images = rand({24, 1, 8, 8}, generator),
          .labels = randint(0, 3, {24}, generator),
          .classes = 3};
}

Sequential small_net(std::uint64_t seed) {
  Generator generator(seed);
  return Sequential{Conv2d{1, 4, {.kernel_size = 3, .padding = 1}, generator}, ReLU{},
                    MaxPool2d{{.kernel_size = 2}}, Flatten{}, Linear{64, 3, {}, generator}};
}

/// The losses of a short training.
std::vector<double> train(std::uint64_t seed, const DataLoader& loader) {
  Sequential model = small_net(seed);
  SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9});
  std::vector<double> losses;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const Batch& batch : loader.epoch(epoch)) {
      optimizer.zero_grad();
      const Variable loss = cross_entropy(model(batch.images), batch.labels);
      loss.backward();
      optimizer.step();
      losses.push_back(loss.item());
    }
  }
  return losses;
}

}  // namespace

TEST_CASE("threads train nets of their own, each as if it were alone") {
  const DataLoader loader(images(), {.batch_size = 8, .shuffle = true, .seed = 2});
  std::vector<std::vector<double>> alone;
  for (int t = 0; t < thread_count; ++t)
    alone.push_back(train(static_cast<std::uint64_t>(t), loader));
  std::vector<std::vector<double>> together(thread_count);
  on_threads([&](int t) {
    together[static_cast<std::size_t>(t)] = train(static_cast<std::uint64_t>(t), loader);
  });
  CHECK(together == alone);
}

TEST_CASE("threads that differentiate one net's weights lose nothing") {
  Sequential model = small_net(1);
  const Dataset data = images();
  const auto pass = [&](int t) {
    const Tensor x = data.images.narrow(0, 6 * t, 6);
    cross_entropy(model(x), data.labels.narrow(0, 6 * t, 6)).backward();
  };
  for (int t = 0; t < thread_count; ++t) pass(t);
  std::vector<Tensor> expected;
  for (const Variable& w : model.parameters()) {
    expected.push_back(w.grad().value().clone());
    w.zero_grad();
  }
  on_threads(pass);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(core::allclose(model.parameters()[i].grad().value(), expected[i], 1e-5, 1e-6));
}

TEST_CASE("profilers, loaders that read ahead, and another number of threads, all at once") {
  const DataLoader loader(images(), {.batch_size = 8, .shuffle = true, .seed = 2, .prefetch = 2});
  const std::vector<double> expected = train(7, loader);
  const int before = num_threads();
  std::atomic<bool> done = false;
  std::thread changing([&] {
    for (int n = 1; !done; n = n % 3 + 1) {
      set_num_threads(n);
      std::this_thread::yield();
    }
  });
  std::vector<std::vector<double>> losses(thread_count);
  std::vector<std::size_t> events(thread_count);
  on_threads([&](int t) {
    const Profiler profiler;
    losses[static_cast<std::size_t>(t)] = train(7, loader);
    events[static_cast<std::size_t>(t)] = profiler.events().size();
  });
  done = true;
  changing.join();
  set_num_threads(before);
  for (const std::vector<double>& each : losses) CHECK(each == expected);
  for (const std::size_t count : events) {
    CHECK(count > 0);
    CHECK(count == events[0]);
  }
}
