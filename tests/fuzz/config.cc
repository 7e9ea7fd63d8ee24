#include "node/config.h"

#include "tests/fuzz/fuzz.h"

#include <array>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace chatx::node;

std::variant<LoadedConfig, Exit> load(const std::string& file) {
    static const std::array<std::string, 4> arguments{"--config", "f.toml", "--data", "/d"};
    ConfigInput input;
    input.arguments = arguments;
    input.read_file = [&](const std::string&) { return FileText{file, {}}; };
    input.version = "0";
    input.host_name = "n1";
    return load_config(input);
}

}  // namespace

// Any file is read or refused with a text; one that is read is printed as one that says the same.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto result = load(std::string(chatx::fuzz::to_text(data, size)));
    if (const auto* refused = std::get_if<Exit>(&result)) {
        CHATX_ASSERT(!refused->text.empty());
        return 0;
    }
    const auto& loaded = std::get<LoadedConfig>(result);
    const auto again = load(print_config(loaded));
    CHATX_ASSERT(std::holds_alternative<LoadedConfig>(again));
    CHATX_ASSERT(std::get<LoadedConfig>(again).config == loaded.config);
    return 0;
}
