# Needs: root, engine (its folder's name), model, reader (a Python program), and from the client
# hub_token and endpoint (or empty: the pod's own hold).
set -a
[ -f "$root/env" ] && . "$root/env"
[ -n "$hub_token" ] && HF_TOKEN=$hub_token
[ -n "$endpoint" ] && HF_ENDPOINT=$endpoint
set +a
timeout 60 "$root/engines/$engine/bin/python" -c "$reader" "$model" 2>/dev/null ||
  printf '\n{"status":0,"error":"it gives no answer in time","config":null,"files":{}}\n'
