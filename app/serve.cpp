// gradus serve: the page of a training, live. One that is not finished waits there, paused, for somebody who goes on
// with it; a finished one shows its report, and what it takes drawings for.
#include <gradus/core/parallel.h>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "commands.h"
#include "exit_code.h"
#include "interrupt.h"
#include "live_server.h"
#include "report.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// That in runs whose checkpoint was written last.
std::string latest_training() {
  std::string latest;
  fs::file_time_type latest_time{};
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("runs", error)) {
    const fs::path checkpoint = entry.path() / "checkpoint.safetensors";
    const fs::file_time_type time = fs::last_write_time(checkpoint, error);
    if (error || (!latest.empty() && time <= latest_time) || !is_checkpoint(checkpoint)) continue;
    latest = entry.path().string();
    latest_time = time;
  }
  if (latest.empty()) fail<NotFoundError>("serve: there is no training in runs; name its folder");
  return latest;
}

/// The report of a training that is over, with the weights that count.
void show_report(LiveServer& server, ReportSubject net, const std::string& folder) {
  const RunRecord& run = net.run.record;
  Report report = Report::without_file(report_options(run));
  tell_run(report, net, folder);
  look_inside(report, net, folder);
  server.page().show({.html = report.html(), .run = run});
}

/// Throws for what there is nothing to show of.
bool is_unfinished(const std::string& folder) {
  const LoadedRun found = load_run(folder);
  expect_usable(found.record, folder);
  expect_begun(found, folder);
  return found.record.unfinished();
}

LiveSnapshot snapshot_of(const ReportSubject& net) {
  return {.run = net.run.record,
          .weights = copies_of(net.run.model.state_dict()),
          .kernels = net.run.training_state,
          .metrics = net.trained->metrics};
}

}  // namespace

int run_serve(const ServeOptions& options) {
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  const std::string folder = options.folder.empty() ? latest_training() : options.folder;
  std::error_code error;
  if (fs::is_regular_file(folder, error))
    fail<UsageError>(folder, ": serve shows the folder of a training");
  const bool unfinished = is_unfinished(folder);
  LiveServer server("serve", options.address);
  set_num_threads(options.threads.value_or(num_threads()));
  if (unfinished) {
    server.live().pause();
    TrainOptions train;
    train.resume = folder;
    train.data_dir = options.data_dir;
    train.threads = options.threads;
    train.quiet = options.quiet;
    const int code = run_train(train, &server);
    if (code != exit_ok) return code;
  }
  ReportSubject net = load_trained_net(folder, options.data_dir, options.quiet);
  if (!unfinished) {
    const RunRecord& run = net.run.record;
    const std::int64_t size = run.settings.batch_size;
    server.live().begin(snapshot_of(net), (run.train_images + size - 1) / size, run.last.lr);
    server.show(net.data, folder);
  }
  server.live().end(snapshot_of(net));
  show_report(server, std::move(net), folder);
  catch_interrupts();
  fmt::print("{} is at {}; Ctrl-C ends\n", folder, server.url());
  std::fflush(stdout);
  constexpr std::chrono::milliseconds glance{50};
  while (!interrupted()) std::this_thread::sleep_for(glance);
  return exit_ok;
}

}  // namespace gradus::app
