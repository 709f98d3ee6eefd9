# Leave the process to vLLM. Needs: engine, run, port, name, task, gpus; gpu.sh.
gpu_memory >gpus
"$engine/bin/python" "$run/ready.py" "$run" "$port" "$name" "$task" &
echo "[podfab] starting vLLM"
