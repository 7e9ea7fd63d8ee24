#pragma once

#include <chatx/errors.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include <string>
#include <string_view>

/// What the chat says in JSON: the payloads of its events and replies, the same on every transport.
namespace chatx::proto {

/// What a sender is told of its message.
struct Receipt {
    MessageId id;
    Epoch epoch;
    Seq seq;
    WallTime inserted_at;
};

/// Each appends one JSON object. Ids and epochs are strings, times are milliseconds, empty optional
/// fields are left out.
/// `{"id","room_id","user_id","content","inserted_at","seq","epoch","client_id"?,"reply_to"?}`
void append_json(std::string& out, const Message& message);
/// `{"id","seq","epoch","inserted_at"}`
void append_json(std::string& out, const Receipt& receipt);
/// `{"reason","retry_after_ms"?}`, the time rounded up. The detail is for the log.
void append_json(std::string& out, const Error& error);
/// `{"reason"}` with a text of Phoenix's own.
void append_reason_json(std::string& out, std::string_view reason);

}  // namespace chatx::proto
