# One function per kind of target, so that adding an operator, a test or a fuzzer is one line.

add_library(ringlet_options INTERFACE)
target_include_directories(ringlet_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
# -ffp-contract=off: a fused multiply-add happens where the source says so and nowhere else, so that
# scalar references and kernels mean the same thing under every compiler.
target_compile_options(ringlet_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -ffp-contract=off
  # g++ 12 sees overlapping copies in string concatenations that cannot overlap (its PR 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# Compilers get as much time as the code is worth: see ringlet_busy_options.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
endif()
if(RINGLET_SANITIZE)
  set(CMAKE_CXX_FLAGS_SANITIZE "-O0 -g1 -DNDEBUG")
  target_compile_options(ringlet_options INTERFACE
    -fsanitize=${RINGLET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ringlet_options INTERFACE -fsanitize=${RINGLET_SANITIZE})
endif()
if(RINGLET_FUZZ)
  target_compile_options(ringlet_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# For code that users or tests wait for. Linked after ringlet_options, because the last word counts.
add_library(ringlet_busy_options INTERFACE)
if(RINGLET_SANITIZE)
  target_compile_options(ringlet_busy_options INTERFACE -O2)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(ringlet_busy_options INTERFACE -O3)
endif()

# What a test is compiled with.
add_library(ringlet_test_options INTERFACE)
target_link_libraries(ringlet_test_options INTERFACE GTest::gtest_main)
target_compile_definitions(ringlet_test_options INTERFACE
  RINGLET_SOURCE_DIR="${CMAKE_SOURCE_DIR}" RINGLET_BINARY_DIR="${CMAKE_BINARY_DIR}")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(ringlet_test_options INTERFACE -O1)
endif()

# ringlet_precompile(target [BUSY] [JSON] [TEST]): with RINGLET_PCH, the target's sources begin with
# the precompiled headers of other projects, which take longer to parse than most sources. The first
# target of a kind compiles them for all others, which therefore must share its options, except that
# compilers let levels of optimization share, but not with none. JSON is apart because every user of
# g++'s precompiled templates instantiates some again, which takes longer than a small source; clang
# does not.
function(ringlet_precompile target)
  if(NOT RINGLET_PCH)
    return()
  endif()
  cmake_parse_arguments(ARG "BUSY;JSON;TEST" "" "" ${ARGN})
  set(kind pch)
  set(headers <algorithm> <array> <bit> <cmath> <cstdint> <cstring> <functional> <limits> <map>
    <memory> <optional> <set> <span> <string> <string_view> <unordered_map> <utility> <vector>
    <fmt/format.h>)
  if(ARG_BUSY AND RINGLET_SANITIZE)
    string(APPEND kind _busy)
  endif()
  if(ARG_JSON OR CMAKE_CXX_COMPILER_ID MATCHES Clang)
    string(APPEND kind _json)
    list(APPEND headers <nlohmann/json.hpp>)
  endif()
  if(ARG_TEST)
    string(APPEND kind _test)
    list(APPEND headers <gtest/gtest.h>)
  endif()
  # With precompiled headers g++ 12 sees string concatenations that write too far, as it sees the
  # overlapping ones above; builds without them keep these warnings. ccache needs to be told by clang's
  # checksum, not by a time, that a precompiled header is the same.
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-stringop-overflow>
    "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
  get_property(first GLOBAL PROPERTY RINGLET_FIRST_${kind})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${headers})
    set_property(GLOBAL PROPERTY RINGLET_FIRST_${kind} ${target})
  endif()
endfunction()

# ringlet_add_library(name [BUSY] [JSON] SOURCES a.cc b.cc DEPS x y): a static library.
# BUSY: tests spend their time in it. JSON, here and below: most of the sources include base/json.h.
function(ringlet_add_library name)
  cmake_parse_arguments(ARG "BUSY;JSON" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ringlet_options ${ARG_DEPS})
  if(ARG_BUSY)
    target_link_libraries(${name} PRIVATE ringlet_busy_options)
  endif()
  ringlet_precompile(${name} ${ARGN})
endfunction()

# ringlet_add_test(name [JSON] SOURCES a_test.cc DEPS x [LABELS l] [TIMEOUT seconds]): a GoogleTest
# program, one ctest entry.
function(ringlet_add_test name)
  if(NOT RINGLET_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "JSON" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ringlet_options ${ARG_DEPS} ringlet_test_options)
  ringlet_precompile(${name} TEST ${ARGN})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(CMAKE_CROSSCOMPILING)  # emulated
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# ringlet_add_bench(name SOURCES a_bench.cc DEPS x): a Google Benchmark program, built by hand or by
# `make bench`, never a test.
function(ringlet_add_bench name)
  if(NOT RINGLET_BENCH)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ringlet_options ${ARG_DEPS} benchmark::benchmark_main)
endfunction()

# ringlet_add_fuzz(name SOURCE f.cc DEPS x): with RINGLET_FUZZ a libFuzzer program; otherwise, with
# tests, a replay of fuzz/corpus/<name> so that past findings stay fixed.
function(ringlet_add_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE" "DEPS" ${ARGN})
  if(RINGLET_FUZZ)
    add_executable(${name} ${ARG_SOURCE})
    target_link_libraries(${name} PRIVATE ringlet_options ${ARG_DEPS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    ringlet_precompile(${name})
  else()
    add_executable(${name} ${ARG_SOURCE} ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
    target_link_libraries(${name} PRIVATE ringlet_options ${ARG_DEPS})
    ringlet_precompile(${name})
    add_test(NAME ${name}_replay COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(${name}_replay PROPERTIES TIMEOUT 120)
  endif()
endfunction()

# Kernels are long unrolled loops, which sanitizers make slow to compile: without the checks that the
# address sanitizer covers, and without the fuzzers' counters. Linked after ringlet_options, because
# the last word on a check counts.
add_library(ringlet_kernel_options INTERFACE)
if(RINGLET_SANITIZE)
  target_compile_options(ringlet_kernel_options INTERFACE -O1)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(ringlet_kernel_options INTERFACE -O3)
endif()
if(RINGLET_SANITIZE MATCHES undefined)
  target_compile_options(ringlet_kernel_options INTERFACE -fno-sanitize=null,pointer-overflow)
endif()
if(RINGLET_FUZZ)
  target_compile_options(ringlet_kernel_options INTERFACE -fno-sanitize=fuzzer-no-link)
endif()

# ringlet_add_cpu_kernels(target file.cc ISAS scalar avx2 ...): compiles file.cc once per instruction
# set, with -DRINGLET_ISA_<NAME>=1 and no -m flags (the source opens its own target region, so shared
# inline functions never get compiled for a processor that may lack the instructions).
function(ringlet_add_cpu_kernels target file)
  cmake_parse_arguments(ARG "" "" "ISAS" ${ARGN})
  get_filename_component(stem ${file} NAME_WE)
  foreach(isa ${ARG_ISAS})
    string(TOUPPER ${isa} isa_upper)
    set(object ${target}_${stem}_${isa})
    add_library(${object} OBJECT ${file})
    target_link_libraries(${object} PUBLIC ringlet_options PRIVATE ringlet_kernel_options)
    target_compile_definitions(${object} PRIVATE RINGLET_ISA=${isa} RINGLET_ISA_${isa_upper}=1)
    # g++ 12 reports the undefined-vector intrinsics of its own headers, and loops of one-lane vectors
    # that no int64 count could make overflow.
    target_compile_options(${object} PRIVATE
      $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized -Wno-maybe-uninitialized -Wno-aggressive-loop-optimizations>)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
    set_property(GLOBAL APPEND PROPERTY RINGLET_KERNEL_OBJECTS $<TARGET_OBJECTS:${object}>)
  endforeach()
  set_property(GLOBAL APPEND PROPERTY RINGLET_KERNEL_FILES ${file})
endfunction()
