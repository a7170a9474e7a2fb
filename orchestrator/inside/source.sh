# Sources the files before `--` and becomes the command after it: bash source.sh FILE... -- COMMAND...
#
# The files see no positional parameters and no input, cannot change the command, and print to standard error: the
# command's own input and output may be a conversation. What a file's last command returns says nothing about the file,
# so it is not looked at; a file that ends the shell is named. The braces let bash read all of it before a file can
# change how bash reads.
{
  orch_files=()
  while [ "$1" != -- ]; do orch_files+=("$1"); shift; done
  shift
  orch_argv=("$@")
  set --
  trap 'echo "orch: $orch_file ended the shell that was to go on" >&2' EXIT
  for orch_file in "${orch_files[@]}"; do
    [ -r "$orch_file" ] || { trap - EXIT; echo "orch: cannot source $orch_file" >&2; exit 126; }
    . "$orch_file" </dev/null >&2 || :
  done
  trap - EXIT
  exec "${orch_argv[@]}"
}
