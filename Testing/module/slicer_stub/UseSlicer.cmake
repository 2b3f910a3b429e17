# Signatures and destinations as in Slicer's SlicerMacroBuildScriptedModule and CTK's ctkMacroCompilePythonScript.
function(_stage source_dir destination_dir)
  foreach(file ${ARGN})
    if(IS_ABSOLUTE ${file})
      message(FATAL_ERROR "An absolute path would not be copied beside the module: ${file}")
    endif()
    if(NOT EXISTS ${source_dir}/${file})
      message(FATAL_ERROR "given nonexistent file '${file}'")
    endif()
    configure_file(${source_dir}/${file} ${destination_dir}/${file} COPYONLY)
  endforeach()
endfunction()

macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(MY "NO_INSTALL_SUBDIR;GLOBAL_TARGET"
    "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(required TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR)
    if(NOT DEFINED MY_${required})
      message(FATAL_ERROR "${required} is mandatory")
    endif()
  endforeach()
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown arguments: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT DEFINED MY_SOURCE_DIR)
    set(MY_SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  _stage(${MY_SOURCE_DIR} ${MY_DESTINATION_DIR} ${MY_SCRIPTS} ${MY_RESOURCES})
endmacro()

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY_SLICER "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_SLICER_UNPARSED_ARGUMENTS OR NOT DEFINED MY_SLICER_NAME)
    message(FATAL_ERROR "NAME is missing or arguments are unknown: ${MY_SLICER_UNPARSED_ARGUMENTS}")
  endif()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MY_SLICER_NAME}
    SCRIPTS "${MY_SLICER_SCRIPTS}"
    RESOURCES "${MY_SLICER_RESOURCES}"
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR
    )
endmacro()

macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT})
    message(FATAL_ERROR "no such test script: ${MY_SCRIPT}")
  endif()
endmacro()
