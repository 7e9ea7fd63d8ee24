# chatx_module(NAME SOURCES ... HEADERS ... PUBLIC_HEADERS ... DEPENDS ... PRIVATE_DEPENDS ...)
# One folder, one target: chatx::NAME. PUBLIC_HEADERS are installed, HEADERS are not; both must compile alone.
function(chatx_module name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PUBLIC_HEADERS;DEPENDS;PRIVATE_DEPENDS")
    add_library(chatx_${name} STATIC ${arg_SOURCES})
    add_library(chatx::${name} ALIAS chatx_${name})
    set_target_properties(chatx_${name} PROPERTIES EXPORT_NAME ${name})
    target_compile_features(chatx_${name} PUBLIC cxx_std_20)
    target_include_directories(chatx_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_sources(chatx_${name} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_PUBLIC_HEADERS})
    target_link_libraries(chatx_${name} PUBLIC ${arg_DEPENDS} PRIVATE ${arg_PRIVATE_DEPENDS} $<BUILD_INTERFACE:chatx_options>)
    set_property(GLOBAL APPEND PROPERTY CHATX_INSTALLED chatx_${name})

    add_library(chatx_${name}_headers INTERFACE)
    set_target_properties(chatx_${name}_headers PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
    target_sources(chatx_${name}_headers
        INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${arg_HEADERS} ${arg_PUBLIC_HEADERS})
    target_link_libraries(chatx_${name}_headers INTERFACE chatx_${name} ${arg_PRIVATE_DEPENDS})
endfunction()

# chatx_program(NAME SOURCES ... DEPENDS ...): an executable in <build>/bin.
function(chatx_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
    add_executable(${name} ${arg_SOURCES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    target_link_libraries(${name} PRIVATE ${arg_DEPENDS} chatx_options)
    install(TARGETS ${name})
endfunction()

# Installs the libraries made so far, for find_package(chatx). The user's project needs the languages C and CXX.
function(chatx_install)
    include(GNUInstallDirs)
    get_property(libraries GLOBAL PROPERTY CHATX_INSTALLED)
    set(dir ${CMAKE_INSTALL_LIBDIR}/cmake/chatx)
    install(TARGETS ${libraries} chatx_asio EXPORT chatx ARCHIVE FILE_SET HEADERS)
    install(EXPORT chatx NAMESPACE chatx:: FILE chatx-targets.cmake DESTINATION ${dir})
    install(FILES ${PROJECT_SOURCE_DIR}/tools/cmake/ChatxPackages.cmake DESTINATION ${dir})
    file(WRITE ${PROJECT_BINARY_DIR}/chatx-config.cmake
        "include(\${CMAKE_CURRENT_LIST_DIR}/ChatxPackages.cmake)\ninclude(\${CMAKE_CURRENT_LIST_DIR}/chatx-targets.cmake)\n")
    install(FILES ${PROJECT_BINARY_DIR}/chatx-config.cmake DESTINATION ${dir})
endfunction()

add_library(chatx_sanitizers INTERFACE)
if(CHATX_SANITIZE)
    target_compile_options(chatx_sanitizers
        INTERFACE -fsanitize=${CHATX_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(chatx_sanitizers INTERFACE -fsanitize=${CHATX_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        # Its check of function pointers cannot be compiled into a coroutine (LLVM 14).
        target_compile_options(chatx_sanitizers INTERFACE -fno-sanitize=function)
    endif()
endif()

add_library(chatx_options INTERFACE)
target_link_libraries(chatx_options INTERFACE chatx_sanitizers)
target_compile_options(chatx_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -Woverloaded-virtual $<$<BOOL:${CHATX_WERROR}>:-Werror>)

# GCC's TSan cannot see through the fences that Asio uses, and says so on every include.
add_library(chatx_asio INTERFACE)
target_link_libraries(chatx_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(chatx_asio INTERFACE BOOST_ASIO_NO_DEPRECATED)
if(CHATX_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(chatx_asio INTERFACE -Wno-tsan)
endif()
