"""Starts a real gateway on a free port of this machine, and stops it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "offchain-worker" / "models" / "chasqui-tales"
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def worker() -> str:
    path = os.environ.get("CHASQUI_WORKER")
    if not path or not os.access(path, os.X_OK):
        raise SystemExit("CHASQUI_WORKER must name the chasqui-worker binary: run `scripts/test gateway`")
    return path


class Gateway:
    """A gateway with the shipped model, as `tales/plain`, and with a chat template, as `tales`."""

    def __init__(self, *options: str):
        self.folder = tempfile.TemporaryDirectory()
        model = pathlib.Path(self.folder.name) / "tales"
        shutil.copytree(SHIPPED, model)
        (model / "chat_template.jinja").write_text(TEMPLATE)
        command = [worker(), "gateway", "--model", str(model), "--model", f"tales/plain={SHIPPED}"]
        command += ["--listen", "127.0.0.1:0", "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "RUST_LOG": "warn"})
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the gateway did not start: status {self.process.wait()}")
        said = json.loads(line)
        self.base_url, self.key, self.models = said["base_url"], said.get("key"), said["models"]
        self.root = self.base_url.removesuffix("/v1")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.folder.cleanup()
        return status
