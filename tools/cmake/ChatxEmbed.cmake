# chatx_embed(TARGET DIR FILES...): makes files of DIR part of TARGET, as embedded.cc in its build folder: a table of
# names and bytes, see node/gateway/web_page.h. Made anew when one of them changes.
function(chatx_embed target dir)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded.cc)
    list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/ OUTPUT_VARIABLE paths)
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -D "OUT=${out}" -D "FILES=${paths}" -P ${PROJECT_SOURCE_DIR}/tools/cmake/embed.cmake
        DEPENDS ${paths} ${PROJECT_SOURCE_DIR}/tools/cmake/embed.cmake
        VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
