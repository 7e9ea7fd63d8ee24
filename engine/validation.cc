#include "engine/validation.h"

#include <chatx/message.h>

#include "proto/utf8.h"

namespace chatx::engine {

namespace {

constexpr std::size_t detail_size_max = 256;

}  // namespace

Result<Done> check_content(std::string_view content, std::size_t size_max) {
    if (content.empty()) return Error{Reason::invalid_content, "content is empty", {}};
    if (content.size() > size_max) return Reason::message_too_large;
    if (!proto::is_utf8(content)) return Reason::invalid_utf8;
    return Done{};
}

Result<Done> check_client_id(std::string_view client_id) {
    if (client_id.size() > client_id_size_max) {
        return Error{Reason::invalid_content, "client_id is too long", {}};
    }
    if (!proto::is_utf8(client_id)) {
        return Error{Reason::invalid_utf8, "client_id is not UTF-8", {}};
    }
    return Done{};
}

Error presentable(Error error) {
    if (static_cast<std::size_t>(error.reason) >= reason_count) {
        error.reason = Reason::adapter_error;
    }
    if (!proto::is_utf8(error.detail)) error.detail.clear();
    error.detail.resize(proto::utf8_prefix(error.detail, detail_size_max).size());
    return error;
}

}  // namespace chatx::engine
