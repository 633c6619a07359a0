# What an installation holds, and where. Everything is found relative to the library, so that the
# prefix can be moved: see src/base/resources.cpp.
#   bin/hasten                    the program
#   lib/libhasten.so              the library
#   lib/libhasten-milvus.so       and the others: clients of stores, opened when one is asked for; each is a
#                                 component of its own, as it needs libraries that nothing else needs
#   lib/hasten/                   llama.cpp, and its kernels for each kind of processor
#   libexec/hasten/               the worker that reads risky formats, and PDFium, which it loads
#   share/hasten/                 dictionaries
#   include/hasten/, lib/cmake/hasten/   for programs that use the library
include(CMakePackageConfigHelpers)

set(HASTEN_PRIVATE_LIBDIR ${CMAKE_INSTALL_LIBDIR}/hasten)
set(HASTEN_PRIVATE_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/hasten)

set_target_properties(hasten PROPERTIES VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} INSTALL_RPATH "$ORIGIN;$ORIGIN/hasten")
install(TARGETS hasten LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(type milvus postgres)
  set_target_properties(hasten-${type} PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS hasten-${type} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT hasten-${type})
endforeach()
install(DIRECTORY include/hasten DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp)

# llama.cpp: its libraries, and the modules that it chooses from at run time.
set(llama_targets llama ggml ggml-base)
foreach(variant IN LISTS llama_variants)
  if(TARGET ggml-cpu-${variant})
    list(APPEND llama_targets ggml-cpu-${variant})
  endif()
endforeach()
set_target_properties(${llama_targets} PROPERTIES INSTALL_RPATH "$ORIGIN" PUBLIC_HEADER "")
install(TARGETS ${llama_targets} LIBRARY DESTINATION ${HASTEN_PRIVATE_LIBDIR} NAMELINK_SKIP)

if(TARGET hasten_cli)
  set_target_properties(hasten_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS hasten_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS hasten-reader RUNTIME DESTINATION ${HASTEN_PRIVATE_LIBEXECDIR})
install(PROGRAMS ${HASTEN_THIRD_PARTY}/pypdfium2/pypdfium2_raw/libpdfium.so
        DESTINATION ${HASTEN_PRIVATE_LIBEXECDIR})

install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/hasten-config.cmake.in ${PROJECT_BINARY_DIR}/hastenConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hasten
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR HASTEN_PRIVATE_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hastenConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hastenConfig.cmake ${PROJECT_BINARY_DIR}/hastenConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hasten)
