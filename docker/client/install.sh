#!/bin/sh
# Puts a vLLM release and what its client imports beyond the base image's libraries into a folder of its own.
# usage: install.sh VLLM_VERSION TARGET
set -eu
version=$1 target=$2
here=/build
python=/opt/venv/bin/python

[ -f $here/host/pip.conf ] && export PIP_CONFIG_FILE=$here/host/pip.conf
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
$python -m pip install --retries 10 --timeout 60 --no-cache-dir --no-compile --no-deps --target "$target" \
    --requirement "$here/requirements-$version.txt"
# vLLM asks for the version of the distribution `vllm`, and takes a build for the CPU by that word in it.
rm -rf "$target/vllm-$version.dist-info"
info=$target/vllm-$version+cpu.dist-info
mkdir "$info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" >"$info/METADATA"
# Its kernels are for another torch, or for devices; a client needs none.
find "$target/vllm" -name '*.so' -delete
$python -m compileall -qq "$target" || true # some packages ship files for newer Pythons
