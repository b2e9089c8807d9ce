// A training that is kept: its checkpoint, its lines of metrics.jsonl, its event files.
#pragma once

#include <gradus/layers/module.h>

#include <cstdint>

#include "live.h"
#include "progress.h"
#include "records.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {

/// The training between two steps, for those who watch it.
LiveSnapshot snapshot_of(const Training& training, const Module& model, const RunRecord& run);

/// Trains, with a checkpoint after every epoch, after as many steps as asked for (0: no other), after every minute, and
/// where the rate was changed by hand; `live`: who watches, null: nobody. Returns false when a signal ended it early.
bool train_and_keep(Training& training, const Module& model, RunFolder& folder, RunRecord& run,
                    Progress& progress, std::int64_t checkpoint_steps, Live* live);

}  // namespace gradus::app
