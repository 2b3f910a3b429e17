# Slicer packages here; this writes down what it would package under which name.
file(WRITE ${CMAKE_BINARY_DIR}/metadata.txt "project ${PROJECT_NAME}\n")
foreach(key HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  string(TOLOWER ${key} name)
  file(APPEND ${CMAKE_BINARY_DIR}/metadata.txt "${name} ${EXTENSION_${key}}\n")
endforeach()
