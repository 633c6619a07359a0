# The acceptance suite: real documents, real models, the whole program. It needs the data sets beside
# the checkout and takes long the first time, when their texts are embedded; the vectors are kept in
# the model folder.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB acceptance CONFIGURE_DEPENDS accept/test_*.py)
foreach(source ${acceptance})
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE test_ "" name ${name})
  add_test(NAME accept_${name} COMMAND ${Python3_EXECUTABLE} -m unittest -v ${source}
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/accept)
  set_tests_properties(accept_${name} PROPERTIES LABELS accept TIMEOUT 7200 RUN_SERIAL ON
    ENVIRONMENT "HASTEN=$<TARGET_FILE:hasten_cli>;HASTEN_EVIDENCE=$<TARGET_FILE:relevance_evidence>;HASTEN_SHARED_DATA=${PROJECT_SOURCE_DIR}/../shared/data")
endforeach()

# The random steps of tests/indexes/change_test.cpp, a hundred thousand of them.
add_test(NAME accept_change COMMAND test_indexes --gtest_filter=Change.*)
set_tests_properties(accept_change PROPERTIES LABELS accept TIMEOUT 7200 ENVIRONMENT HASTEN_STEPS=100000)
# Those of tests/engine/change_test.cpp, each with its commits.
add_test(NAME accept_change_engine COMMAND test_engine --gtest_filter=Change.*)
set_tests_properties(accept_change_engine PROPERTIES LABELS accept TIMEOUT 7200 ENVIRONMENT HASTEN_STEPS=20000)
# What caches give against what is found without them, in each place where they can be kept.
add_test(NAME accept_caching COMMAND test_engine --gtest_filter=Caching.WhatIsFound*)
set_tests_properties(accept_caching PROPERTIES LABELS accept TIMEOUT 7200 ENVIRONMENT HASTEN_STEPS=100000)
