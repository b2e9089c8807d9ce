// What the program prints with --json: one line, parsed.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <support/program.h>

/// Runs `gradus` with the arguments; fails the test unless it succeeds and prints one line.
inline nlohmann::json result_of(std::vector<std::string> arguments) {
  RunningProgram program(std::move(arguments));
  CHECK(program.finish() == 0);
  CHECK(std::count(program.output().begin(), program.output().end(), '\n') == 1);
  return nlohmann::json::parse(program.output());
}
