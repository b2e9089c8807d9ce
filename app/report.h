// What the report of a training is made of: for the file of `gradus report`, and for the page of `gradus serve`.
#pragma once

#include <gradus/report/doctor.h>
#include <gradus/report/report.h>

#include <optional>
#include <string>
#include <vector>

#include "answers.h"
#include "data_parts.h"
#include "metrics_file.h"
#include "own_pictures.h"
#include "run_folder.h"

namespace gradus::app {

/// What a training left behind, and what its model makes of the test images.
struct Trained {
  Metrics metrics{};
  Answers answers{};
  bool running = false;  ///< in this process: neither finished nor interrupted
};

/// A net with the data that it is for.
struct ReportSubject {
  LoadedRun run{};
  DataParts data{};
  std::optional<Trained> trained{};  ///< none: it has its first weights
};

/// The training in `folder`, with the weights that count, and all its answers. What takes a while shows progress on
/// stderr unless `quiet`. Throws what load_trained(), read_course() and load_same_data() throw.
ReportSubject load_trained_net(const std::string& folder, const std::string& data_dir, bool quiet);

ReportOptions report_options(const RunRecord& run, bool trained = true);

/// How the training went, of a subject that has one; its answers are not needed.
void tell_run(Report& report, const ReportSubject& subject, const std::string& folder);
/// The net from inside on `pictures` and a few test images, where it is wrong, and what it suffers from, which is
/// returned.
std::vector<Finding> look_inside(Report& report, ReportSubject& subject, const std::string& folder,
                                 const ReadPictures& pictures = {});

}  // namespace gradus::app
