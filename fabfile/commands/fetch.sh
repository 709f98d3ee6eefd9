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
if ! download; then
  echo "[podfab] the download failed"
  exit 1
fi
: >fetched

