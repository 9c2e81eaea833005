# The Python with the `openai` package that tests, demo and benchmarks share; source env.sh before.

# Makes it where it is missing or was made for other versions, and sets `gateway_python`.
gateway_python() {
  local wanted="$CHASQUI_ROOT/offchain-worker/gateway/tests/python/requirements.txt"
  local venv="$CARGO_TARGET_DIR/gateway-venv"
  if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv" ||
      { echo "python3 with its module venv is needed: apt-get install python3-venv" >&2; return 1; }
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" ||
      { echo "pip could not install $wanted: is a Python package index reachable?" >&2
        echo "(pip takes it from PIP_INDEX_URL or its configuration: pip config list)" >&2; return 1; }
    cp "$wanted" "$venv/requirements.txt"
  fi
  gateway_python="$venv/bin/python"
}
