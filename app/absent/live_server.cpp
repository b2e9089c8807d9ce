// In the place of live_server.cpp in the program that loads no library of HTTP: what needs one is handed on to gradus-more
// before it comes here (main.cpp), unless that is missing.
#include <gradus/core/error.h>

#include "../live_server.h"

namespace gradus::app {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  fail<IoError>(what, ": the program gradus-more, which serves pages, is not beside this one");
}

}  // namespace

struct LiveServer::Http {};

LiveServer::LiveServer(const char* operation, const ServeAddress&) { refuse(operation); }
LiveServer::~LiveServer() = default;
Live& LiveServer::live() { refuse("serve"); }
void LiveServer::show(const DataParts&, const std::string&) { refuse("serve"); }
LivePage& LiveServer::page() { refuse("serve"); }
std::string LiveServer::url() const { return {}; }

}  // namespace gradus::app
