#pragma once

#include <chatx/errors.h>

#include "node/gateway/http.h"
#include "node/gateway/room_rows.h"
#include "node/store/dead_letters.h"
#include "proto/json.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// What the admin API says: JSON objects that all have a `schema` and a `coverage`.
namespace chatx::node {

/// Which nodes an answer is about: all there are, or all but those in `missing`. So far a node
/// speaks for itself alone.
struct Coverage {
    std::string_view node;
    bool complete = true;  // False: part of what is asked did not answer in time.
};

/// A JSON object: `{"schema","coverage":{"nodes","answered","missing"}, ...}`, the rest by `fill`.
std::string admin_object(
    std::string_view schema,
    const Coverage& coverage,
    const std::function<void(proto::json::Writer&)>& fill);

/// The same as a response with status 200.
HttpResponse admin_answer(
    std::string_view schema,
    const Coverage& coverage,
    const std::function<void(proto::json::Writer&)>& fill);

/// A refusal: `{"schema":"chatx.error.v1","coverage","error":{"reason","message"}}`. The reasons of
/// the admin API itself are `bad_request`, `not_found` and `method_not_allowed`.
struct Refusal {
    unsigned status = 400;
    std::string_view reason;
    std::string message;  // One sentence.
};

HttpResponse admin_refusal(const Refusal& refusal, const Coverage& coverage);

/// The refusal of the engine or of the store, with the HTTP status that fits.
Refusal refusal_of(const Error& error);

/// Nobody answered before the deadline.
Refusal timed_out(std::string_view who);

// Members of objects.
void text_member(proto::json::Writer& writer, std::string_view key, std::string_view text);
void number_member(proto::json::Writer& writer, std::string_view key, std::uint64_t number);
void time_member(proto::json::Writer& writer, std::string_view key, WallTime time);

/// The members
/// `"room","slot","owner","state","epoch","seq","last_inserted_at","users","connections",
/// "listeners","queue","memory_bytes"`; of a room that is in the store alone the last five are 0,
/// and `last_inserted_at` is null where there is no store.
void write_row(proto::json::Writer& writer, const RoomRow& row, std::string_view node);

/// `{"id","target","user","room","message_id","epoch","seq","sender","content","inserted_at",
/// "attempts","error","failed_at"}`
void write_letter(proto::json::Writer& writer, const DeadLetter& letter);

}  // namespace chatx::node
