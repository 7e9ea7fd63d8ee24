# Writes the files FILES as a C++ table to OUT. Run by chatx_embed at build time.
set(arrays "")
set(table "")
set(index 0)
foreach(path ${FILES})
    get_filename_component(name ${path} NAME)
    file(READ ${path} bytes HEX)
    string(LENGTH "${bytes}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," elements "${bytes}")
    string(APPEND arrays "constexpr char file_${index}[] = {${elements}};\n")
    string(APPEND table "    {\"${name}\", {file_${index}, ${size}}},\n")
    math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUT} "#include \"node/gateway/web_page.h\"

#include <array>

namespace chatx::node {

namespace {

${arrays}
constexpr std::array<WebFile, ${index}> files{{
${table}}};

}  // namespace

std::span<const WebFile> web_files() {
    return files;
}

}  // namespace chatx::node
")
