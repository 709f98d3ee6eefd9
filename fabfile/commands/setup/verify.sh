step_verify() {
  local venv=$root/engines/$engine found
  if [ ! -f "$venv/podfab-engine" ]; then
    found=$(cd "$root" && "$venv/bin/python" -c 'import vllm; print(vllm.__version__)' | tail -n 1)
    if [ -z "$found" ]; then
      # What can not be imported is installed anew next time.
      rm -f "$venv/podfab-installed"
      echo "vLLM was installed and can not be imported; see above" >&2
      return 1
    fi
    printf '%s\n' "$found" >"$venv/podfab-engine.new"
    mv "$venv/podfab-engine.new" "$venv/podfab-engine"
  fi
  read -r found <"$venv/podfab-engine"
  if [ "$(readlink "$root/engines/$engine_name")" = "$engine" ]; then
    report ok "vLLM $found"
    return
  fi
  ln -sfn "$engine" "$root/engines/.$engine_name.new"
  mv -T "$root/engines/.$engine_name.new" "$root/engines/$engine_name"
  report changed "vLLM $found"
}
