# One fuzzer a parser of ours (preset "fuzz": clang with libFuzzer). Run one on a folder of samples:
# build/fuzz/bin/fuzz_csv -max_total_time=60 CORPUS
if(NOT HASTEN_FUZZ)
  return()
endif()
file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/fuzz/reader_*.cpp)
add_custom_target(fuzzers)
foreach(source ${fuzzers})
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE reader_ fuzz_ name ${name})
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE hasten_readers -fsanitize=fuzzer)
  add_dependencies(fuzzers ${name})
endforeach()
