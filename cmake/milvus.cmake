# The messages of Milvus and its gRPC client, generated from the descriptors that its Python client carries.
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)

# In the order in which they import each other.
set(milvus_files common rg schema feder msg milvus)
set(milvus_modules ${HASTEN_THIRD_PARTY}/pymilvus/pymilvus/grpc_gen)
set(milvus_out ${PROJECT_BINARY_DIR}/milvus)
file(MAKE_DIRECTORY ${milvus_out})
list(TRANSFORM milvus_files REPLACE "(.+)" "${milvus_modules}/\\1_pb2.py" OUTPUT_VARIABLE milvus_python)
list(TRANSFORM milvus_files APPEND .proto OUTPUT_VARIABLE milvus_protos)
list(TRANSFORM milvus_files REPLACE "(.+)" "${milvus_out}/\\1.pb.cc" OUTPUT_VARIABLE milvus_sources)
list(APPEND milvus_sources ${milvus_out}/milvus.grpc.pb.cc)

get_target_property(protobuf_include protobuf::libprotobuf INTERFACE_INCLUDE_DIRECTORIES)
add_custom_command(OUTPUT ${milvus_sources}
  COMMAND ${PROJECT_SOURCE_DIR}/tools/proto_descriptors milvus.descriptors ${milvus_python}
  # What one of them imports of protobuf itself.
  COMMAND protobuf::protoc --descriptor_set_out=google.descriptors -I${protobuf_include}
          google/protobuf/descriptor.proto
  COMMAND protobuf::protoc --descriptor_set_in=google.descriptors:milvus.descriptors
          --cpp_out=. --grpc_out=. --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>
          ${milvus_protos}
  DEPENDS ${milvus_python} ${PROJECT_SOURCE_DIR}/tools/proto_descriptors
  WORKING_DIRECTORY ${milvus_out}
  COMMENT "Generating the messages of Milvus")

# Compiled as it comes, with little optimising in every preset: most of it is never called.
add_library(milvus_messages STATIC EXCLUDE_FROM_ALL ${milvus_sources})
target_compile_options(milvus_messages PRIVATE -w -O1 -g0)
target_include_directories(milvus_messages SYSTEM PUBLIC ${milvus_out})
target_link_libraries(milvus_messages PUBLIC gRPC::grpc++ protobuf::libprotobuf)
