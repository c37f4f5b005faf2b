# What `cmake --install build` puts in place besides the tools: the runtime, its headers, and files that let
# find_package(halfstep) and pkg-config find them.
include(CMakePackageConfigHelpers)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/runtime/include/halfstep DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(runtime halfstep_runtime halfstep_runtime_static halfstep_runtime_shared)
  if(TARGET ${runtime})
    install(TARGETS ${runtime} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()

set(HALFSTEP_CONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/halfstepConfig.cmake.in
  ${CMAKE_BINARY_DIR}/halfstepConfig.cmake INSTALL_DESTINATION ${HALFSTEP_CONFIG_DIR}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/halfstepConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# The prefix is known only when installing, so the file gives it relative to itself.
file(RELATIVE_PATH HALFSTEP_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${CMAKE_SOURCE_DIR}/cmake/halfstep.pc.in ${CMAKE_BINARY_DIR}/halfstep.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/halfstepConfig.cmake ${CMAKE_BINARY_DIR}/halfstepConfigVersion.cmake
        DESTINATION ${HALFSTEP_CONFIG_DIR})
install(FILES ${CMAKE_BINARY_DIR}/halfstep.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
