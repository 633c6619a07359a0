# Archives from PyPI, unpacked beside the build folders, shared by all of them.
set(HASTEN_THIRD_PARTY ${PROJECT_SOURCE_DIR}/build/third_party CACHE PATH "Unpacked archives")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${PROJECT_SOURCE_DIR}/third_party/packages.txt)
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/fetch_packages ${HASTEN_THIRD_PARTY}
                COMMAND_ERROR_IS_FATAL ANY)

# Debian's packages.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n data)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(LibXml2 REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(pugixml REQUIRED IMPORTED_TARGET pugixml)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(libmemcached REQUIRED IMPORTED_TARGET libmemcached)
find_library(STEMMER stemmer REQUIRED)

# cppjieba: headers and dictionaries. It is compiled as it comes, without our warnings.
add_library(cppjieba INTERFACE)
target_include_directories(cppjieba SYSTEM INTERFACE
  ${HASTEN_THIRD_PARTY}/cppjieba/include ${HASTEN_THIRD_PARTY}/cppjieba/deps)
