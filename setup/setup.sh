#!/bin/bash
# Installs what halfstep needs on Debian 12, and nothing that is there already.
#
#   setup/setup.sh [build|test]      `test` adds what only the tests use; the default is `build`
#
# From apt: compilers, MLIR 22 (bookworm-security carries it) and libraries. From PyPI, pinned by version and hash, into
# ${HALFSTEP_DEPS_DIR:-.deps}: ONNX's schema, oneDNN, and for tests ptxas (unless a CUDA toolkit has it) and the node tests
# of ONNX.
# Python packages are only downloaded and unpacked: no environment is made or changed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$(realpath -m "${HALFSTEP_DEPS_DIR:-$root/.deps}")
kind=${1:-build}

packages=(build-essential cmake ninja-build clang-22 lld-22 llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  ccache libprotobuf-dev protobuf-compiler libcli11-dev nlohmann-json3-dev libspdlog-dev libxxhash-dev libpng-dev python3)
# clang leaves the sanitizers' run-time libraries to a package of their own.
test_packages=(libgtest-dev libclang-rt-22-dev clang-format-22 pkg-config chromium-driver)

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: error: %s\n' "$*" >&2
  exit 1
}

# --- apt -------------------------------------------------------------------------------------------------------------

# Prints those of the given packages that are not installed.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
  local name
  for name in "$@"; do
    grep -qxF -- "$name" <<<"$installed" || printf '%s\n' "$name"
  done
}

# Prints those of the given packages that apt's present lists do not offer.
unavailable_packages() {
  local known name
  known=$(apt-cache policy "$@" 2>/dev/null | sed -n '/^[^ ].*:$/{s/:$//;h}; /^  Candidate: [^(]/{g;p}')
  for name in "$@"; do
    grep -qxF -- "$name" <<<"$known" || printf '%s\n' "$name"
  done
}

# Runs apt-get as root; its output goes to the log, whose end is shown when it fails.
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >>"$log" 2>&1
}

# Sets as_root to the words that make a command run as root, or fails with what to run instead.
become_root() {
  as_root=()
  [[ $EUID -eq 0 ]] && return
  if command -v sudo >/dev/null; then
    # Without a terminal nobody can type a password.
    [[ -t 0 ]] && as_root=(sudo) || as_root=(sudo -n)
    "${as_root[@]}" true 2>/dev/null && return
  fi
  fail "may not install packages (not root, and no sudo); run as root: apt-get install --no-install-recommends $*"
}

install_packages() {
  local missing absent
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -eq 0 ]] && return
  command -v apt-get >/dev/null ||
    fail "this is no Debian (no apt-get); install these by other means: ${missing[*]}"
  become_root "${missing[@]}"
  log=$(mktemp "${TMPDIR:-/tmp}/halfstep-apt.XXXXXX")

  mapfile -t absent < <(unavailable_packages "${missing[@]}")
  local updated=no
  if [[ ${#absent[@]} -gt 0 ]]; then
    update_lists
    updated=yes
    mapfile -t absent < <(unavailable_packages "${missing[@]}")
    [[ ${#absent[@]} -eq 0 ]] ||
      fail "apt has no package ${absent[*]}; are bookworm and bookworm-security (for LLVM 22) in its sources?"
  fi

  say "installing ${#missing[@]} packages with apt: ${missing[*]}"
  if ! apt install --no-install-recommends "${missing[@]}"; then
    # Lists older than the archive name files that are gone.
    [[ $updated == no ]] && update_lists
    if [[ $updated == yes ]] || ! apt install --no-install-recommends "${missing[@]}"; then
      tail -n 15 "$log" >&2
      fail "apt-get could not install ${missing[*]} (its log: $log)"
    fi
  fi
  rm -f "$log"
}

# A source that cannot be read need not be one that is needed: what is missing decides.
update_lists() {
  say "updating apt's package lists"
  apt update || {
    grep -E '^(E|W|Err)' "$log" | tail -n 5 >&2 || true
    say "apt-get update failed for some source (above); going on with what is known"
  }
}

# --- PyPI ------------------------------------------------------------------------------------------------------------

# fetch_wheel NAME VERSION SHA256: downloads the wheel of that hash and prints its path.
# The platform is named so that any python3 gets the same file.
fetch_wheel() {
  local folder=$work/$1
  mkdir -p "$folder"
  printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$folder/requirement.txt"
  python3 -m pip --disable-pip-version-check -q download --no-deps --only-binary :all: --require-hashes \
    --implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --platform manylinux1_x86_64 -d "$folder" -r "$folder/requirement.txt" >"$folder/log" 2>&1 || {
    tail -n 5 "$folder/log" >&2
    return 1
  }
  echo "$folder"/*.whl
}

# unpack WHEEL PREFIX TARGET [EXCLUDED...]: unpacks what lies under PREFIX in the wheel into TARGET, links excluded.
unpack() {
  python3 - "$@" <<'PYTHON'
import fnmatch, os, shutil, sys, zipfile

wheel, prefix, target, *excluded = sys.argv[1:]
found = False
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        parts = entry.filename.split("/")
        depth = prefix.count("/") + 1
        if entry.is_dir() or not fnmatch.fnmatch("/".join(parts[:depth]), prefix):
            continue
        name = "/".join(parts[depth:]) or parts[-1]
        if name in excluded:
            continue
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(entry) as source, open(path, "wb") as out:
            shutil.copyfileobj(source, out)
        found = True
if not found:
    sys.exit(f"{wheel}: nothing under {prefix}")
PYTHON
}

# A dependency is moved to its place when it is complete, so that an interrupted run leaves none half-made.
put_in_place() {
  rm -rf "$2"
  mkdir -p "$(dirname "$2")"
  mv "$1" "$2"
}

# The schema and the node tests are those of one release.
fetch_onnx() {
  fetch_wheel onnx 1.23.2 c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348
}

install_onnx_schema() {
  say "fetching ONNX's schema from PyPI (onnx 1.23.2)"
  local wheel
  wheel=$(fetch_onnx) || fail "cannot download onnx==1.23.2 from PyPI"
  unpack "$wheel" onnx/onnx-ml.proto "$work/schema"
  put_in_place "$work/schema" "$deps/onnx"
}

install_onednn() {
  say "fetching oneDNN 3.2 from PyPI (39 MB)"
  local libraries headers
  libraries=$(fetch_wheel onednn-cpu-gomp 2023.2.0 2f22a54d6a890ed14bfa185d42a4be65d8b5b1df85dc1f0f3a9abe31620416fb) ||
    fail "cannot download onednn-cpu-gomp==2023.2.0 from PyPI"
  headers=$(fetch_wheel onednn-devel-cpu-gomp 2023.2.0 9763c69e8c907e119056bd52ad918ca84ac9ba939d130a99dfa95ccca3e5e284) ||
    fail "cannot download onednn-devel-cpu-gomp==2023.2.0 from PyPI"
  # The wheel holds the library three times, since wheels have no links.
  unpack "$libraries" '*.data/data' "$work/onednn-tree" lib/libdnnl.so lib/libdnnl.so.3.2
  unpack "$headers" '*.data/data' "$work/onednn-tree"
  ln -s libdnnl.so.3 "$work/onednn-tree/lib/libdnnl.so"
  ln -s libdnnl.so.3 "$work/onednn-tree/lib/libdnnl.so.3.2"
  put_in_place "$work/onednn-tree" "$deps/onednn"
}

# The package holds its node tests as programs that compute them. They run once, here, with what they import.
install_onnx_node_tests() {
  if ! python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    say "no node tests of ONNX: the packages that make them are for Python 3.11"
    return
  fi
  say "making ONNX's node tests with packages from PyPI (onnx 1.23.2, numpy 2.4.6 and three more, 36 MB)"
  local wheels=() wheel
  wheels+=("$(fetch_onnx)") &&
    wheels+=("$(fetch_wheel numpy 2.4.6 89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93)") &&
    wheels+=("$(fetch_wheel ml_dtypes 0.6.0 6c8e39b53e90afda8ce52859c93de4dba3e02b76d85dcf091cc469f9184c6dae)") &&
    wheels+=("$(fetch_wheel protobuf 7.36.2 89f23aa53c24553a2416fd4fd1ec06f74fa42b14b546d8883128813f775bbfd2)") &&
    wheels+=("$(fetch_wheel typing_extensions 4.16.0 \
      481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8)") ||
    fail "cannot download what makes ONNX's node tests from PyPI"
  for wheel in "${wheels[@]}"; do
    python3 -m zipfile -e "$wheel" "$work/node-packages"
  done
  PYTHONPATH=$work/node-packages python3 -W ignore - "$work/node-tests" >"$work/node-log" 2>&1 <<'PYTHON' ||
import argparse, sys

from onnx.backend.test import cmd_tools
from onnx.backend.test.case import node

# The package's own writer, which by itself writes the tests of whole models.
cmd_tools.model_test.collect_testcases = lambda: node.collect_testcases(None)
cmd_tools.generate_data(argparse.Namespace(output=sys.argv[1]))
PYTHON
    {
      tail -n 5 "$work/node-log" >&2
      fail "cannot make ONNX's node tests"
    }
  put_in_place "$work/node-tests/node" "$deps/onnx-node-tests"
}

have_ptxas() {
  command -v ptxas >/dev/null || [[ -x /usr/local/cuda/bin/ptxas || -x $deps/cuda/bin/ptxas ]]
}

# Only tests use ptxas, and they are skipped without it.
install_ptxas() {
  say "fetching ptxas from PyPI (nvidia-cuda-nvcc 13.0.88, 37 MB)"
  local wheel
  if wheel=$(fetch_wheel nvidia-cuda-nvcc 13.0.88 56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03) &&
    unpack "$wheel" nvidia/cu13/bin/ptxas "$work/cuda/bin"; then
    chmod +x "$work/cuda/bin/ptxas"
    put_in_place "$work/cuda" "$deps/cuda"
  else
    say "no ptxas: the tests that assemble PTX will be skipped"
  fi
}

# --- what is to be done ----------------------------------------------------------------------------------------------

case $kind in
build) ;;
test) packages+=("${test_packages[@]}") ;;
*)
  echo "usage: setup/setup.sh [build|test]" >&2
  exit 2
  ;;
esac
[[ $(uname -m) == x86_64 ]] || fail "only x86-64 machines are supported; this one is $(uname -m)"

wanted=()
[[ -f $deps/onnx/onnx-ml.proto ]] || wanted+=(install_onnx_schema)
[[ -f $deps/onednn/include/dnnl.h && -f $deps/onednn/lib/libdnnl.so ]] || wanted+=(install_onednn)
[[ $kind != test ]] || have_ptxas || wanted+=(install_ptxas)
[[ $kind != test || -d $deps/onnx-node-tests ]] || wanted+=(install_onnx_node_tests)

if [[ ${#wanted[@]} -gt 0 ]]; then
  [[ -e /etc/ssl/certs/ca-certificates.crt ]] || packages+=(ca-certificates)
  python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
fi
install_packages "${packages[@]}"

if [[ ${#wanted[@]} -gt 0 ]]; then
  mkdir -p "$deps" || fail "cannot write $deps; HALFSTEP_DEPS_DIR names another folder"
  work=$(mktemp -d "$deps/.incoming.XXXXXX") || fail "cannot write $deps; HALFSTEP_DEPS_DIR names another folder"
  trap 'rm -rf "$work"' EXIT
  for step in "${wanted[@]}"; do
    "$step"
  done
fi
say "all that \`$kind\` needs is installed"
