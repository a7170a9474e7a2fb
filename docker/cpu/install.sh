#!/bin/sh
# Fills /opt in the builder stage of the Dockerfile; one step per image layer, so that a failed build resumes.
# usage: install.sh torch VLLM_VERSION [TORCH_INDEX] | vllm VLLM_VERSION | finish VLLM_VERSION
set -eu
step=$1 version=$2
here=/build
venv=/opt/venv
model=/opt/models/tiny-qwen2
requirements=$here/requirements-$version.txt

[ -f "$requirements" ] || {
    echo "install.sh: no $requirements: build one of these instead: $(cd $here && echo requirements-*.txt)" >&2
    exit 2
}
[ -f $here/host/pip.conf ] && export PIP_CONFIG_FILE=$here/host/pip.conf
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off

# Downloads that were finished before a failure are kept for the next attempt.
pip_install() {
    for attempt in 1 2 3; do
        $venv/bin/python -m pip install --cache-dir /tmp/pip-cache --retries 10 --timeout 60 --no-compile "$@" &&
            return 0
        echo "install.sh: attempt $attempt of 3 failed: pip install $*" >&2
        [ $attempt -eq 3 ] || sleep $((attempt * 5))
    done
    return 1
}

make_venv() {
    python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
        echo "install.sh: BASE has $(python3 --version) as python3, the vLLM wheels are for 3.11: choose another" >&2
        exit 2
    }
    python3 -m venv $venv 2>/dev/null && return 0
    # Debian keeps ensurepip in a package of its own; the pip wheel alone does as well.
    rm -rf $venv
    python3 -m venv --without-pip $venv
    PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) $venv/bin/python -m pip install --retries 10 pip
}

case $step in
torch)
    make_venv
    pip_install --upgrade 'pip>=25.1'
    # With its dependencies: which CUDA libraries a build of torch wants, only that build knows.
    pip_install --constraint "$requirements" ${3:+--extra-index-url "$3"} torch
    ;;
vllm)
    # torch is there already, as the pin demands; nothing else may be chosen by a resolver.
    pip_install --no-deps --requirement "$requirements"
    ;;
finish)
    # A CUDA build of torch brings triton along; where the pins lack it, vLLM is to run without.
    grep -q '^triton==' "$requirements" || $venv/bin/python -m pip uninstall --yes --quiet triton
    $venv/bin/python $here/alias_vllm.py
    $venv/bin/python $here/clear_execstack.py
    $venv/bin/python $here/prune_unused.py
    $venv/bin/python $here/make_tiny_model.py $model
    mkdir -p "$VLLM_CACHE_ROOT"
    $venv/bin/python $here/inspect_model.py $model
    chmod -R a+rwX "$VLLM_CACHE_ROOT" # a server may run as somebody else
    [ "$version" != 0.8.5 ] || $venv/bin/python $here/fetch_client.py /opt/vllm-benchmarks
    $venv/bin/python -m compileall -qq -j 0 $venv/lib || true # some packages ship files for newer Pythons
    ;;
*)
    echo "install.sh: unknown step $step" >&2
    exit 2
    ;;
esac
rm -rf /tmp/pip-cache
