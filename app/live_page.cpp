// The nets here are built anew from a snapshot: the one that is trained is not touched, nor any generator of its thread.
#include "live_page.h"

#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/data/dataset.h>
#include <gradus/data/loader.h>

#include <utility>

#include "build_model.h"
#include "loaders.h"
#include "training.h"

namespace gradus::app {
namespace {

const LiveSnapshot& there(const std::shared_ptr<const LiveSnapshot>& snapshot) {
  if (snapshot) return *snapshot;
  fail<NotNow>("the training ends, or has not come to the end of a step for a minute");
}

Sequential net_with(const LiveSnapshot& snapshot) {
  Generator unused;
  Sequential net = build_model(snapshot.run.settings, snapshot.run.image, unused);
  net.load_state_dict(snapshot.weights);
  return net;
}

}  // namespace

LivePage::LivePage(Live& live, DataParts data, std::string folder)
    : live_(live), data_(std::move(data)), folder_(std::move(folder)) {}

ReportSubject LivePage::net_of(const LiveSnapshot& snapshot) const {
  return {.run = {.record = snapshot.run,
                  .model = net_with(snapshot),
                  .training_state = snapshot.kernels},
          .data = data_,
          .trained = Trained{.metrics = snapshot.metrics, .running = !live_.finished()}};
}

ShownPage LivePage::shown() {
  {
    const std::lock_guard lock(page_mutex_);
    if (!shown_.html.empty()) return shown_;
  }
  const std::shared_ptr<const LiveSnapshot> snapshot = live_.last_snapshot();
  const RunRecord& run = there(snapshot).run;
  Report report = Report::without_file(report_options(run));
  tell_run(report, net_of(*snapshot), folder_);
  return {.html = report.html(), .run = run};
}

void LivePage::show(ShownPage page) {
  const std::lock_guard lock(page_mutex_);
  shown_ = std::move(page);
}

void LivePage::refresh() {
  const std::lock_guard one_at_a_time(refresh_mutex_);
  const std::shared_ptr<const LiveSnapshot> snapshot = live_.snapshot();
  ReportSubject net = net_of(there(snapshot));
  evaluate(net.run.model, evaluation_loader(net.run.record.settings, data_.test),
           [&](const Batch& batch, const Tensor& logits) {
             if (live_.closed()) fail<NotNow>("the program ends");
             net.trained->answers.add(batch, logits);
           });
  Report report = Report::without_file(report_options(snapshot->run));
  tell_run(report, net, folder_);
  look_inside(report, net, folder_);
  show({.html = report.html(), .run = snapshot->run});
}

LiveGuess LivePage::guess(std::string_view pixels) {
  const std::shared_ptr<const LiveSnapshot> snapshot = live_.snapshot();
  const RunRecord& run = there(snapshot).run;
  const ImageSpec& image = run.image;
  const std::int64_t numbers = image.channels * image.height * image.width;
  if (!run.pixels.unit)
    fail<ValueError>("the net was trained on numbers that are not those of pictures");
  if (std::ssize(pixels) != numbers) {
    fail<ValueError>("a drawing for this net has ", numbers, " bytes, ",
                     Shape{image.channels, image.height, image.width}, ", got ", pixels.size());
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(pixels.data());
  const Dataset drawing{
      .name = "drawing",
      .images = Tensor::from(bytes, Shape{1, image.channels, image.height, image.width}),
      .labels = zeros({1}, int64),
      .classes = image.classes,
      .normalization = run.normalization};
  LiveGuess guess{.step = run.position.step};
  const std::lock_guard lock(guess_mutex_);
  if (guesses_with_ != snapshot) {
    guessing_ = net_with(*snapshot);
    guesses_with_ = snapshot;
  }
  evaluate(guessing_, DataLoader(drawing, {.batch_size = 1, .prefetch = 0}),
           [&](const Batch&, const Tensor& logits) {
             const Tensor row = core::softmax(logits, 1).to(float64).contiguous();
             guess.probabilities = row.to_vector<double>();
           });
  return guess;
}

}  // namespace gradus::app
