#pragma once

#include <span>
#include <string_view>

namespace chatx::node {

/// A file of the demo page, built into the program from `web/`.
struct WebFile {
    std::string_view name;
    std::string_view content;
};

/// All of them. Static data, any thread.
std::span<const WebFile> web_files();

}  // namespace chatx::node
