#!/bin/sh
# Install the packages that building, running and testing Lacuna needs; what is there already is left alone.
# Debian and Ubuntu. With --tests also what only tests/run.sh's modes and checks use.
set -eu

build="cmake make gcc g++ pkg-config opencl-headers ocl-icd-opencl-dev libclblast-dev liblua5.4-dev lua5.4
libhdf5-dev libopenblas-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev libzip-dev libjansson-dev
libutf8proc-dev libsentencepiece-dev libstemmer-dev wordnet-base libedit-dev pocl-opencl-icd"
tests="oclgrind mesa-opencl-icd lua-check"

wanted=$build
[ "${1:-}" = "--tests" ] && wanted="$build $tests"

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "install.sh: this is not Debian or Ubuntu; please install what these packages hold:" $wanted >&2
  exit 1
fi

missing=""
for package in $wanted; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "install.sh: packages are missing and this is not root; please install:$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "installing:$missing"
$as_root apt-get -qq update
DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq install -y --no-install-recommends $missing >/dev/null
