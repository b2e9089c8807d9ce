// The web server behind `gradus serve` and `gradus train --serve`: its .cpp and live_connections.h are all that knows HTTP.
//
// It listens on the loopback, unless told otherwise, and answers who asks it by an address of this machine:
//   - a Host that is a name other than localhost is refused, as a foreign page may have given its own name this
//     machine's address, and so is an Origin that is not the page itself;
//   - what changes anything is a POST that carries a token, which only the page knows.
// GET / is the page, GET /news?step=N&epoch=E what happened since. POST /pause, /go, /step, /rate (a number), /refresh,
// and /guess (the pixels of a drawing). All else is 404; what is refused is told in a line of plain text. A request has
// five seconds to arrive in, 64 KB for its head and 1 MB for its body, which must not be packed.
#pragma once

#include <memory>
#include <string>

#include "commands.h"
#include "data_parts.h"
#include "live.h"
#include "live_page.h"

namespace gradus::app {

class LiveServer {
 public:
  /// Listens, and answers nobody yet. Throws UsageError where it cannot: `operation` opens its message.
  LiveServer(const char* operation, const ServeAddress& address);
  /// Gives up what is being answered, and waits for nobody who asks.
  ~LiveServer();
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  Live& live();
  /// From now on whoever asks is answered: live() has begun.
  void show(const DataParts& data, const std::string& folder);
  /// After show().
  LivePage& page();
  /// "http://127.0.0.1:8028/"
  std::string url() const;

 private:
  struct Http;
  std::unique_ptr<Http> http_;
};

}  // namespace gradus::app
