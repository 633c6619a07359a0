# The tests of the readers run the worker; read_document is what tests/readers scores documents with.
add_executable(read_document readers/read_main.cpp)
target_link_libraries(read_document PRIVATE hasten_readers)
add_dependencies(read_document hasten-reader)
if(TARGET test_readers)
  add_dependencies(test_readers hasten-reader)
endif()
