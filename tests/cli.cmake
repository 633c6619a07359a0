# The command line, the examples, the installation and the include rules, from outside.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# The parts of the program that are plain functions.
set(cli ${PROJECT_SOURCE_DIR}/apps/cli)
add_executable(test_cli cli/metrics_test.cpp cli/dataset_test.cpp cli/terminal_test.cpp
  cli/exits_test.cpp cli/chart_test.cpp ${cli}/chart.cpp ${cli}/metrics.cpp ${cli}/dataset.cpp ${cli}/terminal.cpp
  ${cli}/progress.cpp ${cli}/output.cpp ${cli}/options.cpp)
target_include_directories(test_cli PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(test_cli PRIVATE hasten hasten_options CLI11::CLI11 fmt::fmt
                                       nlohmann_json::nlohmann_json GTest::gtest_main)
add_test(NAME cli_functions COMMAND test_cli)

add_test(NAME cli COMMAND Python3::Interpreter -m unittest discover -s ${CMAKE_CURRENT_LIST_DIR}/cli -p "*_test.py")
add_test(NAME examples COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/cli/examples.py)
add_test(NAME layering COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/layering/layering_test.py
                               ${PROJECT_SOURCE_DIR})
add_test(NAME consumer COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/consumer/consumer_test.py
                               ${PROJECT_BINARY_DIR})

# Models are fetched and imported once, before the tests that need them run side by side.
add_test(NAME install_models COMMAND hasten_cli model install --quiet multilingual-e5-small
         all-MiniLM-L6-v2 SmolLM2-135M-Instruct)
set_tests_properties(install_models PROPERTIES FIXTURES_SETUP models)
set_tests_properties(cli examples PROPERTIES FIXTURES_REQUIRED models)

set_tests_properties(cli_functions cli examples layering consumer install_models
                     PROPERTIES LABELS fast TIMEOUT 600
                     ENVIRONMENT "HASTEN_BUILD=${PROJECT_BINARY_DIR}")
