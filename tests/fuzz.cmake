# One fuzzer a parser of ours (preset "fuzz": clang with libFuzzer). Run one on a folder of samples:
# build/fuzz/bin/fuzz_csv -max_total_time=60 CORPUS
if(NOT HASTEN_FUZZ)
  return()
endif()
add_custom_target(fuzzers)

function(hasten_fuzz name source module)
  add_executable(fuzz_${name} ${CMAKE_CURRENT_LIST_DIR}/fuzz/${source}.cpp)
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(fuzz_${name} PRIVATE hasten_${module} -fsanitize=fuzzer)
  add_dependencies(fuzzers fuzz_${name})
endfunction()

foreach(format csv docx encoding front_matter html json jsonl)
  hasten_fuzz(${format} reader_${format} readers)
endforeach()
hasten_fuzz(filter filter_fuzz core)
hasten_fuzz(words words_fuzz text)
hasten_fuzz(split split_fuzz transforms)
hasten_fuzz(segment segment_fuzz segments)
hasten_fuzz(bm25_segment bm25_segment_fuzz indexes)
hasten_fuzz(vector_segment vector_segment_fuzz indexes)
hasten_fuzz(fields_segment fields_segment_fuzz indexes)
