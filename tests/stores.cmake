# The suite of vector stores, a program a store: the suite, and what starts and connects that store.
# LABEL fast: its server is there on every machine that can build; servers: tools/test_venv fetches it.
function(hasten_vector_store_test name label)
  file(GLOB sources CONFIGURE_DEPENDS stores/${name}/*.cpp)
  add_executable(test_vectors_${name} stores/vector_store_suite.cpp ${sources})
  target_include_directories(test_vectors_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_vectors_${name} PRIVATE hasten_stores GTest::gtest_main ${ARGN})
  target_compile_definitions(test_vectors_${name} PRIVATE HASTEN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME vectors_${name} COMMAND test_vectors_${name})
  set_tests_properties(vectors_${name} PROPERTIES LABELS ${label} TIMEOUT 900)
endfunction()

hasten_vector_store_test(memory fast)
hasten_vector_store_test(postgres servers hasten_postgres)
hasten_vector_store_test(chroma servers)
hasten_vector_store_test(milvus_lite servers hasten_milvus)
hasten_vector_store_test(milvus servers hasten_milvus)

add_executable(test_milvus_server stores/milvus_server/milvus_server_test.cpp)
target_include_directories(test_milvus_server PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(test_milvus_server PRIVATE hasten_stores hasten_milvus milvus_messages GTest::gtest_main)
target_compile_definitions(test_milvus_server PRIVATE HASTEN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
add_test(NAME milvus_server COMMAND test_milvus_server)
set_tests_properties(milvus_server PROPERTIES LABELS servers TIMEOUT 900)

# The suite of segment stores, a program a store, in the same way.
function(hasten_segment_store_test name label)
  file(GLOB suite CONFIGURE_DEPENDS stores/segment_store_suite/*.cpp)
  add_executable(test_segments_${name} ${suite} stores/segment_stores/${name}.cpp ${ARGN})
  target_include_directories(test_segments_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_segments_${name} PRIVATE hasten_stores GTest::gtest_main)
  target_compile_definitions(test_segments_${name} PRIVATE HASTEN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME segments_${name} COMMAND test_segments_${name})
  set_tests_properties(segments_${name} PROPERTIES LABELS ${label} TIMEOUT 900)
endfunction()

hasten_segment_store_test(local fast)
hasten_segment_store_test(memory fast)
file(GLOB postgres_truth CONFIGURE_DEPENDS stores/postgres_truth/*.cpp)
hasten_segment_store_test(postgres servers stores/postgres/postgres_server.cpp
                          stores/postgres/proxy.cpp ${postgres_truth})
target_link_libraries(test_segments_postgres PRIVATE hasten_postgres)

# Store modules, and knowledge bases on real servers through them. Modules belong to the shared library: a program
# with a second copy of it inside would not be one that users have.
function(hasten_module_test name)
  add_executable(test_${name} ${ARGN})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_${name} PRIVATE hasten hasten_options fmt::fmt nlohmann_json::nlohmann_json
                                             GTest::gtest_main)
  target_compile_definitions(test_${name} PRIVATE HASTEN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_dependencies(test_${name} hasten-milvus hasten-postgres)
endfunction()

foreach(library other_build no_module)
  add_library(${library} MODULE engine/store_modules/${library}.cpp)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME hasten-milvus
    PREFIX "${CMAKE_SHARED_LIBRARY_PREFIX}" SUFFIX "${CMAKE_SHARED_LIBRARY_SUFFIX}"
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${library})
endforeach()
file(GLOB sources CONFIGURE_DEPENDS engine/store_modules/*_test.cpp)
hasten_module_test(store_modules ${sources})
add_dependencies(test_store_modules other_build no_module)
target_compile_definitions(test_store_modules PRIVATE
  HASTEN_MILVUS_MODULE="$<TARGET_FILE:hasten-milvus>"
  HASTEN_OTHER_BUILD="$<TARGET_FILE_DIR:other_build>" HASTEN_NO_MODULE="$<TARGET_FILE_DIR:no_module>")
add_test(NAME store_modules COMMAND test_store_modules)
set_tests_properties(store_modules PROPERTIES LABELS fast TIMEOUT 300)

# The real Milvus takes the program into a network of its own: it has one for itself.
file(GLOB sources CONFIGURE_DEPENDS engine/vector_servers/*.cpp)
hasten_module_test(vector_servers ${sources} stores/postgres/postgres_server.cpp $<TARGET_OBJECTS:hasten_postgres>)
target_link_libraries(test_vector_servers PRIVATE PkgConfig::libpq SQLite::SQLite3 OpenSSL::Crypto)
add_dependencies(test_vector_servers hasten_cli)
foreach(name vector_servers milvus_under_load)
  add_test(NAME ${name} COMMAND test_vector_servers)
endforeach()
set_tests_properties(vector_servers milvus_under_load PROPERTIES LABELS servers TIMEOUT 900 FIXTURES_REQUIRED models)
set_tests_properties(vector_servers PROPERTIES ENVIRONMENT GTEST_FILTER=-RealMilvus/*)
set_tests_properties(milvus_under_load PROPERTIES ENVIRONMENT GTEST_FILTER=RealMilvus/*)

# Knowledge bases whose truth a server keeps, from the command line, from one host and from several.
file(GLOB sources CONFIGURE_DEPENDS engine/remote_truth/*_test.cpp)
hasten_module_test(remote_truth ${sources} stores/postgres/postgres_server.cpp stores/postgres/proxy.cpp
                   $<TARGET_OBJECTS:hasten_postgres>)
target_link_libraries(test_remote_truth PRIVATE PkgConfig::libpq SQLite::SQLite3 OpenSSL::Crypto)
add_dependencies(test_remote_truth hasten_cli)
add_test(NAME remote_truth COMMAND test_remote_truth)
set_tests_properties(remote_truth PROPERTIES LABELS servers TIMEOUT 900 FIXTURES_REQUIRED models)

# It takes the program into a network of its own, and so is one of its own.
hasten_module_test(two_hosts engine/two_hosts/two_hosts_test.cpp engine/two_hosts/hosts.cpp
                   stores/postgres/postgres_server.cpp $<TARGET_OBJECTS:hasten_postgres>)
target_link_libraries(test_two_hosts PRIVATE PkgConfig::libpq SQLite::SQLite3 OpenSSL::Crypto)
add_executable(two_hosts_host engine/two_hosts/host.cpp)
target_include_directories(two_hosts_host PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(two_hosts_host PRIVATE hasten hasten_options nlohmann_json::nlohmann_json)
target_compile_definitions(test_two_hosts PRIVATE HASTEN_HOST_PROGRAM="$<TARGET_FILE:two_hosts_host>")
add_dependencies(test_two_hosts hasten_cli two_hosts_host)
add_test(NAME two_hosts COMMAND test_two_hosts)
set_tests_properties(two_hosts PROPERTIES LABELS servers TIMEOUT 900 FIXTURES_REQUIRED models)
