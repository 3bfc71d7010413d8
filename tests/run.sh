#!/bin/sh
# Install what is missing, build, run all tests.  Last line: N passed, N failed
#
#   sh tests/run.sh [--asan | --oclgrind | --device NAME] [PATTERN]
#
#   --asan         the C code under AddressSanitizer and UndefinedBehaviorSanitizer
#   --oclgrind     the operator tests in the OpenCL simulator, with data-race detection
#   --device NAME  the operator tests on another OpenCL device (rusticl: a second compiler on the CPU)
#   PATTERN        only test files whose path contains this word
set -eu
cd "$(dirname "$0")/.."

mode=all
build=build
device=${LACUNA_DEVICE:-}
pattern=""
while [ $# -gt 0 ]; do
  case "$1" in
    --asan) mode=asan build=build-asan ;;
    --oclgrind) mode=oclgrind ;;
    --device) mode=device device=${2:?--device needs a name} && shift ;;
    -*) echo "run.sh: unknown option $1" >&2 && exit 2 ;;
    *) pattern=$1 ;;
  esac
  shift
done

sh third_party/install.sh --tests
options="-DLAC_FAULTS=ON -DLAC_WERROR=ON"
[ "$mode" = asan ] && options="$options -DLAC_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug"
cmake -S . -B "$build" $options >"$build.log" 2>&1 || { cat "$build.log" && exit 1; }
mv "$build.log" "$build/configure.log"
cmake --build "$build" -j "$(nproc)" >"$build/make.log" 2>&1 || { cat "$build/make.log" && exit 1; }
cmake --build "$build" -j "$(nproc)" --target lac_tests >"$build/make.log" 2>&1 ||
  { cat "$build/make.log" && exit 1; }

LACUNA_TEST_MODE=$mode
LACUNA_TEST_BUILD=$build
export LACUNA_TEST_MODE LACUNA_TEST_BUILD
[ -n "$device" ] && export LACUNA_DEVICE="$device"
case "$device" in
  *rusticl*) export RUSTICL_ENABLE=llvmpipe ;;
esac
# Leaks are reported too, but for those of tests/lsan.supp. Only PoCL is loaded: other drivers leak at load and
# are gone, nameless, when the report is made.
if [ "$mode" = asan ]; then
  [ -f /etc/OpenCL/vendors/pocl.icd ] && export OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd
  export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
fi

if [ "$mode" = oclgrind ]; then
  log=$build/oclgrind.log
  rm -f "$log"
  status=0
  LACUNA_GEMM=tiled LACUNA_DEVICE=oclgrind oclgrind --data-races --log "$log" "$build/bin/lacuna" run --trust \
    tests/run.lua $pattern || status=$?
  # The simulator exits 0 whatever it finds.
  if [ -s "$log" ]; then
    echo "oclgrind found:" && head -n 40 "$log" && exit 1
  fi
  exit $status
fi
exec "$build/bin/lacuna" run --trust tests/run.lua $pattern
