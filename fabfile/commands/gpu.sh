# What nvidia-smi tells of the GPUs named in $gpus (ids, separated by spaces). Nothing without one.

# A line "ID MIB" for each: the memory that is in use.
gpu_memory() {
  [ -n "$gpus" ] && command -v nvidia-smi >/dev/null || return 0
  timeout 20 nvidia-smi --query-gpu=index,memory.used --format=csv,noheader,nounits 2>/dev/null |
    while IFS=', ' read -r id used _; do
      case " $gpus " in *" $id "*) num_line "$id" "$used" ;; esac
    done
}

num_line() {
  case $2 in '' | *[!0-9]*) ;; *) echo "$1 $2" ;; esac
}

# The processes that compute on any GPU; in a container often none is told.
gpu_processes() {
  [ -n "$gpus" ] && command -v nvidia-smi >/dev/null || return 0
  timeout 20 nvidia-smi --query-compute-apps=pid --format=csv,noheader 2>/dev/null |
    grep -xE ' *[0-9]+ *'
}
