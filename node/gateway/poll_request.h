#pragma once

#include "node/gateway/handshake.h"
#include "node/gateway/http.h"
#include "node/gateway/poll_answer.h"
#include "node/refusals.h"
#include "proto/phoenix.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace chatx::node {

/// Where the long-poll transport is asked for, under the mount of the WebSocket.
inline constexpr std::string_view long_poll_path = "/socket/longpoll";

/// A request to the long-poll transport, as far as its head says. A GET polls, a POST says
/// something.
///
/// Pages of other sites may read the answers (`Access-Control-Allow-Origin: *`) unless the
/// configuration names the sites that may connect. That gives nothing away: no cookie and no
/// password of the browser comes along with a request, so all that a page gets is what anybody may
/// ask for, a session of its own; what belongs to another one's is behind its token. Which pages
/// may connect is decided before, by OriginPolicy.
struct PollRequest {
    bool post = false;
    bool keep_alive = true;  // And nothing of the request is left unread.
    bool expects_continue = false;
    std::size_t body_bytes = 0;
    std::string content_type;
    std::string token;                               // Empty when there is none.
    std::optional<proto::phoenix::Version> version;  // Nothing: one that is not spoken here.
    std::optional<std::string> user;                 // The name that a new session is to have.
    std::string allow_origin;                        // Who may read the answer; may be empty.
    bool origin_matters = false;                     // The answer is not for other origins.
};

/// The request is answered as it stands.
struct PollAnswered {
    HttpResponse response;
    std::optional<HandshakeRefusal> refusal;
    bool keep_alive = false;
};

/// Reads the head of a request to `long_poll_path`. The token of the header wins over the one of
/// the query. A POST says the length of its body, at most `body_bytes_max`: else it is answered
/// with 411 or 413, before the body is read.
std::variant<PollRequest, PollAnswered> read_poll_request(
    const HttpRequest& request, const OriginPolicy& origins, std::size_t body_bytes_max);

/// The answer to a request: always 200, the outcome is in the body. With `token` for a poll, unless
/// it is empty.
HttpResponse poll_response(
    const PollRequest& request, const PollAnswer& answer, std::string_view token);

}  // namespace chatx::node
