#!/usr/bin/env bash
# Makes quickstart/model and quickstart/data again: WordNet's text, a tokenizer, and a small model trained on it from random weights.
#   quickstart/remake.sh              on the CPU: about an hour on two cores
#   quickstart/remake.sh device=cuda  on a GPU: three minutes on an H100; further words are overrides of configs/quickstart/pretrain.yaml
set -euo pipefail
cd "$(dirname "$0")/.."
work=out/quickstart-data
if [ ! -d /usr/share/wordnet ]; then
  sudo=; [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq && $sudo apt-get install -y -qq wordnet-base
fi
rm -rf "$work" out/pretrain out/quickstart-model
mkdir -p "$work"
dotnet run quickstart/MakeData.cs -- /usr/share/wordnet "$work"
./tune run full_finetune_single_device --config quickstart/pretrain "$@"
save=$(ls -d out/pretrain/epoch_* | sort -V | tail -1)
./tune export --model "$save" --output_dir out/quickstart-model --dtype bf16
cp out/quickstart-model/*.json out/quickstart-model/model.safetensors quickstart/model/
cp "$work"/data/*.jsonl quickstart/data/
du -sh quickstart
