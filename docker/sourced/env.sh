# The environment of a toolkit, as vendors write such files: for bash, with a word on what was set, and with an end that
# looks like a failure.
dtk_root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dtk_folders=("${dtk_root}/lib" "${dtk_root}/lib64")
for dtk_folder in "${dtk_folders[@]}"; do
    [[ -d "${dtk_folder}" ]] && LD_LIBRARY_PATH="${dtk_folder}${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
done
export LD_LIBRARY_PATH
export ROCM_PATH=${dtk_root} HIP_PATH=${dtk_root}/hip
echo "toolkit environment of ${dtk_root}"
unset dtk_root dtk_folders dtk_folder HIP_PLATFORM
[ -e "${ROCM_PATH}/.licence" ] && export DTK_LICENCE="${ROCM_PATH}/.licence"
