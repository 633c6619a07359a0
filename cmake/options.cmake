# What every target of ours is compiled with. Third-party code is not.
add_library(hasten_options INTERFACE)
target_compile_options(hasten_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                                -Wno-missing-field-initializers
                                                -ffp-contract=off)  # the same bits on every machine
target_include_directories(hasten_options INTERFACE ${PROJECT_SOURCE_DIR}/include
                                                    ${PROJECT_SOURCE_DIR}/src)
if(HASTEN_SANITIZE)
  target_compile_options(hasten_options INTERFACE -fsanitize=${HASTEN_SANITIZE}
                                                  -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hasten_options INTERFACE -fsanitize=${HASTEN_SANITIZE})
endif()
