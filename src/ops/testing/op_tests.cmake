# ringlet_add_op_test(gemm/gemm_test.cc [BUSY]): a GoogleTest program gemm_test with the library's
# kernels and, on x86-64, the same tests again as gemm_emulated_test with AVX-512 kernels whose
# intrinsics are emulated (ops/simd/emulation.h; RINGLET_EMULATION turns that off).

# ringlet_add_test_objects(name source [BUSY]): what several tests share. BUSY: it computes much
# itself, as the magnitudes that errors are relative to.
function(ringlet_add_test_objects name source)
  cmake_parse_arguments(ARG "BUSY" "" "" ${ARGN})
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PRIVATE ringlet_options ringlet_tensor ringlet_test_options)
  if(ARG_BUSY AND RINGLET_SANITIZE)  # other builds optimize every test
    target_link_libraries(${name} PRIVATE ringlet_busy_options)
  endif()
  ringlet_precompile(${name} TEST ${ARGN})
endfunction()

ringlet_add_test_objects(ringlet_isa_list testing/isa_list.cc)
set(ringlet_emulate OFF)
if(RINGLET_EMULATION AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(ringlet_emulate ON)
  # The library again, with emulated AVX-512 objects in place of the real ones.
  ringlet_add_library(ringlet_ops_emulated SOURCES $<TARGET_OBJECTS:ringlet_ops> DEPS ringlet_tensor)
  get_property(kernels GLOBAL PROPERTY RINGLET_KERNEL_FILES)
  foreach(kernel ${kernels})
    get_filename_component(stem ${kernel} NAME_WE)
    foreach(isa scalar avx2)
      target_sources(ringlet_ops_emulated PRIVATE $<TARGET_OBJECTS:ringlet_ops_${stem}_${isa}>)
    endforeach()
    foreach(isa avx512_vnni avx512_bf16)
      if(TARGET ringlet_ops_${stem}_${isa})
        ringlet_add_cpu_kernels(ringlet_ops_emulated ${kernel} ISAS ${isa})
        target_compile_definitions(ringlet_ops_emulated_${stem}_${isa} PRIVATE
          RINGLET_SIMD_EMULATED)
        # Half the compile time of -O3, and fast enough.
        target_compile_options(ringlet_ops_emulated_${stem}_${isa} PRIVATE -O1)
      endif()
    endforeach()
  endforeach()
  ringlet_add_test_objects(ringlet_isa_list_emulated testing/isa_list.cc)
  target_compile_definitions(ringlet_isa_list_emulated PRIVATE RINGLET_SIMD_EMULATED)
endif()

# All operator tests.
add_custom_target(op_tests)

function(ringlet_add_op_test source)
  get_filename_component(stem ${source} NAME_WE)
  ringlet_add_test_objects(${stem}_objects ${source} ${ARGN})
  ringlet_add_test(${stem}
    SOURCES $<TARGET_OBJECTS:${stem}_objects> $<TARGET_OBJECTS:ringlet_isa_list>
    DEPS ringlet_ops LABELS ops)
  add_dependencies(op_tests ${stem})
  if(ringlet_emulate)
    string(REPLACE _test _emulated_test emulated ${stem})
    ringlet_add_test(${emulated}
      SOURCES $<TARGET_OBJECTS:${stem}_objects> $<TARGET_OBJECTS:ringlet_isa_list_emulated>
      DEPS ringlet_ops_emulated LABELS ops)
  endif()
endfunction()
