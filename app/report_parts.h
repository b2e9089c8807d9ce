// What a training left behind, as a report shows it and as the doctor hears of it.
#pragma once

#include <gradus/report/report.h>
#include <gradus/report/vitals.h>

#include <string>
#include <vector>

#include "records.h"
#include "run_folder.h"

namespace gradus::app {

/// Settings, losses, and how it ended, unless it is `running` in this process.
ReportRun how_it_went(const LoadedRun& run, const Metrics& metrics, const std::string& folder,
                      bool running);

/// Of each parameter: its norms, and of kernels what they were after some epochs.
std::vector<ParameterHistory> histories(const LoadedRun& run, const Metrics& metrics,
                                        const std::string& folder);

/// Of each parameter what is seen of it without a training.
std::vector<Vitals::Parameter> parameter_vitals(const Module& net);
/// The learning rate by which it went as it went: the highest, but where it diverged the last.
double rate_to_blame(const Settings& settings, const Metrics& metrics);
/// What is known of the steps, of vitals that have their parameters.
void add_course(Vitals& vitals, const Metrics& metrics);

}  // namespace gradus::app
