// What the files that write and read JSON share. Keys keep the order in which they are written, so that a person
// can read them too. Numbers that JSON does not have (NaN, infinity) become null; bytes that are not UTF-8 are replaced.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "records.h"

namespace gradus::app {

using Json = nlohmann::ordered_json;

std::string dump_json(const Json& json);
/// NaN for null. Throws what Json throws.
double number_at(const Json& json, const char* key);

Json to_json_object(const EpochRecord& epoch);
/// Throws what Json throws.
EpochRecord epoch_from_json(const Json& json);

}  // namespace gradus::app
