# Fetch the weights. Needs: model, folder (hf's name for it), cache (empty: in HF_HOME), excluded (an
# array of globs) and the function download. Leaves in the run what its clients show: weights (the
# folder) and bytes (what all of it takes, by the hub's sizes).
echo "[podfab] downloading $model"
echo "${cache:-${HF_HOME:-$HOME/.cache/huggingface}/hub}/$folder" >weights
# Without a hub, hf takes what is on disk for good and vLLM asks on for minutes: so one short question
# first.
if ! timeout 20 "$engine/bin/python" checkpoint.py "$model" --bytes "${excluded[@]}" >bytes 2>/dev/null
then
  echo "[podfab] the hub does not answer; only what is on disk can be used"
  export HF_HUB_OFFLINE=1
fi
# hf gives up when the hub stumbles once over a file or their list; what came whole is kept.
came=
for pause in 5 20 60 ''; do
  download 2>&1 | tee said
  [ "${PIPESTATUS[0]}" = 0 ] && came=yes && break
  if [ -z "$pause" ] || ! grep -qE "Server error '5|Too Many Requests" said; then break; fi
  echo "[podfab] the hub stumbled; it is asked again in $pause s"
  sleep "$pause"
done
rm -f said
if [ -z "$came" ]; then
  echo "[podfab] the download failed"
  exit 1
fi
: >fetched

