# Follow a run's log from a byte offset, with news between the pieces, until it ends.
# Needs: run, offset, until (exit, ready, or now: what is there), lines (of the end to begin with, or
# empty). Output: "@podfab log N", N bytes, and lines "@podfab NEWS".
told=
tell() {
  case " $told " in *" $1 "*) return ;; esac
  told="$told $1"
  printf '@podfab %s\n' "$1"
}

log_size() {
  size=$(wc -c <"$run/log")
}

if [ ! -e "$run/log" ]; then
  echo '@podfab absent'
  exit 0
fi

log_size
if [ -n "$lines" ]; then
  offset=$((size - $(tail -n "$lines" "$run/log" | head -c "$size" | wc -c)))
  printf '@podfab offset=%s\n' "$offset"
fi

# What a download has brought so far, and what all of it is.
tell_download() {
  [ -f "$run/weights" ] && [ ! -f "$run/fetched" ] || return
  read -r weights <"$run/weights" && read -r bytes 2>/dev/null <"$run/bytes" && tell "bytes=$bytes"
  used=$(du -sk "$weights" 2>/dev/null) && tell "kib=${used%%[!0-9]*}"
}

# A start can be silent for long while the memory of its GPUs fills.
tell_memory() {
  gpus=''
  [ -f "$run/claim" ] && read -r _ gpus <"$run/claim"
  [ -n "$gpus" ] && tell "gpu=$(gpu_memory | tr ' \n' '.,')"
}

turns=0 quiet=0
while :; do
  end=
  if [ -f "$run/exit" ]; then
    read -r end <"$run/exit"
  elif ! alive "$run" && [ -f "$run/pid" ] && [ ! -f "$run/exit" ]; then
    # The supervisor is about to write the exit code down, unless it was ended too.
    alive "$run" supervisor || [ -f "$run/exit" ] || end=lost
  fi
  is_ready=
  [ -f "$run/ready" ] && is_ready=1

  log_size
  quiet=$((quiet + 1))
  while [ "$size" -gt "$offset" ]; do
    quiet=0
    piece=$((size - offset))
    [ $piece -gt 4194304 ] && piece=4194304
    printf '@podfab log %s\n' "$piece"
    tail -c "+$((offset + 1))" "$run/log" | head -c "$piece"
    offset=$((offset + piece))
  done

  if [ -n "$end" ]; then
    [ -f "$run/stopped" ] && tell stopped
    tell "exit=$end"
    exit 0
  fi
  if [ -n "$is_ready" ]; then
    tell ready
    [ "$until" = ready ] && exit 0
  fi
  if [ "$until" = now ]; then
    tell now
    exit 0
  fi
  [ $((turns % 5)) = 0 ] && tell_download
  [ "$until" = ready ] && [ $((quiet % 150)) = 149 ] && tell_memory
  [ $((turns % 25)) = 24 ] && echo '@podfab tick'
  turns=$((turns + 1))
  sleep 0.2
done
