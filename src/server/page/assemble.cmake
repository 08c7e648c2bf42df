# cmake -D ... -P assemble.cmake: fills FOLDER with what the page consists of, below index.html and
# page/, and writes CODE, the source that carries those files. See CMakeLists.txt for the variables.

file(REMOVE_RECURSE ${FOLDER})
foreach(source ${SOURCES})
  if(source STREQUAL "index.html")
    set(target ${FOLDER}/index.html)
  else()
    set(target ${FOLDER}/page/${source})
  endif()
  configure_file(${SOURCE}/files/${source} ${target} COPYONLY)
endforeach()
configure_file(${SOURCE}/policy.txt ${FOLDER}/../policy.txt COPYONLY)

set(vendor ${FOLDER}/page/vendor)
file(MAKE_DIRECTORY ${vendor}/fonts)
configure_file(${MARKED} ${vendor}/marked.js COPYONLY)
configure_file(${KATEX} ${vendor}/katex.js COPYONLY)

# Its source map is not carried. sanitize() of Debian's 2.4.1+dfsg+~2.4.0-2+deb12u1 reads a variable
# that only another function declares; an object without depth stands for it, so that the check for
# tampering that was meant there passes and those of each node decide.
file(READ ${PURIFY} text)
string(REGEX REPLACE "//# sourceMappingURL=[^\n]*" "" text "${text}")
file(WRITE ${vendor}/purify.js "(function (shadowNode) {\n${text}\n}).call(globalThis, {});\n")

# Every browser that runs the page's modules reads woff2.
file(READ ${KATEX_STYLE} text)
string(REGEX REPLACE ",url\\([^)]*\\.(woff|ttf)\\) format\\([^)]*\\)" "" text "${text}")
file(WRITE ${vendor}/katex.css "${text}")
get_filename_component(fonts ${FONT} DIRECTORY)
file(GLOB fonts ${fonts}/KaTeX_*.woff2)
foreach(font ${fonts})
  get_filename_component(name ${font} NAME)
  configure_file(${font} ${vendor}/fonts/${name} COPYONLY)
endforeach()

# The core and the languages are CommonJS modules: each gets the `module` it expects.
get_filename_component(highlight ${HIGHLIGHT} DIRECTORY)
set(bundle ${vendor}/highlight.js)
file(READ ${HIGHLIGHT} text)
file(WRITE ${bundle} "(function (module) {\n${text}\n})({});\n")
foreach(language ${LANGUAGES})
  file(READ ${highlight}/languages/${language}.js text)
  file(APPEND ${bundle} "(function (module) {\n${text}\n"
    "hljs.registerLanguage('${language}', module.exports);\n})({});\n")
endforeach()

set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_txt "text/plain; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_woff2 "font/woff2")

set(PAGE_DATA "")
set(PAGE_ENTRIES "")
set(PAGE_COUNT 0)
file(GLOB_RECURSE names RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT names)
foreach(name ${names})
  string(REGEX REPLACE ".*\\." "" suffix ${name})
  if(NOT DEFINED type_${suffix})
    message(FATAL_ERROR "${name}: a kind of file without a content type")
  endif()
  file(SHA256 ${FOLDER}/${name} digest)
  string(SUBSTRING ${digest} 0 32 digest)
  set(symbol ringlet_page_${PAGE_COUNT})
  string(APPEND PAGE_DATA "RINGLET_PAGE_FILE(${symbol}, \"${FOLDER}/${name}\")\n")
  string(APPEND PAGE_ENTRIES
    "    {\"/${name}\", \"${type_${suffix}}\", \"\\\"${digest}\\\"\",\n"
    "     {${symbol}_begin, ${symbol}_end}},\n")
  math(EXPR PAGE_COUNT "${PAGE_COUNT} + 1")
endforeach()
file(READ ${SOURCE}/policy.txt PAGE_POLICY)
string(STRIP "${PAGE_POLICY}" PAGE_POLICY)
configure_file(${SOURCE}/page_files.cc.in ${CODE} @ONLY)
file(TOUCH ${CODE})
