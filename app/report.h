// What the report of a training is made of: for the file of `gradus report`, and for the page of `gradus serve`.
#pragma once

#include <gradus/report/doctor.h>
#include <gradus/report/report.h>

#include <string>
#include <vector>

#include "answers.h"
#include "data_parts.h"
#include "metrics_file.h"
#include "run_folder.h"

namespace gradus::app {

/// A training, its data, and what its model makes of the test images.
struct TrainedNet {
  LoadedRun run{};
  Metrics metrics{};
  DataParts data{};
  Answers answers{};
  bool running = false;  ///< in this process: neither finished nor interrupted
};

/// The training in `folder`, with the weights that count, and all its answers. What takes a while shows progress on
/// stderr unless `quiet`. Throws what load_trained(), read_metrics() and load_same_data() throw.
TrainedNet load_trained_net(const std::string& folder, const std::string& data_dir, bool quiet);

ReportOptions report_options(const RunRecord& run);

/// How the training went, which needs no answers.
void tell_run(Report& report, const TrainedNet& net, const std::string& folder);
/// The net from inside on a few test images, where it is wrong, and what it suffers from, which is returned.
std::vector<Finding> look_inside(Report& report, TrainedNet& net, const std::string& folder);

}  // namespace gradus::app
