# Helpers that declare Gantry's targets: one per folder, with the alias gantry::<name>.

set(GANTRY_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    # gcc leaves this out of -Wconversion for C++; both compilers get the same set.
    list(APPEND GANTRY_WARNINGS -Wno-sign-conversion)
endif()
if(GANTRY_WERROR)
    list(APPEND GANTRY_WARNINGS -Werror)
endif()

function(gantry_target_defaults target)
    target_compile_features(${target} PUBLIC cxx_std_23)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE ${GANTRY_WARNINGS})
endfunction()

# A test's own code is not optimised: it compiles in two thirds of the time, and what it tests is.
function(_gantry_test_defaults target)
    gantry_target_defaults(${target})
    target_compile_options(${target} PRIVATE -O0)
endfunction()

# A GoogleTest executable in the suite unit: no network, no sleep.
function(_gantry_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
    if(NOT GANTRY_BUILD_TESTS OR NOT ARG_SOURCES)
        return()
    endif()
    add_executable(${name}_test ${ARG_SOURCES})
    _gantry_test_defaults(${name}_test)
    target_link_libraries(${name}_test PRIVATE ${ARG_DEPENDS} GTest::gmock_main)
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120)
    set_property(GLOBAL APPEND PROPERTY GANTRY_UNIT_TESTS ${name}_test)
endfunction()

# gantry_library(<name> SOURCES … HEADERS … DEPENDS … DEPENDS_PRIVATE … TESTS … TEST_DEPENDS …)
# Declares gantry_<name> (alias gantry::<name>) from libs/<name>, and its unit tests <name>_test.
function(gantry_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;DEPENDS;DEPENDS_PRIVATE;TESTS;TEST_DEPENDS" ${ARGN})
    set(target gantry_${name})
    if(ARG_SOURCES)
        add_library(${target} STATIC ${ARG_SOURCES})
        gantry_target_defaults(${target})
        target_sources(${target} PUBLIC FILE_SET HEADERS
            BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${ARG_HEADERS})
        target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_DEPENDS_PRIVATE})
        set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ${GANTRY_VERIFY_HEADERS})
    else()
        add_library(${target} INTERFACE)
        target_compile_features(${target} INTERFACE cxx_std_23)
        target_sources(${target} INTERFACE FILE_SET HEADERS
            BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${ARG_HEADERS})
        target_link_libraries(${target} INTERFACE ${ARG_DEPENDS})
    endif()
    add_library(gantry::${name} ALIAS ${target})
    _gantry_unit_test(${name} SOURCES ${ARG_TESTS} DEPENDS ${target} ${ARG_DEPENDS_PRIVATE} ${ARG_TEST_DEPENDS})
endfunction()

# gantry_service(<name> SOURCES … DEPENDS … TESTS … TEST_DEPENDS …)
# Declares the binary <name> from main.cpp, and <name>_parts, a library of everything else, so that
# the service's own unit tests and the integration tests can link it.
function(gantry_service name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;TESTS;TEST_DEPENDS" ${ARGN})
    string(REPLACE "-" "_" id ${name})
    add_library(${id}_parts STATIC ${ARG_SOURCES})
    gantry_target_defaults(${id}_parts)
    target_include_directories(${id}_parts PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${id}_parts PUBLIC ${ARG_DEPENDS})
    add_executable(${name} main.cpp)
    gantry_target_defaults(${name})
    target_link_libraries(${name} PRIVATE ${id}_parts)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
    _gantry_unit_test(${id} SOURCES ${ARG_TESTS} DEPENDS ${id}_parts ${ARG_TEST_DEPENDS})
endfunction()

# gantry_conformance_test(<area> SOURCES … DEPENDS …)
# A GoogleTest executable that holds libraries to their design page, through public headers only. It
# counts as a unit test, so that it runs under the sanitizers as well.
function(gantry_conformance_test area)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
    _gantry_unit_test(conformance_${area} SOURCES ${ARG_SOURCES} DEPENDS ${ARG_DEPENDS})
    if(TEST unit.conformance_${area})
        # Ten thousand lives take most of a minute on a crowded machine.
        set_tests_properties(unit.conformance_${area} PROPERTIES TIMEOUT 300)
    endif()
endfunction()

# gantry_integration_test(<area> SOURCES … DEPENDS …)
# A GoogleTest executable that talks to the PostgreSQL of GANTRY_TEST_DATABASE_URL and the Kafka of
# GANTRY_TEST_KAFKA_BROKERS. It makes its own database and topics, so suites run side by side.
function(gantry_integration_test area)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
    if(NOT GANTRY_BUILD_TESTS)
        return()
    endif()
    set(target integration_${area}_test)
    add_executable(${target} ${ARG_SOURCES})
    _gantry_test_defaults(${target})
    target_link_libraries(${target} PRIVATE ${ARG_DEPENDS} GTest::gmock_main)
    add_test(NAME integration.${area} COMMAND ${target})
    set_tests_properties(integration.${area} PROPERTIES LABELS integration TIMEOUT 300)
    set_property(GLOBAL APPEND PROPERTY GANTRY_INTEGRATION_TESTS ${target})
endfunction()

# gantry_fuzz_target(<name> SOURCE <file> CORPUS <folder> DEPENDS …)
# Under clang with GANTRY_FUZZ=ON: a libFuzzer binary. Otherwise nothing.
function(gantry_fuzz_target name)
    cmake_parse_arguments(ARG "" "SOURCE" "DEPENDS" ${ARGN})
    if(NOT GANTRY_FUZZ)
        return()
    endif()
    add_executable(fuzz_${name} ${ARG_SOURCE})
    gantry_target_defaults(fuzz_${name})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPENDS})
    set_property(GLOBAL APPEND PROPERTY GANTRY_FUZZ_TARGETS fuzz_${name})
endfunction()
