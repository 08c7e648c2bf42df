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

# ringlet_add_library(name [BUSY] SOURCES a.cc b.cc DEPS x y): a static library.
# BUSY: tests spend their time in it.
function(ringlet_add_library name)
  cmake_parse_arguments(ARG "BUSY" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ringlet_options ${ARG_DEPS})
  if(ARG_BUSY)
    target_link_libraries(${name} PRIVATE ringlet_busy_options)
  endif()
endfunction()

# ringlet_add_test(name SOURCES a_test.cc DEPS x [LABELS l] [TIMEOUT seconds]): a GoogleTest program,
# one ctest entry.
function(ringlet_add_test name)
  if(NOT RINGLET_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ringlet_options ${ARG_DEPS} GTest::gtest_main)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O1)
  endif()
  target_compile_definitions(${name} PRIVATE
    RINGLET_SOURCE_DIR="${CMAKE_SOURCE_DIR}" RINGLET_BINARY_DIR="${CMAKE_BINARY_DIR}")
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
  else()
    add_executable(${name} ${ARG_SOURCE} ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
    target_link_libraries(${name} PRIVATE ringlet_options ${ARG_DEPS})
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
